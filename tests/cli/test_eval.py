"""keyseg eval: scores of folders and of runs, and what cannot be scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats.frame_labels import read_frame_labels
from keyseg.metrics import evaluate

SCORES = ["acc", "edit", "f1@10", "f1@25", "f1@50", "videos", "frames"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Annotations of three videos, and predictions of two of them: one label per line, and a recog file."""
    ref, pred = tmp_path / "ref", tmp_path / "pred"
    ref.mkdir()
    pred.mkdir()
    labels = {"a": "background cut idle pour pour idle", "b": "cut cut cut pour idle idle", "c": "pour pour"}
    for name, text in labels.items():
        (ref / f"{name}.txt").write_text("\n".join(text.split()) + "\n")
    (pred / "a.txt").write_text("background\ncut\ncut\npour\npour\npour\n")
    (pred / "b").write_text("### Frame level recognition: ###\ncut cut pour pour background idle\n")
    return ref, pred


def test_eval_of_folders_is_the_evaluator_with_json_as_its_only_output(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    reference = {name: read_frame_labels(ref / f"{name}.txt") for name in "ab"}
    prediction = {"a": read_frame_labels(pred / "a.txt"), "b": read_frame_labels(pred / "b")}
    cases: dict[tuple[str, ...], tuple[str, ...]] = {
        (): ("background",),
        ("--background", "background", "idle"): ("background", "idle"),
        ("--background", "idle"): ("idle",),
        ("--background", "none"): (),
    }
    found = {}
    for arguments, background in cases.items():
        answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json", *arguments)
        assert answer.code == 0
        scores = json.loads(answer.out)
        assert list(scores) == SCORES
        wanted = evaluate(reference, prediction, background=background).to_json()
        assert scores == {key: wanted[key] for key in SCORES}
        assert answer.err == "note: 1 of 3 annotated videos have no prediction and are not scored\n"
        found[background] = scores["edit"], scores["f1@50"]
    assert len(set(found.values())) == 4  # so the background matters here
    assert (scores["videos"], scores["frames"]) == (2, 12)
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json", "--details", "--protocol", "tcn")
    details = json.loads(answer.out)
    assert set(SCORES) | {"protocol", "background", "per_class", "per_video"} <= set(details)
    assert details["protocol"] == "tcn"
    assert set(details["per_video"]) == {"a", "b"}


def test_eval_of_folders_as_a_table(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--background", "background", "idle")
    header, row, note = answer.out.splitlines()
    assert header.split() == ["f1@10", "f1@25", "f1@50", "edit", "acc", "videos", "frames"]
    wanted = json.loads(
        keyseg("eval", "--ref", ref, "--pred", pred, "--background", "background", "idle", "--json").out
    )
    assert [float(cell) for cell in row.split()] == [round(wanted[name], 2) for name in header.split()]
    assert note == "protocol ms-tcn; left out of edit and F1: background, idle"
    assert keyseg("eval", "--ref", ref, "--pred", pred, "--background", "none").out.endswith("and F1: none\n")


def test_eval_of_a_run_gives_the_scores_of_training(trained: Path, keyseg: Any) -> None:
    answer = keyseg("eval", trained, "--json")
    assert (answer.code, answer.err) == (0, "")
    scores = json.loads(answer.out)
    assert list(scores) == SCORES
    said = json.loads((trained / "split1/seed0/scores.json").read_text())["rtk"]
    assert scores == {key: said[key] for key in SCORES}
    header = keyseg("eval", trained).out.splitlines()[0].split()
    assert sorted(header) == sorted(SCORES)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "give a run folder, or both --ref and --pred; see: keyseg eval --help"),
        (("--ref", "{ref}"), 2, "give a run folder, or both --ref and --pred"),
        (("--pred", "{pred}"), 2, "give a run folder, or both --ref and --pred"),
        (("{ref}", "--ref", "{ref}", "--pred", "{pred}"), 2, "give a run folder, or both --ref and --pred"),
        (
            ("{ref}", "--background", "idle"),
            2,
            "--background goes with --ref and --pred; a run has its own background classes\n",
        ),
        (("--ref", "{ref}", "--pred", "{pred}", "--protocol", "mstcn"), 2, "unknown protocol 'mstcn' (did you mean"),
        (("{ref}",), 1, "no run here; expected a folder that keyseg train --out made"),
        (
            ("--ref", "{ref}", "--pred", "nowhere"),
            1,
            "nowhere: no such folder; expected one label file per video",
        ),
        (("--ref", "{ref}", "--pred", "{empty}"), 1, "no predictions here; expected VIDEO.txt or VIDEO"),
        (("--ref", "{pred}", "--pred", "{ref}"), 1, "for c (1 in all)"),
    ],
)
def test_eval_of_what_cannot_be_scored(
    arguments: tuple[str, ...], code: int, words: str, folders: tuple[Path, Path], keyseg: Any, tmp_path: Path
) -> None:
    ref, pred = folders
    (tmp_path / "empty").mkdir()
    answer = keyseg("eval", *(word.format(ref=ref, pred=pred, empty=tmp_path / "empty") for word in arguments))
    assert (answer.code, answer.out) == (code, "")
    assert words in answer.err


def test_eval_of_predictions_of_another_length(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    (pred / "c.txt").write_text("pour\n")
    answer = keyseg("eval", "--ref", ref, "--pred", pred)
    assert answer.code == 1
    assert "different numbers of frames (1): c (2 in the reference, 1 predicted)" in answer.err
