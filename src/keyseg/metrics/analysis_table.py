"""What an analysis found, by class, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

_COLUMNS = (
    "segments annotated",
    "predicted",
    "F1@50",
    "frame precision",
    "frame recall",
    "mean length annotated",
    "predicted",
)
_KEYS = ("annotated", "predicted", "f1@50", "precision", "recall", "mean_annotated", "mean_predicted")


def class_table(per_class: Mapping[str, Mapping[str, Any]], unit: str) -> list[str]:
    """One row per class from `Analysis.per_class`, with a dash where there is nothing; lengths in `unit`.

    >>> from keyseg.metrics.analysis import analyse
    >>> found = analyse({"tea": ["take", "pour"]}, {"tea": ["take", "take"]})
    >>> print(class_table(found.per_class(), found.unit)[-1])
    | take | 1 | 1 | 100.0 | 50.0 | 100.0 | 1.0 frames | 2.0 frames |
    """
    lines = [f"| | {' | '.join(_COLUMNS)} |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for name, scores in per_class.items():
        cells = [_cell(key, scores[key], unit) for key in _KEYS]
        lines.append(f"| {name.replace('|', chr(92) + '|')} | {' | '.join(cells)} |")
    return lines


def picture_link(file: str) -> str:
    """Markdown that shows a picture.

    >>> picture_link("analysis/segment_lengths.png")
    '![segment lengths](analysis/segment_lengths.png)'
    """
    return f"![{PurePosixPath(file).stem.replace('_', ' ')}]({file})"


def _cell(key: str, value: float | int | None, unit: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f} {unit}" if key.startswith("mean") else f"{value:.1f}"
