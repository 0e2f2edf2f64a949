"""The model cards of a run: what each bundle was trained on, and what scores are known or to be expected."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from keyseg.data import Dataset
from keyseg.inference.bundle import read_config
from keyseg.training import cards
from keyseg.training.run import Run

QUICK = ("optimiser.epochs=1", "matching.join_epoch=0")
PLACES = ("split1/seed0", "split2/seed0", "final/seed0", "ensemble")


@pytest.fixture(scope="module")
def kept(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two splits, a final model and an ensemble. Not to be changed."""
    run: Run = workshop.start(tmp_path_factory.mktemp("cards") / "run", *QUICK, splits=(), final=True, ensemble=True)
    workshop.finish(run)
    return run


@pytest.fixture
def copied(kept: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept.folder, tmp_path / "run"))


def card(run: Path, place: str) -> str:
    return (run / place / "bundle" / "README.md").read_text(encoding="utf-8")


def shown(text: str) -> dict[str, list[str]]:
    """Cells of the tables by their first."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0].replace("&#64;", "@"): row[1:] for row in rows}


def test_folds_have_scores_of_their_own_and_the_rest_their_mean(kept: Run) -> None:
    scores = [json.loads((kept.folder / place / "scores.json").read_text())["rtk"] for place in PLACES[:2]]
    for place, own in zip(PLACES[:2], scores, strict=True):
        text = card(kept.folder, place)
        assert "6 annotated videos" in text
        assert "on 2 test videos of the same data set" in text
        assert shown(text)["Acc"][0] == f"{own['acc']:.1f}"
        low, high = map(float, shown(text)["Acc"][1].split(" to "))
        assert low <= own["acc"] <= high
    for place, why in (("final/seed0", "none was left for a test"), ("ensemble", "averages 2 networks")):
        text = card(kept.folder, place)
        assert why in text
        assert "8 annotated videos" in text
        assert "the mean of the scores of 2 models of the same recipe" in text
        assert "4 videos in all" in text
        for title, key in (("F1@50", "f1@50"), ("Edit", "edit"), ("Acc", "acc")):
            assert shown(text)[title][0] == f"{fmean(own[key] for own in scores):.1f}"


def test_class_shares_are_those_of_the_training_videos(kept: Run, workshop: Any) -> None:
    dataset = Dataset.open(workshop.data)
    labels = [label for name in dataset.labelled for label in dataset.annotation(name).to_frames().tolist()]
    for place in ("final/seed0", "ensemble"):
        assert shown(card(kept.folder, place))["pour"] == [f"{100 * labels.count(2) / len(labels):.1f} %"]


def test_no_name_of_a_video_and_no_folder_of_the_machine_is_in_a_bundle(kept: Run, workshop: Any) -> None:
    for place in PLACES:
        for path in (kept.folder / place / "bundle").iterdir():
            content = path.read_bytes()
            assert not re.search(rb"\bv[0-7]\b", content) or path.suffix == ".safetensors"
            assert str(workshop.data).encode() not in content
            assert str(kept.folder).encode() not in content


def test_without_splits_a_card_says_that_there_is_no_score(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run", *QUICK, splits=None, final=True)
    workshop.finish(run)
    text = card(run.folder, "final/seed0")
    assert "it has no scores of its own." in text
    assert "Expect" not in text
    assert "F1&#64;50" not in text


def test_a_start_from_another_model_is_stated(kept: Run, workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run", *QUICK, splits=None, final=True, start=kept.folder / "split1")
    workshop.finish(run)
    assert "began with the weights of an earlier model" in card(run.folder, "final/seed0")
    assert "began with" not in card(kept.folder, "final/seed0")


def test_a_later_fold_changes_what_to_expect_and_keeps_what_was_added(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run", *QUICK, seeds=(0, 1), final=True, ensemble=True)
    workshop.finish(run)
    for place in ("final/seed0", "ensemble"):
        path = run.folder / place / "bundle" / "README.md"
        front, rest = path.read_text(encoding="utf-8").split("\n# ")
        text = f"{front.replace('unknown', 'mit')}\n# {rest}\n## Ours\n\nFilmed in Ulm.\n"
        path.write_text(text.replace("## Use\n", "## Use\n\nAsk Ada first.\n"), encoding="utf-8", newline="\n")
    workshop.finish(workshop.start(tmp_path / "run", *QUICK, splits=(2,), resume=True))
    assert read_config(run.ensemble_bundle).members == 4
    for place in ("final/seed0", "ensemble"):
        text = card(run.folder, place)
        assert "the scores of 4 models" in text
        assert "8 annotated videos" in text
        for added in ("license: mit", "## Ours\n\nFilmed in Ulm.\n", "## Use\n\nAsk Ada first.\n"):
            assert text.count(added) == 1
    assert "averages 4 networks" in card(run.folder, "ensemble")
    before = (run.folder / "final/seed0/bundle/README.md").stat().st_mtime_ns
    workshop.finish(workshop.start(tmp_path / "run", *QUICK, resume=True))
    assert (run.folder / "final/seed0/bundle/README.md").stat().st_mtime_ns == before


def test_an_ensemble_counts_the_videos_of_what_it_averages(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run", *QUICK, seeds=(0, 1), ensemble=True)
    workshop.finish(run)
    cards.write_cards(workshop.start(tmp_path / "run", *QUICK, splits=(2,), resume=True))  # which is not trained yet
    assert "6 annotated videos" in card(run.folder, "ensemble")


def test_a_kill_before_the_cards_is_made_good(
    workshop: Any, copied: Path, kept: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in PLACES:
        (copied / place / "bundle" / "README.md").unlink()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    run = workshop.start(copied, *QUICK, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(cards, "write_model_card", killed)
        with pytest.raises(KeyboardInterrupt):
            workshop.finish(run)
    workshop.finish(run)
    assert [card(copied, place) for place in PLACES] == [card(kept.folder, place) for place in PLACES]


def test_videos_that_were_labelled_later_are_not_counted(workshop: Any, tmp_path: Path) -> None:
    data = workshop.write(tmp_path / "data")
    run = workshop.start(tmp_path / "run", *QUICK, data=data, splits=None, final=True)
    workshop.finish(run)
    shutil.copy(data / "groundTruth" / "v0.txt", data / "groundTruth" / "w0.txt")
    shutil.copy(data / "features" / "v0.npy", data / "features" / "w0.npy")
    summary = workshop.finish(workshop.start(tmp_path / "run", *QUICK, data=data, resume=True))
    assert (summary["final"], summary["labelled_videos"]) == ({"final/seed0": 8}, 9)
    assert "trained on 8 videos, before there were the 9 labelled" in (run.folder / "results.md").read_text()
    assert "8 annotated videos" in card(run.folder, "final/seed0")
