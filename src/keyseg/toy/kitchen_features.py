"""The toy kitchen as features: a small synthetic data set in which context decides and single frames do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keyseg.formats.frame_labels import write_frame_labels
from keyseg.timeline import IntArray, OutputExistsError
from keyseg.toy.grammar import LABELS, LOOK_ALIKES, NEAR_ALIKES, ScriptStep, check_counts, video_script, write_split

DIMENSIONS = 24

_KITCHEN_SEED = 2023  # all toy kitchens have the same appearances, so a model of one can be run on another
# Prototypes have length 1; noise is given as the standard deviation of a channel. The amounts are chosen such that a
# logistic regression on single steps classifies 58-60 % of the test steps correctly, with F1@50 of about 10, and a
# dilated TCN that sees 127 steps to each side 83-84 %, with F1@50 of 69-74 (default counts, seeds 0, 1 and 2).
_NEAR_DISTANCE = 0.45  # of near-alikes; two unrelated classes are sqrt(2) apart on average
_TRANSITION_STEPS = 5
_STYLE = 0.12
_DRIFT = 0.2
_DRIFT_STEPS = 9
_WHITE = 0.25
_BURST_RATE = 0.04
_BURST_STEPS = (1, 4)


def write_toy_kitchen(root: Path, *, videos: int = 40, test_videos: int = 10, seed: int = 0) -> Path:
    """Write the features of `videos` toy videos, of which the last `test_videos` are the test set; return `root`.

    Files, in the common layout of action segmentation data: `mapping.txt`, `groundTruth/VIDEO.txt` (one label per
    step), `features/VIDEO.npy` ((D, T) float32), `splits/train.split1.bundle` and `splits/test.split1.bundle`. Recipes
    take turns, and video i of a seed does not depend on the counts. Raises OutputExistsError if `root` is not empty,
    ConfigError as `check_counts`.
    """
    check_counts(videos, test_videos, seed)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OutputExistsError(f"{root} is not an empty folder; a toy kitchen is only written into a new or empty one")
    (root / "features").mkdir(parents=True)
    names = []
    for index in range(videos):
        name, script, rng = video_script(index, seed)
        write_frame_labels(root / "groundTruth" / f"{name}.txt", LABELS.decode(script_labels(script)))
        np.save(root / "features" / f"{name}.npy", render_features(script, rng).astype("<f4"))
        names.append(name)
    write_split(root, names, test_videos)
    return root


def script_labels(script: Sequence[ScriptStep]) -> IntArray:
    """The annotator's class id of each step, (T,) int64."""
    return np.repeat(LABELS.encode(step.label for step in script), [step.duration for step in script])


def prototypes() -> npt.NDArray[np.float32]:
    """The mean features of each class, (C, D): equal rows for look-alikes, close ones for near-alikes.

    >>> prototypes().shape
    (16, 24)
    """
    rng = np.random.default_rng(_KITCHEN_SEED)
    rows = rng.standard_normal((len(LABELS), DIMENSIONS))
    rows /= np.sqrt((rows**2).sum(axis=1, keepdims=True))
    for first, second in LOOK_ALIKES:
        rows[LABELS.id(second)] = rows[LABELS.id(first)]
    for first, second in NEAR_ALIKES:
        rows[LABELS.id(second)] = rows[LABELS.id(first)] + _NEAR_DISTANCE * rows[LABELS.id(second)]
    return rows.astype(np.float32)


def render_features(script: Sequence[ScriptStep], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Features of a script as a video backbone might give them, (D, T).

    Each step shows its appearance, blended at boundaries and interrupted by short distractors of other classes; one
    style per video, slow drift and white noise are added.
    """
    looks = np.repeat(LABELS.encode(step.appearance for step in script), [step.duration for step in script])
    rows = prototypes()
    shown = _moving_average(rows[looks], _TRANSITION_STEPS)
    for start in np.flatnonzero(rng.random(len(shown)) < _BURST_RATE):
        shown[start : start + rng.integers(*_BURST_STEPS)] = rows[rng.integers(len(LABELS))]
    style = _STYLE * rng.standard_normal(DIMENSIONS)
    drift = _moving_average(rng.standard_normal(shown.shape), _DRIFT_STEPS) * np.sqrt(_DRIFT_STEPS)
    noise = _DRIFT * drift + _WHITE * rng.standard_normal(shown.shape)
    # Rounded, since the last digits of sums and logarithms differ between machines.
    return np.ascontiguousarray(np.round(shown + style + noise, 4).T, np.float32)


def _moving_average(values: npt.NDArray[np.floating], width: int) -> npt.NDArray[np.floating]:
    """Mean over `width` (odd) neighbours in time, (T, D), with the ends repeated."""
    half = width // 2
    padded = np.pad(values.astype(np.float64), ((half + 1, half), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0)
    return (sums[width:] - sums[:-width]) / width
