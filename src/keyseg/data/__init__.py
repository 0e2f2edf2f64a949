"""Annotations, features and splits on disk.

Tensors are in `keyseg.data.batches`, which is not imported here, so that this room opens without torch.
"""

from keyseg.data.alignment import Lengths, align
from keyseg.data.catalog import DATASETS, DatasetFacts, identify
from keyseg.data.check import CheckReport, check_dataset
from keyseg.data.dataset import Dataset, VideoSample
from keyseg.data.features import Orientation, first_bad_step, open_features
from keyseg.data.findings import Problem
from keyseg.formats.frame_labels import read_frame_labels, write_frame_labels

__all__ = [
    "CheckReport",
    "DATASETS",
    "Dataset",
    "DatasetFacts",
    "Lengths",
    "Orientation",
    "Problem",
    "VideoSample",
    "align",
    "check_dataset",
    "first_bad_step",
    "identify",
    "open_features",
    "read_frame_labels",
    "write_frame_labels",
]
