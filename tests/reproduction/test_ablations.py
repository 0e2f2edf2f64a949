"""RTK taken apart: rows that must agree with what the run itself says, oracles that cannot be beaten, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.inference.decoding import KeypointOutput, Rules
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.reproduction.ablations import ABLATIONS, ORACLES, ablate
from keyseg.timeline import ConfigError, DataError, Segmentation
from keyseg.training.results import collect
from keyseg.training.tables import SCORES


def test_rows_agree_with_what_the_run_says_of_itself(finished: Any, tmp_path: Path) -> None:
    result = ablate(finished, tmp_path)
    (scores,) = collect(finished)
    for variant, row in (
        ("rtk", "RTK"),
        ("rtk-no-refinement", "neither: rules alone"),
        ("rtk-no-rules", "no rules: argmax of the action heatmaps"),
        ("frame-wise", "argmax of the frame classifier"),
    ):
        found = [result["rows"][row][name] for name in SCORES]
        assert found == pytest.approx([scores.last[variant][name] for name in SCORES]), variant
    assert list(result["rows"]) == [*ABLATIONS, *ORACLES]
    assert json.loads((tmp_path / "ablations.json").read_text())["rows"] == result["rows"]
    text = (tmp_path / "ablations.md").read_text()
    assert all(f"| {name} | " in text for name in result["rows"])
    assert f"- trained by: `{finished.command}`, commit {scores.cost['commit']}" in text
    right = result["rows"]["segments of RTK with true classes"]["acc"]
    assert right >= result["rows"]["RTK"]["acc"]


class Decoder:
    """What an ablation reads of a decoder."""

    rules = Rules(frame_weight=0.0)
    annotations = None


TRUTH = Segmentation(np.array([0, 10, 20, 40]), np.array([0, 1, 0]))


def keypoint_output(boundaries: list[float], labels: list[int]) -> KeypointOutput:
    """Peaks of these labels at the centres of the true segments, and sure boundaries."""
    flat = np.full((2, 40), 0.5, np.float32)
    actions = ActionKeypoints(np.array([5.0, 15.0, 30.0]), np.array(labels), np.full(3, 0.9))
    found = BoundaryKeypoints(np.array(boundaries), np.full(len(boundaries), 0.9))
    return KeypointOutput(flat, flat[None], flat, flat[0], actions, found)


def test_true_classes_correct_classes_and_nothing_else() -> None:
    found = ORACLES["segments of RTK with true classes"](Decoder(), keypoint_output([12.0, 20.0], [1, 0, 1]), TRUTH)  # type: ignore[arg-type]
    assert found.boundaries.tolist() == [0, 12, 20, 40]
    assert found.labels.tolist() == [0, 1, 0]


def test_true_boundaries_correct_boundaries_and_nothing_else() -> None:
    found = ORACLES["true boundaries with RTK's classes"](Decoder(), keypoint_output([17.0], [0, 1, 1]), TRUTH)  # type: ignore[arg-type]
    assert found.boundaries.tolist() == [0, 10, 40]
    assert found.labels.tolist() == [0, 1]


def test_true_keep_drops_what_the_annotation_does_not_bear_out() -> None:
    found = ORACLES["true keep decisions"](Decoder(), keypoint_output([10.0, 15.5, 20.0, 33.0], [0, 1, 0]), TRUTH)  # type: ignore[arg-type]
    assert found.boundaries.tolist() == [0, 10, 20, 40]
    assert found.labels.tolist() == [0, 1, 0]


def test_what_cannot_be_taken_apart_is_named(workshop: Any, tmp_path: Path) -> None:
    unfinished = workshop.start(tmp_path / "run")
    with pytest.raises(DataError, match="this training is not finished; continue with keyseg train"):
        ablate(unfinished, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_system_has_no_such_parts(workshop: Any, tmp_path: Path) -> None:

    from keyseg.training.recipe import load_recipe

    started = workshop.start(tmp_path / "run")
    run = started.model_copy(update={"recipe": load_recipe(None, ["model=asformer"])})
    with pytest.raises(ConfigError, match="only a run of rtk can be taken apart, and this is a run of asformer"):
        ablate(run, tmp_path)
