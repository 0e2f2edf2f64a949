"""Scores of clusters against classes: each cluster is first matched to at most one class, as their frames fit best.

The common protocol of unsupervised action segmentation (Sener and Yao, CVPR 2018; Kukleva et al., CVPR 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from keyseg.metrics.evaluator import evaluate_labels
from keyseg.metrics.report import Report
from keyseg.timeline import DataError

UNMATCHED = -1
"""The class of a cluster that has none."""

Ids = npt.NDArray[np.integer]
"""One class or cluster per frame, (T,)."""


def match_clusters(reference: Sequence[Ids], clusters: Sequence[Ids]) -> dict[int, int]:
    """The class of each cluster, which no other one has, such that most frames are right; UNMATCHED for the others.

    reference, clusters: the videos in the same order, one id per frame. Raises DataError if their lengths differ.

    >>> match_clusters([np.array([4, 4, 4, 2])], [np.array([0, 0, 1, 7])]) == {0: 4, 1: -1, 7: 2}
    True
    """
    if [len(video) for video in reference] != [len(video) for video in clusters]:
        raise DataError("reference and clusters need the same videos with the same numbers of frames")
    known, row = np.unique(np.concatenate([np.zeros(0, np.int64), *clusters]), return_inverse=True)
    classes, column = np.unique(np.concatenate([np.zeros(0, np.int64), *reference]), return_inverse=True)
    shared = np.zeros((len(known), len(classes)), np.int64)
    np.add.at(shared, (row, column), 1)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    found = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return {int(name): int(classes[found[i]]) if i in found else UNMATCHED for i, name in enumerate(known)}


def evaluate_clusters(reference: Mapping[str, Ids], clusters: Mapping[str, Ids], *, per_video: bool) -> Report:
    """Scores of clusters, in percent: `acc` is the mean over frames (MoF), with all classes, background included.

    reference, clusters: by video, one id per frame. per_video: whether clusters of each video are matched for
    themselves; otherwise a cluster is one class in all videos. Frames of an unmatched cluster are wrong.

    >>> evaluate_clusters({"tea": np.array([4, 4, 2])}, {"tea": np.array([0, 0, 1])}, per_video=True).acc
    100.0
    """
    if set(reference) != set(clusters):
        raise DataError("reference and clusters need the same videos")
    groups = [[name] for name in reference] if per_video else [list(reference)]
    matched: dict[str, Ids] = {}
    for names in groups:
        classes = match_clusters([reference[name] for name in names], [clusters[name] for name in names])
        for name in names:
            ids, inverse = np.unique(clusters[name], return_inverse=True)
            # Unmatched clusters stay apart from each other, with ids that no class has.
            matched[name] = np.array([classes[i] if classes[i] >= 0 else -1 - i for i in ids.tolist()])[inverse]
    return evaluate_labels(*_names(reference, matched), background=())


def _names(*sides: Mapping[str, Ids]) -> list[dict[str, list[str]]]:
    """Ids as text, since those of unmatched clusters are below 0."""
    return [{name: [str(one) for one in ids.tolist()] for name, ids in videos.items()} for videos in sides]
