"""keyseg: temporal action segmentation with refined temporal keypoints."""

__version__ = "0.1.0"
