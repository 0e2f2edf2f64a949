"""Keypoints as padded nodes: time order, order within a kind, ties, padding, and keypoints of the annotation."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.graph import ACTION, BOUNDARY, TemporalGraph
from keyseg.matching.nodes import annotated_keypoints, keypoint_nodes
from keyseg.timeline import Segmentation

EMPTY = ActionKeypoints.of([]), BoundaryKeypoints.of([])
A = ActionKeypoints.of([(4, 7, 0.25), (9.5, 3, 0.5), (9.5, 5, 0.75)])
B = BoundaryKeypoints.of([(2, 0.125), (9.5, 1.0)])

confidences = st.integers(0, 8).map(lambda i: i / 8)
times = st.integers(0, 40).map(lambda i: i / 2)  # coarse, so that ties are common
videos = st.lists(
    st.tuples(
        st.lists(st.tuples(times, st.integers(0, 9), confidences), max_size=6).map(ActionKeypoints.of),
        st.lists(st.tuples(times, confidences), max_size=6).map(BoundaryKeypoints.of),
    ),
    max_size=4,
)


def rows(nodes, video):
    """(time, kind, label, confidence) of the valid nodes."""
    mask = nodes.mask[video]
    columns = (nodes.time, nodes.kind, nodes.label, nodes.confidence)
    return list(zip(*(column[video, mask].tolist() for column in columns), strict=True))


def test_by_hand():
    nodes = keypoint_nodes([EMPTY, (A, B), (A.select([0]), BoundaryKeypoints.of([]))])
    assert nodes.mask.tolist() == [[False] * 5, [True] * 5, [True] + [False] * 4]
    assert rows(nodes, 1) == [
        (2.0, BOUNDARY, 0, 0.125),
        (4.0, ACTION, 7, 0.25),
        (9.5, BOUNDARY, 0, 1.0),  # it opens the segment of the two actions at its time
        (9.5, ACTION, 3, 0.5),
        (9.5, ACTION, 5, 0.75),
    ]
    assert rows(nodes, 2) == [(4.0, ACTION, 7, 0.25)]
    assert (nodes.time.dtype, nodes.kind.dtype, nodes.label.dtype, nodes.confidence.dtype, nodes.mask.dtype) == (
        torch.float32,
        torch.int64,
        torch.int64,
        torch.float32,
        torch.bool,
    )


@settings(max_examples=60, deadline=None)
@given(videos)
def test_nothing_is_lost_and_each_kind_keeps_its_order(batch):
    nodes = keypoint_nodes(batch)
    assert nodes.time.shape == (len(batch), max((len(a) + len(b) for a, b in batch), default=0))
    for video, (actions, boundaries) in enumerate(batch):
        result = rows(nodes, video)
        assert [row[0] for row in result] == sorted(row[0] for row in result)
        of_actions = [(t, label, c) for t, kind, label, c in result if kind == ACTION]
        assert of_actions == list(
            zip(actions.time.tolist(), actions.label.tolist(), actions.confidence.tolist(), strict=True)
        )
        of_boundaries = [(t, label, c) for t, kind, label, c in result if kind == BOUNDARY]
        assert of_boundaries == [
            (t, 0, c) for t, c in zip(boundaries.time.tolist(), boundaries.confidence.tolist(), strict=True)
        ]
        assert nodes.mask[video].tolist() == sorted(nodes.mask[video].tolist(), reverse=True)


@settings(max_examples=30, deadline=None)
@given(videos)
def test_nodes_are_the_nodes_of_a_graph(batch):
    """`TemporalGraph` refuses nodes out of order and padding in between."""
    nodes = keypoint_nodes(batch)
    graph = TemporalGraph(torch.zeros(*nodes.time.shape, 2), nodes.time, nodes.kind, nodes.mask)
    assert graph.mask.sum() == sum(len(a) + len(b) for a, b in batch)


def test_empty_batches():
    for batch in ([], [EMPTY], [EMPTY, EMPTY]):
        nodes = keypoint_nodes(batch)
        for part in (nodes.time, nodes.kind, nodes.label, nodes.confidence, nodes.mask):
            assert part.shape == (len(batch), 0)


def test_the_annotation_gives_one_action_per_segment_and_one_boundary_between_two():
    """Segments [0, 4), [4, 5) and [5, 11): centres 1.5, 4 and 7.5."""
    actions, boundaries = annotated_keypoints(Segmentation(np.array([0, 4, 5, 11]), np.array([6, 2, 6])))
    assert actions.time.tolist() == [1.5, 4.0, 7.5]
    assert actions.label.tolist() == [6, 2, 6]
    assert actions.confidence.tolist() == [1.0, 1.0, 1.0]
    assert boundaries.time.tolist() == [4.0, 5.0]
    assert boundaries.confidence.tolist() == [1.0, 1.0]


def test_one_segment_has_no_boundary_and_an_empty_video_no_keypoints():
    actions, boundaries = annotated_keypoints(Segmentation.from_frames([3, 3, 3]))
    assert (actions.time.tolist(), actions.label.tolist(), len(boundaries)) == ([1.0], [3], 0)
    assert [len(points) for points in annotated_keypoints(Segmentation.from_frames([]))] == [0, 0]
