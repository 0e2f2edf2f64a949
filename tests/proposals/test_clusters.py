"""Clusters of segments: planted groups, their numbers, and many segments."""

from __future__ import annotations

import numpy as np
import pytest

from keyseg.proposals import clusters as module
from keyseg.proposals.clusters import cluster_segments, default_classes

PLANTED = np.random.default_rng(0).integers(0, 4, 60)
MEANS = (np.eye(4)[PLANTED] + 0.05 * np.random.default_rng(1).standard_normal((60, 4))).astype(np.float32)


def numbered(labels: np.ndarray) -> list[int]:
    """The same partition, numbered by first occurrence."""
    order = list(dict.fromkeys(labels.tolist()))
    return [order.index(label) for label in labels.tolist()]


@pytest.mark.parametrize("most", [5000, 30])
def test_planted_groups_are_found_and_numbered_by_first_occurrence(most, monkeypatch):
    monkeypatch.setattr(module, "MOST_LINKED", most)
    assert cluster_segments(MEANS, 4).tolist() == numbered(PLANTED)


@pytest.mark.parametrize(("segments", "classes", "found"), [(0, None, 0), (1, 5, 1), (3, 9, 3), (60, 1, 1)])
def test_there_are_no_more_clusters_than_segments_or_classes(segments, classes, found):
    assert len(set(cluster_segments(MEANS[:segments], classes).tolist())) == min(found, segments)


def test_without_a_number_it_grows_with_the_cube_root():
    assert [default_classes(count) for count in (1, 8, 1000)] == [2, 4, 20]
    assert len(set(cluster_segments(MEANS).tolist())) == default_classes(60)
