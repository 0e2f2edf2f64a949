"""Segmental edit score: whether the actions are in the right order, regardless of their lengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from keyseg.metrics.overlay import IdLabels, Overlay, overlay_all
from keyseg.metrics.percent import percent
from keyseg.timeline import IntArray, Segmentation


def edit_score(
    reference: Sequence[IdLabels], prediction: Sequence[IdLabels], *, background: Iterable[int] = ()
) -> float:
    """Mean over videos of the edit similarity, in percent (Lea et al., ECCV 2016); 100 if there are no videos.

    reference, prediction: the videos in the same order, each a Segmentation or (T,) class ids. background: ids to leave
    out. Raises DataError if the numbers of videos or the lengths of a video differ.

    >>> edit_score([np.array([0, 1, 1, 1, 2])], [np.array([0, 1, 0, 1, 2])])
    60.0
    """
    ignored = np.fromiter(background, np.int64)
    scores = [edit_similarity(pair, ignored) for pair in overlay_all(reference, prediction)]
    return float(percent(sum(scores), 100 * len(scores)))


def edit_similarity(pair: Overlay, background: IntArray) -> float:
    """100 * (1 - Levenshtein distance / longer length) of the two sequences of segment labels of a video.

    Labels in `background` (ids) are left out. Without segments on one side it is 0, without any on both sides 100.
    """
    labels = _order(pair.prediction, background), _order(pair.reference, background)
    longest = max(len(labels[0]), len(labels[1]))
    return float(percent(longest - Levenshtein.distance(*labels), longest))


def _order(segmentation: Segmentation, background: IntArray) -> list[int]:
    """Labels of the segments in time order without background, so neighbours may have the same label."""
    ids: list[int] = segmentation.labels[~np.isin(segmentation.labels, background)].tolist()
    return ids
