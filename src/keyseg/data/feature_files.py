"""Feature files: one `.npy` per video, float16, float32 or float64, shape (D, T) or (T, D), memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from keyseg.timeline import DataError
from keyseg.timeline.files import refuse_special

FeatureArray = npt.NDArray[np.floating]
Axes = Literal["DT", "TD"]
Orientation = Literal["auto", "DT", "TD"]

UNDECIDED = (
    "the shapes of its {files} files and the lengths of their labels do not show which axis is time;"
    " set orientation to 'DT' or 'TD'"
)

_CHUNK = 1 << 22  # values checked at once: 16 MB as float32
_LONGEST_REASON = 200  # characters: numpy may quote the header


def open_features(path: Path, *, dimension: int | None = None, orientation: Orientation = "auto") -> FeatureArray:
    """Memory-map the features of one video as a read-only view (T, D). Never executes a pickle.

    orientation: axes of the file; "auto" finds them from the expected `dimension` (D). Raises DataError if the file is
    not such an array, has another dimension, or nothing decides its axes.
    """
    array = _open_array(path)
    axes = orientation
    if axes == "auto":
        ways = array.shape.count(dimension)
        if ways != 1:
            fit = f"fits the expected {dimension} channels {'both ways' if ways else 'neither way'}"
            reason = "does not say which axis is time" if dimension is None else fit
            raise DataError(f"{path}: shape {array.shape} {reason}; set orientation to 'DT' or 'TD'")
        axes = "DT" if array.shape[0] == dimension else "TD"
    features = array.T if axes == "DT" else array
    if dimension is not None and features.shape[1] != dimension:
        raise DataError(
            f"{path}: expected {dimension} channels, got {features.shape[1]}"
            f" (shape {array.shape} read as ({axes[0]}, {axes[1]})); set orientation if the axes are swapped"
        )
    return features


def _open_array(path: Path) -> FeatureArray:
    try:
        refuse_special(path)
        # Maps .npy only: refuses object arrays (pickles) by their header, and anything else by its first bytes.
        with np.errstate(over="ignore"):  # of a size that is too large, which it then refuses
            array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise DataError(f"{path}: no such feature file; expected a .npy of shape (D, T) or (T, D)") from None
    except Exception as error:  # a damaged header may raise anything: numpy evaluates its literals
        reason = " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
        raise DataError(
            f"{path}: cannot map it as a .npy array ({reason}); it may be cut off, pickled or of another format:"
            " save it again with numpy.save as float16 or float32"
        ) from error
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise DataError(f"{path}: expected float16, float32 or float64, got {array.dtype}; save it again as float32")
    if array.ndim != 2:
        raise DataError(f"{path}: expected two axes, (D, T) or (T, D), got shape {array.shape}")
    if array.size == 0:
        raise DataError(f"{path}: no features in it, its shape is {array.shape}; extract them again")
    return array


def stored_shape(path: Path) -> tuple[int, int]:
    """Shape of a feature file as stored. Raises DataError as `open_features` does."""
    rows, columns = _open_array(path).shape
    return rows, columns


def detect_axes(
    seen: Iterable[tuple[tuple[int, int], int | None]],
    *,
    orientation: Orientation = "auto",
    sample_rate: int = 1,
    tolerance: int = 0,
) -> tuple[Axes, int] | None:
    """Axes and D that the files of one folder share, from pairs of (stored shape, number of labels or None).

    Without `orientation`, the first file whose shape agrees with its labels in only one way decides; so does a single
    size common to all shapes, since D is the same everywhere and T is not. Reads no more pairs than it needs. None:
    nothing decides.
    """
    common: set[int] | None = None
    for shape, frames in seen:
        if orientation != "auto":
            return orientation, shape[orientation.index("D")]
        if frames is not None:
            fits = [abs(size - frames) <= tolerance or size == -(-frames // sample_rate) for size in shape]
            if fits.count(True) == 1:
                return ("TD", shape[1]) if fits[0] else ("DT", shape[0])
        common = set(shape) if common is None else common & set(shape)
        if len(common) == 1 and shape[0] != shape[1]:
            return ("DT", shape[0]) if shape[0] in common else ("TD", shape[1])
    return None


def first_bad_step(features: FeatureArray) -> int | None:
    """Index of the first step of (T, D) with a value that is NaN or infinite as float32, or None.

    Reads the array in the order in which it is stored and in chunks, so that a mapped file is never in memory as a
    whole.
    """
    bad = np.zeros(len(features), bool)
    by_step = features.strides[0] >= features.strides[1]
    rows = features if by_step else features.T
    size = max(1, _CHUNK // rows.shape[1])
    for start in range(0, len(rows), size):
        with np.errstate(over="ignore", invalid="ignore"):
            wrong = ~np.isfinite(rows[start : start + size].astype(np.float32, copy=False))
        if by_step:
            bad[start : start + size] = wrong.any(axis=1)
        else:
            bad |= wrong.any(axis=0)
    return int(bad.argmax()) if bad.any() else None


def check_finite(path: Path, features: FeatureArray) -> None:
    """Raise DataError naming the file and the first step of (T, D) that is NaN or infinite."""
    step = first_bad_step(features)
    if step is not None:
        raise DataError(f"{path}: NaN or infinite value at step {step}; extract this video's features again")
