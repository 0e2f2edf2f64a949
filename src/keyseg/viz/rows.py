"""Checks on what is drawn: rows of one timeline, class ids, pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keyseg.timeline import IntArray, LabelMap, Segmentation, TimelineError
from keyseg.video.extractor import Image

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
        check_ids(other.labels, labels, f"{where}, row {name!r}")
    return segmentation.length


def check_ids(ids: IntArray, labels: LabelMap, where: str) -> None:
    """Raise TimelineError if a class id is outside the label map."""
    if len(ids) and int(ids.max()) >= len(labels):
        raise TimelineError(
            f"{where}: class id {int(ids.max())} is unknown, the label map has ids 0 to {len(labels) - 1};"
            " use the label map of this data set"
        )


def check_image(image: Image, where: str) -> None:
    """Raise TimelineError unless an array is a picture (H, W, 3) of uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise TimelineError(f"{where}: expected an image (H, W, 3) of uint8, got {image.shape} of {image.dtype}")


def occurring_ids(rows: Sequence[Row]) -> list[int]:
    """Class ids that occur in any row, in order."""
    return sorted({int(i) for _, segmentation in rows for i in segmentation.labels})
