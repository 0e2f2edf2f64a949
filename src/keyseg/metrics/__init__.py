"""Scores of predictions against annotations, in percent: frame accuracy, edit score, segmental F1.

These use NumPy only; the torchmetrics classes are in `keyseg.metrics.torch_metrics`, which needs an explicit import.
"""

from keyseg.metrics.evaluator import evaluate_labels
from keyseg.metrics.paired import Comparison, compare_labels
from keyseg.metrics.report import Report, mean_reports
from keyseg.metrics.segmental_f1 import OVERLAPS

__all__ = ["OVERLAPS", "Comparison", "Report", "compare_labels", "evaluate_labels", "mean_reports"]
