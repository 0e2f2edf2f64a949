"""Temporal graphs: neighbours by hand and by brute force, edge features by hand, invariance to when a video starts."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.matching.graph import (
    ACTION,
    BOUNDARY,
    TemporalGraph,
    gather_neighbours,
    temporal_edges,
    temporal_neighbours,
)
from keyseg.timeline import TimelineError


def masks(counts, nodes):
    return torch.arange(nodes) < torch.tensor(counts)[:, None]


def test_neighbours_by_hand():
    index, valid = temporal_neighbours(masks([3], 4), 2)
    assert [row[ok].tolist() for row, ok in zip(index[0], valid[0], strict=True)] == [[1, 2], [0, 2], [0, 1], []]
    assert index.dtype == torch.int64


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(0, 7), min_size=1, max_size=3), padding=st.integers(0, 2), k=st.integers(1, 5))
def test_neighbours_are_those_within_k_in_time_order(counts, padding, k):
    nodes = max(counts) + padding
    index, valid = temporal_neighbours(masks(counts, nodes), k)
    assert index.shape == valid.shape == (len(counts), nodes, 2 * k)
    for b, count in enumerate(counts):
        for i in range(nodes):
            expected = [j for j in range(count) if i < count and 0 < abs(i - j) <= k]
            assert index[b, i][valid[b, i]].tolist() == expected
            assert (index[b, i][~valid[b, i]] == i).all()


def test_every_edge_is_listed_in_both_directions(edge_list):
    index, valid = temporal_neighbours(masks([3, 0, 2], 5), 1)
    edges = set(map(tuple, edge_list(index, valid).T.tolist()))
    assert edges == {(0, 1), (1, 0), (1, 2), (2, 1), (10, 11), (11, 10)}


def test_gather_reads_each_videos_own_nodes():
    values = torch.arange(2 * 3 * 5).view(2, 3, 5)
    index, _ = temporal_neighbours(masks([3, 3], 3), 1)
    gathered = gather_neighbours(values, index)
    assert gathered.shape == (2, 3, 2, 5)
    assert gathered[1, 1, 0].tolist() == values[1, 0].tolist()
    assert gathered[1, 1, 1].tolist() == values[1, 2].tolist()


def test_edge_features_by_hand():
    graph = TemporalGraph(
        torch.tensor([[[2.0, 0.0], [3.0, 3.0]]]),
        torch.tensor([[4.0, 7.0]]),
        torch.tensor([[ACTION, BOUNDARY]]),
        masks([2], 2),
    )
    features = temporal_edges(graph, 1).features
    cosine = 1 / math.sqrt(2)
    assert features.shape == (1, 2, 2, 4)
    torch.testing.assert_close(features[0, 0, 1], torch.tensor([math.log(4), 0.0, 1.0, cosine]))
    torch.testing.assert_close(features[0, 1, 0], torch.tensor([-math.log(4), 1.0, 0.0, cosine]))
    assert (features[0, 0, 0] == 0).all()  # no node before the first
    assert (features[0, 1, 1] == 0).all()


def test_edge_features_do_not_depend_on_where_the_video_starts(random_graph):
    graph = random_graph([7, 5], 7)
    later = TemporalGraph(graph.nodes, graph.time + 1024, graph.kind, graph.mask)
    features, expected = temporal_edges(later, 2).features, temporal_edges(graph, 2).features
    torch.testing.assert_close(features, expected, atol=1e-3, rtol=0)


def test_edge_features_change_sign_when_time_is_reversed(random_graph):
    graph = random_graph([7], 7)
    mirrored = TemporalGraph(graph.nodes.flip(1), 100 - graph.time.flip(1), graph.kind.flip(1), graph.mask)
    forward, backward = temporal_edges(graph, 2).features, temporal_edges(mirrored, 2).features.flip((1, 2))
    torch.testing.assert_close(backward, forward * torch.tensor([-1.0, 1.0, 1.0, 1.0]), atol=1e-4, rtol=0)


def test_the_nodes_of_one_kind_keep_their_order(random_graph):
    graph = random_graph([6, 0, 3], 8)
    for kind in (ACTION, BOUNDARY):
        part, index = graph.of_kind(kind)
        for b in range(3):
            expected = [i for i in range(8) if graph.mask[b, i] and graph.kind[b, i] == kind]
            assert index[b][part.mask[b]].tolist() == expected
            assert torch.equal(part.nodes[b][part.mask[b]], graph.nodes[b, expected])
            assert torch.equal(part.time[b][part.mask[b]], graph.time[b, expected])
            assert (part.kind[b][part.mask[b]] == kind).all()
        assert part.mask.any(0).all()  # no more padding than the fullest video needs


def test_a_graph_without_nodes_has_none_of_a_kind(random_graph):
    for counts, nodes in (([0, 0], 3), ([0], 0)):
        part, index = random_graph(counts, nodes).of_kind(BOUNDARY)
        assert index.shape == part.mask.shape == (len(counts), 0)


def test_a_zero_embedding_gets_a_bounded_gradient(random_graph):
    graph = random_graph([4], 4)
    nodes = graph.nodes.clone()
    nodes[0, 1] = 0
    nodes.requires_grad_()
    temporal_edges(TemporalGraph(nodes, graph.time, graph.kind, graph.mask), 1).features.sum().backward()
    assert 0 < nodes.grad[0, 1].abs().max() < 1e4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": torch.zeros(2, 3)}, r"nodes have shape \(B, M, F\), got \(2, 3\)"),
        ({"time": torch.zeros(2, 4)}, r"graph time must have the shape of the nodes \(2, 3\), got \(2, 4\)"),
        ({"mask": torch.ones(2, 3)}, "mask is bool, got torch.float32"),
        ({"mask": torch.tensor([[True, False, True]] * 2)}, "before the padding, but this graph mask has a gap"),
        ({"time": torch.tensor([[1.0, 2.0, 0.0]] * 2)}, "a time runs backwards: sort the nodes first"),
    ],
)
def test_an_invalid_graph_is_refused(change, words):
    parts = {
        "nodes": torch.zeros(2, 3, 5),
        "time": torch.zeros(2, 3),
        "kind": torch.zeros(2, 3, dtype=torch.int64),
        "mask": torch.ones(2, 3, dtype=torch.bool),
    }
    with pytest.raises(TimelineError, match=words):
        TemporalGraph(**parts | change)


def test_no_neighbours_is_refused():
    with pytest.raises(TimelineError, match="at least one neighbour on each side, got k = 0"):
        temporal_neighbours(masks([3], 3), 0)
