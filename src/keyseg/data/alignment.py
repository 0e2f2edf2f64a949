"""How the labels and the features of a video are brought to one length, and to one label a feature step."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from keyseg.timeline import DataError, IntArray

Lengths = Literal["error", "trim", "resample"]


def align(
    frames: int,
    columns: int,
    *,
    features: Path,
    labels: Path,
    sample_rate: int = 1,
    lengths: Lengths = "error",
    tolerance: int = 0,
) -> tuple[int, slice | IntArray]:
    """Number of frames to keep, F, and which of a file's feature columns stand for its ceil(F / sample_rate) steps.

    A file holds a column a frame, of which every `sample_rate`-th is taken (the field's sample rate), or exactly a column a
    step. Any other length goes by `lengths`: "error"; "trim", labels and features cut to the shorter one if they differ
    by at most `tolerance` frames; "resample", the column nearest in time to each step's first frame.
    Raises DataError with both files and numbers.
    """
    if columns == frames:
        return frames, slice(None, None, sample_rate)
    if columns == -(-frames // sample_rate):
        return frames, slice(None)
    if lengths == "trim" and abs(columns - frames) <= tolerance:
        kept = min(columns, frames)
        return kept, slice(0, kept, sample_rate)
    if lengths == "resample":
        # The middle of frame i is the fraction (i + 1/2) / frames of the video; times columns, it says which is there.
        first_frames = np.arange(0, frames, sample_rate, dtype=np.int64)
        return frames, (2 * first_frames + 1) * columns // (2 * frames)
    raise DataError(
        f"{features}: {columns} feature steps for the {frames} labels of {labels};"
        f" {_advice(lengths, tolerance, sample_rate)}"
    )


def _advice(lengths: Lengths, tolerance: int, sample_rate: int) -> str:
    sampled = (
        f" (sample rate {sample_rate} takes a column a label, or one for every {sample_rate} labels)"
        if sample_rate > 1
        else ""
    )
    if lengths == "trim":
        return f"they differ by more than the tolerance of {tolerance}: raise it, or set lengths to 'resample'{sampled}"
    return (
        "set lengths to 'trim' with a tolerance to cut both to the shorter, or to 'resample' to stretch the features"
        f" to the labels{sampled}"
    )
