"""Calibration: thresholds chosen on training videos held out by subject, never on the test fold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.data import Dataset
from keyseg.data.known_datasets import GTEA
from keyseg.inference.decoding import KeypointOutput, RefinementScores, Rules
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import LabelMap, Segmentation
from keyseg.training import calibration
from keyseg.training.calibration import PLAIN_GRID, REFINED_GRID, choose_rules, held_out, masked_channels
from keyseg.training.fit import calibrate

LABELS = LabelMap(("a", "b", "c"))


def gtea(groups: list[int]) -> tuple[Any, list[str]]:
    """A data set with GTEA's names: so many videos of each subject."""
    names = [f"S{g + 1}_Tea_C{i}" for g, videos in enumerate(groups) for i in range(videos)]
    return SimpleNamespace(group=GTEA.group), names


@given(st.lists(st.integers(1, 5), min_size=2, max_size=8), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_held_out_takes_whole_groups_about_the_share(groups: list[int], share: float, seed: int) -> None:
    dataset, names = gtea(groups)
    found = held_out(dataset, names, share, seed)
    taken = {dataset.group(name) for name in found}
    left = {dataset.group(name) for name in names if name not in found}
    assert taken  # something to choose on
    assert left  # something to train on
    assert not taken & left
    assert list(found) == [name for name in names if name in found]
    assert len(found) <= share * len(names) or len(taken) == 1
    assert held_out(dataset, names, share, seed) == found


def test_held_out_differs_between_seeds_and_takes_the_share_where_it_can() -> None:
    dataset, names = gtea([4] * 8)
    assert len({held_out(dataset, names, 0.25, seed) for seed in range(20)}) > 5
    assert all(len(held_out(dataset, names, 0.25, seed)) == 8 for seed in range(20))


@pytest.mark.parametrize(("groups", "share"), [([7], 0.25), ([3, 3], 0.0), ([], 0.25)])
def test_nothing_is_held_out_of_one_group_or_without_a_share(groups: list[int], share: float) -> None:
    dataset, names = gtea(groups)
    assert held_out(dataset, names, share, 0) == ()


def test_masked_channels_hide_the_share_of_channels_for_the_whole_video() -> None:
    features = np.random.default_rng(0).normal(size=(5, 20000)).astype(np.float32)
    for share in (0.0, 0.2, 0.8):
        found = masked_channels(features, share, np.random.default_rng(1))
        hidden = (found == 0).all(0)
        assert hidden.mean() == pytest.approx(share, abs=0.01)
        assert found[:, ~hidden] == pytest.approx(features[:, ~hidden] / (1 - share), rel=1e-6)
        assert found.dtype == np.float32
    again = masked_channels(features, 0.8, np.random.default_rng(1))
    assert np.array_equal(found, again)
    assert not np.array_equal(found, masked_channels(features, 0.8, np.random.default_rng(2)))


def planted(false_confidence: float, keep: float | None) -> tuple[KeypointOutput, Segmentation]:
    """40 steps of `a` and `b`, with two false boundaries around a false `c` that the frames speak for.

    True keypoints have a confidence of 0.9 and a keep probability of 1; the false boundaries have those given.
    """
    reference = Segmentation([0, 20, 40], [0, 1])
    frames = np.zeros((3, 40), np.float32)
    frames[reference.to_frames(), np.arange(40)] = 1
    frames[:, 8:12] = [[0.0], [0.0], [1.0]]
    actions = ActionKeypoints(np.array([4.0, 10, 16, 30]), np.array([0, 2, 0, 1]), np.array([0.9, 0.9, 0.9, 0.9]))
    confidence = np.array([false_confidence, false_confidence, 0.9])
    boundaries = BoundaryKeypoints(np.array([8.0, 12, 20]), confidence)
    refinement = None
    if keep is not None:
        keeps = np.array([keep, keep, 1.0])
        refinement = RefinementScores(np.ones(4), keeps, np.eye(3)[[0, 2, 0, 1]], boundaries.time)
    heatmap, boundary = np.full((3, 40), 0.1, np.float32), np.full(40, 0.1, np.float32)
    return KeypointOutput(frames, frames[None], heatmap, boundary, actions, boundaries, refinement), reference


@pytest.mark.parametrize("false", [0.06, 0.15])
def test_choose_rules_finds_the_boundary_threshold_that_cuts_planted_noise(false: float) -> None:
    reading, reference = planted(false, None)
    rules, score = choose_rules([reading], [reference], LABELS, Rules(), refine=False)
    assert score == 100
    assert rules.boundary_threshold == min(t for t in PLAIN_GRID["boundary_threshold"] if t > false)


def test_choose_rules_finds_the_keep_threshold_that_cuts_planted_noise() -> None:
    # 0.9 passes every boundary threshold of the grid: only the keep threshold can help.
    assert max(REFINED_GRID["boundary_threshold"]) < 0.9
    reading, reference = planted(0.9, 0.3)
    rules, score = choose_rules([reading, reading], [reference, reference], LABELS, Rules(), refine=True)
    assert score == 100
    assert rules.keep_threshold == 0.4
    _, plain_score = choose_rules([reading], [reference], LABELS, Rules(), refine=False)
    assert plain_score < 100


def test_choose_rules_keeps_what_it_does_not_choose_and_prefers_the_first_of_equals() -> None:
    reading, reference = planted(0.0, None)
    given_rules = Rules(peak_weight=3.5, keep_threshold=0.7)
    rules, _ = choose_rules([reading], [reference], LABELS, given_rules, refine=False)
    first = {key: values[0] for key, values in PLAIN_GRID.items()}
    assert rules == given_rules.model_copy(update=first)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the videos that are loaded from now on."""
    names: list[str] = []
    load = Dataset.load

    def spied(self: Dataset, name: str, split: int) -> Any:
        names.append(name)
        return load(self, name, split)

    monkeypatch.setattr(Dataset, "load", spied)
    return names


def test_calibration_never_loads_a_test_video(workshop: Any, tmp_path: Path, loaded: list[str]) -> None:
    run = workshop.start(tmp_path / "run", "calibration.holdout=0.25")
    (fit,) = run.fits()
    read_on: list[list[str]] = []
    original = calibration.masked_channels

    def spy(*arguments: Any) -> Any:
        read_on.append(list(loaded))
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keyseg.training.calibration.masked_channels", spy)
        chosen = calibrate(fit, fit.recipe)
    found = json.loads((fit.folder / "calibration" / "rules.json").read_text())
    unseen = set(found["held_out"])
    assert set(loaded) == set(workshop.train)
    assert not set(loaded) & set(workshop.test)
    # While it was trained, no held-out video had been loaded: the last of them only once, to be read.
    trained_on = read_on[0][: -len(unseen)]
    assert unseen
    assert not unseen & set(trained_on)
    assert (found["rules"], found["plain_rules"]) == (chosen.rules.model_dump(), chosen.plain_rules.model_dump())

    del loaded[:]
    assert calibrate(fit, fit.recipe) == chosen  # kept, not done again
    assert loaded == []
    again = replace(fit, folder=tmp_path / "again")
    assert calibrate(again, again.recipe) == chosen
    found_again = json.loads((again.folder / "calibration" / "rules.json").read_text())
    assert found_again == found
    assert json.loads((again.folder / "calibration" / "cost.json").read_text())["seconds"] > 0


def test_without_a_holdout_the_rules_of_the_recipe_are_kept(workshop: Any, tmp_path: Path, loaded: list[str]) -> None:
    run = workshop.start(tmp_path / "run", "calibration.holdout=0", "rules.boundary_threshold=0.37")
    (fit,) = run.fits()
    assert calibrate(fit, fit.recipe) is None
    decoder = fit.recipe.decoder([])
    assert decoder.rules == decoder.plain_rules == run.recipe.rules
    assert run.recipe.rules.boundary_threshold == 0.37
    assert loaded == []
    assert not (fit.folder / "calibration").exists()
