"""Scores of a segmentation against annotations: frame accuracy, segmental edit score, segmental F1, in percent.

Plain numpy; the torchmetrics classes stand in `keyseg.metrics.torch_metrics`, which has to be imported by name.
"""

from keyseg.metrics.accuracy import frame_accuracy
from keyseg.metrics.edit import edit_score
from keyseg.metrics.evaluator import evaluate
from keyseg.metrics.frame_labels import FrameLabels
from keyseg.metrics.protocols import PROTOCOLS, ScoringProtocol
from keyseg.metrics.report import ClassScores, Report, VideoScores, mean_reports
from keyseg.metrics.segmental_f1 import OVERLAPS, SegmentCounts, segmental_f1

__all__ = [
    "OVERLAPS",
    "PROTOCOLS",
    "ClassScores",
    "FrameLabels",
    "Report",
    "ScoringProtocol",
    "SegmentCounts",
    "VideoScores",
    "edit_score",
    "evaluate",
    "frame_accuracy",
    "mean_reports",
    "segmental_f1",
]
