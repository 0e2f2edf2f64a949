"""What features and timelines are called: like the file that they are made from, a video or tracks of body points."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from keyseg.formats.text import VIDEO_SUFFIXES

TRACK_SUFFIXES = frozenset((".csv", ".h5", ".hdf5"))
_DEEPLABCUT = re.compile(r"(.+?)((DLC|DeepCut)_.*shuffle\d.*|_superanimal_.*)", re.ASCII)
_SLEAP = re.compile(r"(?:.+\.\d{3}_)?(.+?)\.(?:analysis|tracking)", re.ASCII)


def is_feature_file(path: Path) -> bool:
    """Whether a file holds features, by its name."""
    return path.suffix.lower() == ".npy"


def is_track_file(path: Path) -> bool:
    """Whether the name of a file is one that tracks may have."""
    return path.suffix.lower() in TRACK_SUFFIXES


def input_name(path: Path) -> str:
    """Name of the features and timelines of a video or a file of tracks: its own without the ending, or for tracks the
    name of the video that they were made from.

    DeepLabCut appends the name of its network, SLEAP the words predictions and analysis, and before the video the name
    of the project with a number.

    >>> input_name(Path("day1DLC_resnet50_ratsMay5shuffle1_50000_el_filtered.h5"))
    'day1'
    >>> input_name(Path("labels.v001.000_day1.analysis.h5")), input_name(Path("day1.mp4.predictions.csv"))
    ('day1', 'day1')
    >>> input_name(Path("day1.2.mp4"))
    'day1.2'
    """
    if not is_track_file(path):
        return path.stem
    match = _DEEPLABCUT.fullmatch(path.stem) or _SLEAP.fullmatch(path.stem)
    name = (match[1] if match else path.stem).removesuffix(".predictions")
    return PurePath(name).stem if PurePath(name).suffix.lower() in VIDEO_SUFFIXES else name
