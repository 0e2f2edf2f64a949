"""What the inner folds of a split choose, kept for all seeds, and how a training takes it over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from keyseg.data import Dataset
from keyseg.inference.bundle import load
from keyseg.inference.decoding import Rules
from keyseg.matching.alignment import MatchWeights
from keyseg.timeline import DataError, Segmentation
from keyseg.training import choice, match_weights
from keyseg.training.choice import MIXED, Chosen, choose
from keyseg.training.inner_folds import inner_folds
from keyseg.training.match_weights import LearntMatch, beyond_chance
from keyseg.training.recipe import load_recipe
from keyseg.training.run import start_run
from workshop import TEST

FIT = ("matching.fit=true", "matching.folds=2")
LEARNT = LearntMatch(weights=MatchWeights(cut=1.5), plain=(50, 50, 50), matched=(60, 70, 80), videos=6)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_weights, "_GENERATIONS", 1)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """What each inner training is from now on."""
    calls: list[SimpleNamespace] = []
    original = choice.train_network

    def counted(fit: Any, recipe: Any, decoder: Any, seen: Any, validated: Any, folder: Path, **options: Any) -> Any:
        calls.append(
            SimpleNamespace(
                name=folder.name,
                seed=fit.seed,
                split=fit.split,
                seen=seen,
                validated=validated,
                epochs=recipe.optimiser.epochs,
                share=recipe.augmentation.mixed_segments,
                until=options.get("until"),
            )
        )
        return original(fit, recipe, decoder, seen, validated, folder, **options)

    monkeypatch.setattr(choice, "train_network", counted)
    return calls


def one_fit(workshop: Any, folder: Path, *changes: str, **options: Any) -> Any:
    (fit,) = workshop.start(folder, *changes, **options).fits()
    return fit


def test_each_fold_is_trained_once_at_its_pace_without_its_held_out_videos(
    workshop: Any, tmp_path: Path, trained: list[SimpleNamespace]
) -> None:
    fit = one_fit(workshop, tmp_path / "run", *FIT, "matching.pace=0.5", seeds=(3,))
    chosen = choose(fit)
    assert [call.name for call in trained] == ["fold1-mixed0.3", "fold2-mixed0.3"]
    for call in trained:
        # Whatever the seed of the training. Half of its 4 epochs, times 6 / 4, since it trains on 4 of the 6 videos.
        assert (call.seed, call.split, call.epochs, call.share) == (0, 1, 3, 0.3)
        assert len(call.seen) == 4
        assert tuple(call.validated) == ()
    assert not (set(workshop.train) - set(trained[0].seen)) & (set(workshop.train) - set(trained[1].seen))
    assert chosen.mixed_segments == 0.3
    assert chosen.match is not None
    assert chosen.match.videos == 4
    assert chosen.mixing is None
    assert chosen.seconds > 0
    assert {path.name for path in fit.inner.iterdir()} - {".lock"} == {
        "videos.json",
        "chosen.json",
        "fold1-mixed0.3.npz",
        "fold2-mixed0.3.npz",
    }


def test_a_choice_is_made_once(workshop: Any, tmp_path: Path, trained: list[SimpleNamespace]) -> None:
    fit = one_fit(workshop, tmp_path / "run", *FIT)
    chosen = choose(fit)
    assert len(trained) == 2
    assert choose(fit) == chosen
    assert choose(replace(fit, seed=5, folder=fit.folder.parent / "seed5")) == chosen  # other seeds share it
    assert len(trained) == 2
    assert Chosen.model_validate_json((fit.inner / "chosen.json").read_text()) == chosen


def test_a_bad_test_video_is_found_before_anything_is_trained(
    workshop: Any, tmp_path: Path, trained: list[SimpleNamespace]
) -> None:
    data = workshop.write(tmp_path / "set")
    video = data / "features" / f"{TEST[-1]}.npy"
    features = np.load(video)
    features[:, 2] = np.nan
    np.save(video, features)
    with pytest.raises(DataError, match=rf"{TEST[-1]}\.npy: NaN or infinite value at step 2"):
        workshop.finish(workshop.start(tmp_path / "run", *FIT, data=data))
    assert trained == []


def test_a_choice_never_loads_a_test_video(workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: set[str] = set()
    for method in ("load", "annotation"):
        original = getattr(Dataset, method)

        def spied(self: Dataset, name: str, *arguments: Any, original: Any = original) -> Any:
            names.add(name)
            return original(self, name, *arguments)

        monkeypatch.setattr(Dataset, method, spied)
    choose(one_fit(workshop, tmp_path / "run", *FIT, "augmentation.mixed_segments=fit"))
    assert names == set(workshop.train)


def test_the_match_of_a_fold_remembers_only_what_its_network_was_trained_on_and_has_to_beat_learnt_rules(
    workshop: Any, tmp_path: Path, trained: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def learnt(folds: Any, decoder: Any, classes: int, background: Any) -> LearntMatch:
        given.append((folds, decoder, classes, background))
        return LEARNT

    rules = Rules(frame_weight=1.0)
    monkeypatch.setattr(choice, "learn_rules", lambda *_: rules)
    monkeypatch.setattr(choice, "learn_match", learnt)
    fit = one_fit(workshop, tmp_path / "run", *FIT)
    assert choose(fit).match == LEARNT
    ((folds, decoder, classes, background),) = given
    assert (classes, background) == (3, (0,))
    assert decoder == fit.recipe.decoder().changed(rules=rules)
    for (held_out, remembered), call in zip(folds, trained, strict=True):
        assert set(held_out) == set(workshop.train) - set(call.seen)
        assert [item.to_frames().tolist() for item in remembered] == [
            fit.dataset.load(name, 1).labels.tolist() for name in call.seen
        ]
        for name, item in held_out.items():
            sample = fit.dataset.load(name, 1)
            assert item.reference == Segmentation.from_frames(sample.labels)
            assert item.output.frames.shape == (3, len(sample.labels))


def test_an_interruption_between_two_folds_keeps_the_first(
    workshop: Any, tmp_path: Path, trained: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = choose(one_fit(workshop, tmp_path / "whole", *FIT))
    del trained[:]
    fit, counted = one_fit(workshop, tmp_path / "run", *FIT), choice.train_network

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if trained:
            raise KeyboardInterrupt
        return counted(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(choice, "train_network", interrupted)
        with pytest.raises(KeyboardInterrupt):
            choose(fit)
    assert not (fit.inner / "chosen.json").exists()
    resumed = choose(fit)
    assert [call.name for call in trained] == ["fold1-mixed0.3", "fold2-mixed0.3"]
    assert resumed.match == undisturbed.match


def test_folds_of_other_videos_are_forgotten(
    workshop: Any, tmp_path: Path, trained: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted after the first fold and in the second, and resumed with one video more: what the first network was
    trained on may be held out now."""
    fit, counted, more = one_fit(workshop, tmp_path / "run", *FIT), choice.train_network, []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if len(trained) == 1 and not more:
            partial = fit.inner / "fold2-mixed0.3"
            partial.mkdir()
            (partial / "last.ckpt").write_text("half a network")
            raise KeyboardInterrupt
        return counted(*arguments, **options)

    monkeypatch.setattr(choice, "train_network", interrupted)
    with pytest.raises(KeyboardInterrupt):
        choose(fit)
    assert (fit.inner / "fold1-mixed0.3.npz").exists()
    folds = inner_folds(fit.dataset, fit.split, 2)
    more.append(replace(folds[0], seen=folds[0].seen[1:], held_out=(*folds[0].held_out, folds[0].seen[0])))
    monkeypatch.setattr(choice, "inner_folds", lambda *_: (*more, folds[1]))
    choose(fit)
    assert [call.seen for call in trained] == [folds[0].seen, more[0].seen, folds[1].seen]
    choose(fit)
    assert len(trained) == 3


@pytest.mark.parametrize("text", ["[50.0, 51.0]", "{}", '[["a", "b"], [1, 2]]', "[[1, 2], [3]]", "[[1, 2]]"])
def test_a_damaged_decision_on_mixing_is_named(text: str, workshop: Any, tmp_path: Path) -> None:
    fit = one_fit(workshop, tmp_path / "run", *FIT, "augmentation.mixed_segments=fit")
    fit.inner.mkdir(parents=True)
    (fit.inner / "mixing.json").write_text(text)
    with pytest.raises(DataError, match=r"mixing\.json: not two scores of each video; delete it to choose again"):
        choose(fit)


@pytest.mark.parametrize(
    ("misleading", "with_mixing", "share"),
    [
        (False, (49.0, 49.0), 0.0),
        (False, (60.0, 50.5), 0.0),  # better, but two videos so far apart may be chance
        (False, (51.0, 51.0), MIXED),
        (True, (49.0, 49.0), 0.0),
        (True, (40.0, 49.5), MIXED),
        (True, (50.0, 50.0), MIXED),
    ],
)
def test_the_first_fold_says_whether_to_mix_segments(
    misleading: bool,
    with_mixing: tuple[float, float],
    share: float,
    workshop: Any,
    tmp_path: Path,
    trained: list[SimpleNamespace],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = iter(((50.0, 50.0), with_mixing))
    monkeypatch.setattr(choice, "video_scores", lambda *_: next(scores))
    fit = one_fit(workshop, tmp_path / "run", *FIT, "augmentation.mixed_segments=fit")
    folds = choice.inner_folds(fit.dataset, fit.split, 2)
    monkeypatch.setattr(choice, "inner_folds", lambda *_: folds)
    monkeypatch.setattr(Dataset, "belongs_to_split", lambda *_: misleading)
    chosen = choose(fit)
    assert chosen.mixed_segments == share
    assert chosen.mixing == (50.0, sum(with_mixing) / 2)
    assert json.loads((fit.inner / "mixing.json").read_text()) == [[50.0, 50.0], list(with_mixing)]
    assert [(call.name, call.share, call.until) for call in trained] == [
        ("fold1-mixed0", 0.0, 3),
        ("fold1-mixed0.3", MIXED, 3),
        (f"fold1-mixed{share:g}", share, None),
        (f"fold2-mixed{share:g}", share, None),
    ]
    assert trained[0].seen == trained[1].seen == trained[2].seen
    assert {path.name for path in fit.inner.iterdir()} - {".lock"} == {
        "videos.json",
        "chosen.json",
        "mixing.json",
        f"fold1-mixed{share:g}.npz",
        f"fold2-mixed{share:g}.npz",
    }


@pytest.mark.parametrize(("join", "refine"), [(9, [False] * 2), (2, [False] * 2), (1, [True] * 2)])
def test_a_refinement_that_is_not_trained_yet_says_nothing_about_mixing(
    join: int, refine: list[bool], workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Halfway is after 3 of the 6 epochs of a fold, for 4 of the training; matching never joins, or after 3, or 2."""
    asked: list[bool] = []
    original = choice.run_held_out

    def spied(predictor: Any, dataset: Any, fold: Any, *, refine: bool = True) -> Any:
        asked.append(refine)
        return original(predictor, dataset, fold, refine=refine)

    monkeypatch.setattr(choice, "run_held_out", spied)
    changes = ("augmentation.mixed_segments=fit", "matching.fit=false", f"matching.join_epoch={join}")
    choose(one_fit(workshop, tmp_path / "run", *changes))
    assert asked == refine


def test_a_training_that_paused_ends_as_one_that_did_not(
    workshop: Any, tmp_path: Path, trained: list[SimpleNamespace]
) -> None:
    """Also when the command is killed after the decision, and run again."""
    fit = one_fit(workshop, tmp_path / "paused", *FIT, "augmentation.mixed_segments=fit")
    counted = choice.train_network

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if options["until"] is None:
            raise KeyboardInterrupt
        return counted(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "train_network", interrupted)
        with pytest.raises(KeyboardInterrupt):
            choose(fit)
    chosen = choose(fit)
    assert [call.until for call in trained] == [3, 3, None, None]
    share = chosen.mixed_segments
    whole = one_fit(workshop, tmp_path / "whole", *FIT, f"augmentation.mixed_segments={share:g}")
    assert choose(whole).match == chosen.match
    with (
        np.load(fit.inner / f"fold1-mixed{share:g}.npz") as paused,
        np.load(whole.inner / f"fold1-mixed{share:g}.npz") as straight,
    ):
        assert paused.files == straight.files
        for key in paused.files:
            np.testing.assert_array_equal(paused[key], straight[key], strict=True)


def test_mixing_alone_needs_one_fold(workshop: Any, tmp_path: Path, trained: list[SimpleNamespace]) -> None:
    chosen = choose(one_fit(workshop, tmp_path / "run", "augmentation.mixed_segments=fit"))
    assert [call.name for call in trained] == ["fold1-mixed0", "fold1-mixed0.3"]
    assert not list((tmp_path / "run").glob("split1/inner/fold*"))
    assert chosen.match is None
    without, with_mixing = np.array(json.loads((tmp_path / "run" / "split1" / "inner" / "mixing.json").read_text()))
    assert chosen.mixing == (round(without.mean(), 2), round(with_mixing.mean(), 2))
    assert chosen.mixed_segments == (MIXED if beyond_chance(without, with_mixing) else 0)


def test_with_nothing_to_choose_no_fold_is_trained(
    workshop: Any, tmp_path: Path, trained: list[SimpleNamespace]
) -> None:
    fit = one_fit(workshop, tmp_path / "run", "augmentation.mixed_segments=0.15")
    assert choose(fit) == Chosen(mixed_segments=0.15)
    assert trained == []
    assert not fit.inner.exists()


@pytest.mark.parametrize(("given", "share"), [("fit", MIXED), ("0.15", 0.15)])
def test_one_training_video_cannot_be_divided(
    given: str, share: float, workshop: Any, tmp_path: Path, trained: list[SimpleNamespace]
) -> None:
    data = workshop.write(tmp_path / "set")
    (data / "splits" / "train.split1.bundle").write_text("v0.txt\n")
    fit = one_fit(workshop, tmp_path / "run", *FIT, f"augmentation.mixed_segments={given}", data=data)
    assert choose(fit) == Chosen(mixed_segments=share)
    assert trained == []


def test_a_training_takes_over_what_was_chosen_and_seeds_share_it(
    workshop: Any, tmp_path: Path, trained: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "learn_rules", lambda *_: Rules(boundary_threshold=0.1))
    monkeypatch.setattr(choice, "learn_match", lambda *_: LEARNT)
    run = workshop.start(tmp_path / "run", *FIT, "optimiser.epochs=2", seeds=(0, 1))
    summary = workshop.finish(run)
    assert [call.name for call in trained] == ["fold1-mixed0.3", "fold2-mixed0.3"]
    for fit in run.fits():
        match = load(fit.bundle).decoder.match
        assert match is not None
        assert match.weights == LEARNT.weights
        annotations = [fit.dataset.annotation(name) for name in fit.dataset.names(1, "train")]
        assert [a.labels for a in match.annotations] == [tuple(a.labels.tolist()) for a in annotations]
        assert [sum(a.lengths) for a in match.annotations] == [a.length for a in annotations]
        cost = json.loads((fit.folder / "cost.json").read_text())
        assert cost["inner_seconds"] > 0
        rules = load(fit.bundle).decoder.rules
        assert rules == Rules(boundary_threshold=0.1)
        learnt = {"rules": rules.model_dump(mode="json"), "match": LEARNT.model_dump(mode="json")}
        expected = {"mixed_segments": 0.3, **learnt}
        assert summary["chosen"][fit.name] == expected
    text = (tmp_path / "run" / "results.md").read_text()
    line = (
        "0.3 of the segments mixed, action keypoints from 0.1, boundaries from 0.1, frames weighing 2, matched: F1@50 /"
        " Edit / Acc 50.0 / 50.0 / 50.0 without, 60.0 / 70.0 / 80.0 with"
    )
    assert text.count(line) == 2


def test_a_match_that_does_not_help_is_left_out(workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "learn_match", lambda *_: LEARNT.changed(weights=None))
    run = workshop.start(tmp_path / "run", *FIT, "optimiser.epochs=1")
    workshop.finish(run)
    assert load(tmp_path / "run").decoder.match is None
    text = (tmp_path / "run" / "results.md").read_text()
    assert "- split1/seed0: 0.3 of the segments mixed, action keypoints from 0.1, " in text
    assert ", not matched: F1@50 / Edit / Acc 50.0" in text


def test_a_frame_wise_system_is_matched_too(workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "learn_match", lambda *_: LEARNT)
    tiny = ("network.channels=8", "network.generator_layers=2", "network.refinements=1", "optimiser.epochs=2")
    recipe = load_recipe(None, ("model=ms-tcn++", *tiny, *FIT))
    run = start_run(tmp_path / "run", workshop.data, recipe, (1,), (0,), "keyseg train")
    workshop.finish(run)
    predictor = load(tmp_path / "run")
    assert predictor.decoder.match is not None
    found = predictor.predict(workshop.data / "features" / "v6.npy")
    assert found.alignment is not None
