"""Checks on what is drawn as rows of one timeline."""

from __future__ import annotations

from collections.abc import Sequence

from keyseg.timeline import LabelMap, Segmentation, TimelineError

Row = tuple[str, Segmentation]


def check_rows(rows: Sequence[Row], labels: LabelMap, where: str = "timeline") -> int:
    """Length in frames that all rows share. Raises TimelineError on no row, differing lengths, an unknown class id."""
    if not rows:
        raise TimelineError(f"{where}: expected at least one row (name, segmentation), got none")
    first, segmentation = rows[0]
    for name, other in rows:
        if other.length != segmentation.length:
            raise TimelineError(
                f"{where}: rows show one video and must have one length, but {first!r} has {segmentation.length} frames"
                f" and {name!r} has {other.length}; cut or resample one of them first"
            )
        check_labels(other, labels, f"{where}, row {name!r}")
    return segmentation.length


def check_labels(segmentation: Segmentation, labels: LabelMap, where: str) -> None:
    """Raise TimelineError if a class id is outside the label map."""
    if len(segmentation) and int(segmentation.labels.max()) >= len(labels):
        raise TimelineError(
            f"{where}: class id {int(segmentation.labels.max())} is unknown, the label map has ids 0 to"
            f" {len(labels) - 1}; use the label map of this data set"
        )


def occurring(rows: Sequence[Row]) -> list[int]:
    """Class ids that occur in any row, in id order."""
    return sorted({int(i) for _, segmentation in rows for i in segmentation.labels})
