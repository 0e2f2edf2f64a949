"""Clusters of the segments of all videos, numbered by when they first occur."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import vq

from keyseg.proposals.runs import Runs
from keyseg.timeline import IntArray

MOST_LINKED = 5_000
"""Segments that are clustered; if there are more, evenly chosen ones are, and the others join the nearest cluster."""


def cluster_segments(means: Runs, classes: int | None = None) -> IntArray:
    """The cluster of each segment, (S,): 0, 1, ... in the order in which they first occur.

    Ward's clustering of the mean features, (S, D). classes: number of clusters at most; None: `default_classes`.

    >>> cluster_segments(np.array([[9.0], [0.0], [8.5], [4.0]], np.float32), 3)
    array([0, 1, 0, 2])
    """
    wanted = default_classes(len(means)) if classes is None else classes
    if len(means) < 2:
        return np.zeros(len(means), np.int64)
    chosen = means[np.linspace(0, len(means) - 1, min(len(means), MOST_LINKED)).round().astype(int)]
    groups = fcluster(linkage(chosen, "ward"), wanted, "maxclust")
    if len(chosen) < len(means):
        centres = np.stack([chosen[groups == group].mean(0) for group in np.unique(groups)])
        groups = vq(means, centres)[0]
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], np.int64)


def default_classes(segments: int) -> int:
    """How many clusters so many segments get if nobody says it: twice the cube root (Rice's rule for histograms).

    >>> default_classes(20), default_classes(600)
    (5, 17)
    """
    return max(1, round(2 * float(segments ** (1 / 3))))
