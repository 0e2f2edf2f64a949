"""How labels and features of a video are brought to one length, with one label per feature step."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from keyseg.timeline import DataError, IntArray

Lengths = Literal["error", "trim", "resample"]


def align_lengths(
    frames: int,
    columns: int,
    *,
    features: Path,
    labels: Path,
    sample_rate: int = 1,
    lengths: Lengths = "error",
    tolerance: int = 0,
) -> tuple[int, slice | IntArray]:
    """Number of frames to keep, F, and which columns of a feature file are its ceil(F / sample_rate) steps.

    A file holds one column per frame, of which every `sample_rate`-th is used, or exactly one column per step. Any
    other length is treated by `lengths`: "error"; "trim" cuts labels and features to the shorter of both if they differ
    by at most `tolerance` frames; "resample" uses the column nearest in time to the first frame of each step.
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
        # The middle of frame i is at (i + 1/2) / frames of the video; times `columns`, that is a column.
        first_frames = np.arange(0, frames, sample_rate, dtype=np.int64)
        return frames, (2 * first_frames + 1) * columns // (2 * frames)
    advice = (
        "set lengths to 'trim' with a tolerance to cut both to the shorter, or to 'resample' to stretch the features"
    )
    if lengths == "trim":
        advice = f"they differ by more than the tolerance of {tolerance}: raise it, or set lengths to 'resample'"
    if sample_rate > 1:
        advice += f" (sample rate {sample_rate} needs one column per label, or one per {sample_rate} labels)"
    raise DataError(f"{features}: {columns} feature steps for the {frames} labels of {labels}; {advice}")
