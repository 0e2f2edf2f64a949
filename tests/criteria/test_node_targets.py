"""Node targets: one video by hand, padding, and properties that hold for any proposals."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.criteria.rtk import make_reference, node_targets
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints, encode
from keyseg.matching.graph import ACTION, TemporalGraph
from keyseg.matching.nodes import annotated_keypoints, keypoint_nodes
from keyseg.timeline import Segmentation

CLASSES = 3
LABELS = np.repeat([1, 2, 1], 10)  # centres 4.5, 14.5, 24.5 and boundaries 10, 20
ACTIONS = ActionKeypoints.of([(3, 1, 0.9), (4, 1, 0.8), (10, 2, 0.5), (15, 2, 0.7), (16, 1, 0.6)])
BOUNDARIES = BoundaryKeypoints.of([(9, 0.9), (13, 0.3), (22, 0.5), (25, 0.4)])


def reference_of(*videos):
    length = max(len(v) for v in videos)
    labels, mask = torch.full((len(videos), length), -1), torch.zeros(len(videos), length, dtype=torch.bool)
    for row, present, video in zip(labels, mask, videos, strict=True):
        row[: len(video)], present[: len(video)] = torch.as_tensor(video), True
    return make_reference(labels, mask, CLASSES)


def annotated_graph(reference):
    nodes = keypoint_nodes([annotated_keypoints(s) for s in reference.segmentations])
    return TemporalGraph(torch.zeros(*nodes.time.shape, 1), nodes.time, nodes.kind, nodes.mask)


def targets_of(proposals, *videos):
    reference, nodes = reference_of(*videos), keypoint_nodes(proposals)
    return nodes, node_targets(proposals, nodes, annotated_graph(reference), reference)


def check_the_worked_example(truth, b, nodes, dustbin):
    """Nodes in order: actions at 3 and 4, boundary 9, action 10, boundary 13, actions 15 and 16, boundaries 22, 25.

    Annotated: centre 4.5, boundary 10, centre 14.5, boundary 20, centre 24.5.
    """
    matches = [
        dustbin,  # a duplicate: 4 is nearer to the centre
        0,
        1,
        dustbin,  # a duplicate: 15 is nearer
        dustbin,  # 3 steps off, outside the gate of 2
        2,
        dustbin,  # of class 1 in a segment of class 2
        3,  # on the gate
        dustbin,
    ]
    assert truth.assignment[b, :9].argmax(1).tolist() == matches
    assert truth.assignment[b, :9].sum(1).tolist() == [1] * 9
    assert truth.valid[b].tolist() == [1, 1, 1, 1, 1, 1, 0, 1, 0] + [0] * (nodes - 9)
    assert truth.label[b].tolist() == [1, 1, 0, 2, 0, 2, 2, 0, 0] + [0] * (nodes - 9)
    assert truth.shift[b].tolist() == [0, 0, 1, 0, -3, 0, 0, -2, 0] + [0] * (nodes - 9)


def test_by_hand():
    nodes, truth = targets_of([(ACTIONS, BOUNDARIES)], LABELS)
    assert nodes.time[0].tolist() == [3, 4, 9, 10, 13, 15, 16, 22, 25]
    assert truth.assignment.shape == (1, 9, 6)
    check_the_worked_example(truth, 0, nodes=9, dustbin=5)


def test_by_hand_beside_other_videos():
    """An empty set of keypoints, a longer one, and an annotation with more nodes."""
    many = ActionKeypoints.of([(t, 0, 0.5) for t in range(11)])
    proposals = [
        (ActionKeypoints.of([]), BoundaryKeypoints.of([])),
        (ACTIONS, BOUNDARIES),
        (many, BoundaryKeypoints.of([])),
    ]
    _, truth = targets_of(proposals, np.repeat([0, 1, 2, 0], 5), LABELS, np.zeros(11, np.int64))
    assert truth.assignment.shape == (3, 11, 8)
    check_the_worked_example(truth, 1, nodes=11, dustbin=7)
    assert (truth.assignment[0] == 0).all()
    assert (truth.assignment[1, 9:] == 0).all()
    assert truth.valid[2].tolist() == [1] * 11  # duplicates are valid, and one of them is matched
    assert truth.assignment[2].argmax(1).tolist() == [7] * 5 + [0] + [7] * 5


@settings(max_examples=40, deadline=None)
@given(data=st.data(), frames=st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_properties_of_any_proposals(data, frames):
    frames = np.repeat(frames, 4)
    times = st.integers(0, 2 * len(frames) - 2).map(lambda i: i / 2)
    actions = data.draw(
        st.lists(st.tuples(times, st.integers(0, 2), st.just(0.5)), max_size=10).map(ActionKeypoints.of)
    )
    boundaries = data.draw(st.lists(st.tuples(times, st.just(0.5)), max_size=8).map(BoundaryKeypoints.of))
    nodes, truth = targets_of([(actions, boundaries)], frames)
    graph = annotated_graph(reference_of(frames))
    matched = truth.assignment[0, :, :-1]
    assert (truth.assignment[0].sum(1) == 1).all()
    assert (matched.sum(0) <= 1).all()
    for node, column in matched.nonzero().tolist():
        assert nodes.kind[0, node] == graph.kind[0, column]
        assert truth.valid[0, node] == 1  # the gate of the matching is narrower
        if nodes.kind[0, node] == ACTION:
            assert nodes.label[0, node] == truth.label[0, node] == frames[int(graph.time[0, column])]
    moved = nodes.time[0] + truth.shift[0]
    for node in truth.shift[0].nonzero().flatten().tolist():
        assert moved[node].item() in Segmentation.from_frames(frames).boundaries[1:-1]


def test_the_annotation_matches_itself():
    reference = reference_of(LABELS, np.repeat([0, 2], 7))
    proposals = [annotated_keypoints(s) for s in reference.segmentations]
    nodes, truth = targets_of(proposals, LABELS, np.repeat([0, 2], 7))
    for b, count in enumerate(nodes.mask.sum(1).tolist()):
        assert torch.equal(truth.assignment[b, :count, :count], torch.eye(count))
    assert torch.equal(truth.valid.bool(), nodes.mask)
    assert (truth.shift == 0).all()
    assert torch.equal(truth.label, nodes.label)


def test_a_reference_is_each_video_encoded():
    videos = [LABELS, np.array([2]), np.repeat([0, 1, 0, 2], [1, 5, 3, 8])]
    reference = reference_of(*videos)
    assert reference.action.shape == (3, CLASSES, 30)
    assert reference.boundary.shape == (3, 30)
    for b, video in enumerate(videos):
        expected = encode(Segmentation.from_frames(video), CLASSES)
        assert reference.segmentations[b] == Segmentation.from_frames(video)
        assert np.array_equal(reference.action[b, :, : len(video)], expected.action)
        assert np.array_equal(reference.boundary[b, : len(video)], expected.boundary)
        assert (reference.action[b, :, len(video) :] == 0).all()
        assert (reference.boundary[b, len(video) :] == 0).all()
