"""Annotations, features and splits on disk.

`keyseg.data.batches`, which needs torch, is not imported here.
"""

from keyseg.data.check import check_dataset
from keyseg.data.dataset import Dataset

__all__ = ["Dataset", "check_dataset"]
