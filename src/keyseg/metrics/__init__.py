"""Scores of predictions against annotations, in percent: frame accuracy, edit score, segmental F1.

These use NumPy only; the torchmetrics classes are in `keyseg.metrics.torch_metrics`, which needs an explicit import.
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
