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
from keyseg.timeline.intervals import Annotation, Interval, Overlap, class_name
from keyseg.timeline.labels import LabelMap
from keyseg.timeline.segmentation import FloatArray, IntArray, Segment, Segmentation
from keyseg.timeline.timebase import TimeBase

__all__ = [
    "Annotation",
    "BundleError",
    "ConfigError",
    "DataError",
    "FloatArray",
    "IntArray",
    "Interval",
    "KeysegError",
    "LabelMap",
    "OutputExistsError",
    "Overlap",
    "Segment",
    "Segmentation",
    "TimeBase",
    "TimelineError",
    "TrainingError",
    "class_name",
    "nearest",
]
