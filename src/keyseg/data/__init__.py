"""Annotations, features and splits on disk.

`keyseg.data.batches`, which needs torch, is not imported here.
"""

from keyseg.data.alignment import align
from keyseg.data.check import CheckReport, check_dataset
from keyseg.data.dataset import Dataset, VideoSample
from keyseg.data.feature_files import first_bad_step, open_features
from keyseg.data.findings import Problem
from keyseg.data.known_datasets import DATASETS, identify
from keyseg.data.read_options import ReadOptions

__all__ = [
    "CheckReport",
    "DATASETS",
    "Dataset",
    "Problem",
    "ReadOptions",
    "VideoSample",
    "align",
    "check_dataset",
    "first_bad_step",
    "identify",
    "open_features",
]
