"""Features of videos made comparable: short runs of steps, as differences from the mean of their video."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keyseg.timeline import DataError, IntArray

Runs = npt.NDArray[np.float32]
"""Mean features of N short runs of one video, (N, D), in time order."""

STEPS_PER_SECOND = 5
MOST_RUNS = 30_000
_CHUNK = 1 << 22  # values read at once


def steps_per_run(steps: int, rate: float) -> int:
    """How many feature steps of a video make one run: as many as leave 5 runs per second and 30,000 in all.

    rate: steps per second.

    >>> steps_per_run(900, 15.0), steps_per_run(900, 3.0), steps_per_run(432_000, 15.0)
    (3, 1, 15)
    """
    return max(1, round(rate / STEPS_PER_SECOND), -(-steps // MOST_RUNS))


def mean_runs(name: str, features: npt.NDArray[np.floating], size: int) -> Runs:
    """Means of `size` successive steps of (T, D), the last of those that are left; read in parts, so a mapped file is
    never in memory as a whole.

    Raises DataError, which calls the video by its name, if a value is not a finite real number or there is none.
    """
    if features.ndim != 2 or not features.size or features.dtype.kind not in "fiub":
        raise DataError(
            f"{name}: expected features (T, D) of real numbers, one row per step, got an array of {features.dtype} and"
            f" shape {features.shape}"
        )
    steps, width = features.shape
    count = max(1, _CHUNK // (size * width)) * size
    parts = []
    for start in range(0, steps, count):
        chunk = np.asarray(features[start : start + count], np.float64)
        if not np.isfinite(chunk).all():
            step = start + int(np.argmin(np.isfinite(chunk).all(1)))
            raise DataError(f"{name}: NaN or infinite features at step {step}; extract this video's features again")
        first = np.arange(0, len(chunk), size)
        parts.append(np.add.reduceat(chunk, first) / np.diff(np.append(first, len(chunk)))[:, None])
    return np.concatenate(parts).astype(np.float32)


def standardised(runs: Runs) -> Runs:
    """The runs of a video as differences d from their mean, divided by sqrt(|d|^2 + m) with m the mean of |d|^2.

    So every video has its mean at 0, whatever its light and its scene are, and the length of a vector is below 1, so
    that a few strong runs do not outweigh all others, while runs near the mean stay near it. A video without any change
    gets zeros.

    >>> standardised(np.array([[1.0], [1.0], [4.0]], np.float32)).round(2).T
    array([[-0.58, -0.58,  0.82]], dtype=float32)
    """
    differences = runs - runs.mean(0, dtype=np.float64)
    squares = np.square(differences).sum(1, keepdims=True)
    scale = np.sqrt(squares + squares.mean())
    scaled = np.divide(differences, scale, out=np.zeros_like(differences), where=scale > 1e-9)
    return np.asarray(scaled, np.float32)


def segment_means(runs: Runs, bounds: IntArray) -> Runs:
    """Mean of the runs of each segment, (S, D). bounds: (S + 1,) first run of each segment, and N."""
    sums = np.add.reduceat(runs, bounds[:-1], dtype=np.float64)
    return np.asarray(sums / np.diff(bounds)[:, None], np.float32)
