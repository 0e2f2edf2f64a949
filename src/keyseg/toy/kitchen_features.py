"""The toy kitchen: a small synthetic data set in the field's layout, where context decides and frames do not."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keyseg.data.layout import Fold, write_lists
from keyseg.timeline import IntArray, OutputExistsError, TimeBase
from keyseg.toy.grammar import (
    COOKING_RECIPES,
    LABELS,
    LOOK_ALIKES,
    NEAR_ALIKES,
    ScriptStep,
    check_counts,
    sample_script,
)

DIMENSIONS = 24
TIME = TimeBase(Fraction(5))

_KITCHEN_SEED = 2023  # the same appearances in every toy kitchen, so a model of one can be run on another
# Prototypes have length 1; noise is given as the standard deviation of a channel. The amounts are chosen so that a
# logistic regression on single steps gets 58-60 % of the test steps right, with F1@50 of about 10, and a dilated TCN
# that sees 127 steps to each side 83-84 %, with F1@50 of 69-74 (default counts, seeds 0, 1 and 2).
_NEAR_DISTANCE = 0.45  # of near-alikes, where two unrelated classes are sqrt(2) apart on average
_TRANSITION_STEPS = 5
_STYLE = 0.12
_DRIFT = 0.2
_DRIFT_STEPS = 9
_WHITE = 0.25
_BURST_RATE = 0.04
_BURST_STEPS = (1, 4)


def write_toy_kitchen(root: Path, *, videos: int = 40, test_videos: int = 10, seed: int = 0) -> Path:
    """Write `videos` toy videos, the last `test_videos` of them the test set, in the field's layout; return `root`.

    Files: `mapping.txt`, `groundTruth/VIDEO.txt` (a label a step), `features/VIDEO.npy` ((D, T) float32),
    `splits/train.split1.bundle` and `splits/test.split1.bundle`. Recipes take turns, and video i of a seed is the same
    whatever the counts. Raises OutputExistsError where `root` holds anything, ConfigError on a negative seed or on
    counts that leave no test video or a recipe without a training video.
    """
    check_counts(videos, test_videos, seed)
    _check_free(root)
    names = tuple(_write_video(root, index, seed) for index in range(videos))
    write_lists(root, LABELS, [Fold(names[: videos - test_videos], names[videos - test_videos :])])
    return root


def script_labels(script: Sequence[ScriptStep]) -> IntArray:
    """The class id the annotator gives to each step, (T,) int64."""
    return np.repeat(LABELS.encode(step.label for step in script), [step.duration for step in script])


def prototypes() -> npt.NDArray[np.float32]:
    """How each class looks on average, (C, D): equal rows for look-alikes, close ones for near-alikes."""
    rng = np.random.default_rng(_KITCHEN_SEED)
    rows = _unit(rng.standard_normal((len(LABELS), DIMENSIONS)))
    for first, second in LOOK_ALIKES:
        rows[LABELS.id(second)] = rows[LABELS.id(first)]
    for first, second in NEAR_ALIKES:
        rows[LABELS.id(second)] = rows[LABELS.id(first)] + _NEAR_DISTANCE * rows[LABELS.id(second)]
    return rows.astype(np.float32)


def render_features(script: Sequence[ScriptStep], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """What a video backbone might see of a script, (D, T).

    Each step shows its appearance, blended over boundaries and interrupted by short distractors of other classes; on
    top come one style a video, slow drift and white noise.
    """
    looks = np.repeat(LABELS.encode(step.appearance for step in script), [step.duration for step in script])
    clean = _moving_average(prototypes()[looks], _TRANSITION_STEPS)
    shown = _with_distractors(clean, rng)
    style = _STYLE * rng.standard_normal(DIMENSIONS)
    drift = _moving_average(rng.standard_normal(shown.shape), _DRIFT_STEPS) * np.sqrt(_DRIFT_STEPS)
    noise = _DRIFT * drift + _WHITE * rng.standard_normal(shown.shape)
    # Rounded, since the last digits of sums and logarithms differ between machines.
    return np.ascontiguousarray(np.round(shown + style + noise, 4).T, np.float32)


def _with_distractors(clean: npt.NDArray[np.floating], rng: np.random.Generator) -> npt.NDArray[np.floating]:
    shown = clean.copy()
    rows = prototypes()
    for start in np.flatnonzero(rng.random(len(clean)) < _BURST_RATE):
        shown[start : start + rng.integers(*_BURST_STEPS)] = rows[rng.integers(len(LABELS))]
    return shown


def _moving_average(values: npt.NDArray[np.floating], width: int) -> npt.NDArray[np.floating]:
    """Average over `width` (odd) neighbours in time, (T, D), the ends repeated."""
    half = width // 2
    padded = np.pad(values.astype(np.float64), ((half + 1, half), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0)
    return (sums[width:] - sums[:-width]) / width


def _unit(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))


def _write_video(root: Path, index: int, seed: int) -> str:
    rng = np.random.default_rng([seed, index])
    recipe = COOKING_RECIPES[index % len(COOKING_RECIPES)]
    name = f"{recipe.name}_{index:03d}"
    script = sample_script(recipe, rng)
    _write_lines(root / "groundTruth" / f"{name}.txt", LABELS.decode(script_labels(script)))
    (root / "features").mkdir(exist_ok=True)
    np.save(root / "features" / f"{name}.npy", render_features(script, rng).astype("<f4"))
    return name


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def _check_free(root: Path) -> None:
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise OutputExistsError(f"{root} is not an empty folder: a toy kitchen is written only into a new or empty one")
