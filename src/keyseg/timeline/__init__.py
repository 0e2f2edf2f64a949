"""The vocabulary: segments, segmentations, labels, time, errors. Imports nothing else of keyseg."""

from keyseg.timeline.errors import (
    BundleError,
    ConfigError,
    DataError,
    KeysegError,
    OutputExistsError,
    TimelineError,
    TrainingError,
    nearest,
)
from keyseg.timeline.labels import LabelMap
from keyseg.timeline.segmentation import IntArray, Segment, Segmentation
from keyseg.timeline.timebase import TimeBase

__all__ = [
    "BundleError",
    "ConfigError",
    "DataError",
    "IntArray",
    "KeysegError",
    "LabelMap",
    "OutputExistsError",
    "Segment",
    "Segmentation",
    "TimeBase",
    "TimelineError",
    "TrainingError",
    "nearest",
]
