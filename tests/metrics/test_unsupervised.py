"""Clusters against classes: every possible matching as oracle, per video and over all videos."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.metrics.unsupervised import UNMATCHED, evaluate_clusters, match_clusters
from keyseg.timeline import DataError

IDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=30)


def best_accuracy(reference: np.ndarray, clusters: np.ndarray) -> int:
    """Most frames that are right, over all one-to-one matchings of 5 clusters to 4 classes or to none."""
    classes = [0, 1, 2, 3, -1]
    return max(int((np.array(order)[clusters] == reference).sum()) for order in permutations(classes))


@given(IDS)
def test_the_best_of_all_matchings_is_found(pairs):
    reference, clusters = map(np.array, zip(*pairs, strict=True))
    found = match_clusters([reference], [clusters])
    matched = [label for label in found.values() if label != UNMATCHED]
    assert len(matched) == len(set(matched))
    right = sum(found[cluster] == label for label, cluster in pairs)
    assert right == best_accuracy(reference, clusters)
    report = evaluate_clusters({"a": reference}, {"a": clusters}, per_video=True)
    assert report.acc == pytest.approx(100 * right / len(pairs))


REFERENCE = {"a": np.array([0, 0, 1, 1]), "b": np.array([1, 1, 0, 0])}
CLUSTERS = {"a": np.array([5, 5, 6, 6]), "b": np.array([5, 5, 6, 6])}


def test_each_video_has_its_own_matching_or_all_have_one():
    assert evaluate_clusters(REFERENCE, CLUSTERS, per_video=True).acc == 100
    assert evaluate_clusters(REFERENCE, CLUSTERS, per_video=False).acc == 50


def test_an_unmatched_cluster_is_wrong_and_remains_a_segment_of_its_own():
    reference = {"a": np.array([3, 3, 3, 3, 3, 3])}
    report = evaluate_clusters(reference, {"a": np.array([0, 0, 0, 1, 2, 2])}, per_video=True)
    assert report.acc == 50
    assert report.edit == pytest.approx(100 / 3)  # one segment is right of three
    assert report.f1[0.5] == 50  # it hits, the other two do not


def test_other_videos_or_lengths_are_refused():
    with pytest.raises(DataError, match="the same videos"):
        evaluate_clusters(REFERENCE, {"a": CLUSTERS["a"]}, per_video=True)
    with pytest.raises(DataError, match="the same numbers of frames"):
        evaluate_clusters(REFERENCE, CLUSTERS | {"a": np.array([5])}, per_video=False)
