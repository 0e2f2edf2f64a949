"""Affinities: cosine by hand, and Q x against the dense Q, built by definition and by pygmtools."""

import pytest
import torch
from torch.nn import functional as F

from keyseg.matching.affinity import EXCLUDED, apply_affinity, edge_affinity, node_affinity
from keyseg.matching.graph import TemporalGraph, temporal_edges

K = 2


def dense_by_definition(node, edge, source, target):
    """Q of equation (2) by four loops; pair (i, a) has row i * N + a."""
    sources, targets = node.shape
    q = torch.diag(node.flatten())
    for i in range(sources):
        for p in range(2 * K):
            for a in range(targets):
                for r in range(2 * K):
                    if source.valid[0, i, p] and target.valid[0, a, r]:
                        j, b = source.index[0, i, p], target.index[0, a, r]
                        q[i * targets + a, j * targets + b] += edge[i, p, a, r]
    return q


def parts(random_graph, sources=5, targets=3):
    source, target = random_graph([sources], sources + 2, seed=1), random_graph([targets], targets + 1, seed=2)
    node = node_affinity(source, target)
    source_edges, target_edges = temporal_edges(source, K), temporal_edges(target, K)
    return node, edge_affinity(source_edges, target_edges), source_edges, target_edges


def test_node_affinity_is_the_cosine_of_nodes_of_one_kind():
    mask = torch.ones(1, 2, dtype=torch.bool)
    time = torch.zeros(1, 2)
    source = TemporalGraph(torch.tensor([[[3.0, 4.0], [1.0, 0.0]]]), time, torch.tensor([[0, 1]]), mask)
    target = TemporalGraph(torch.tensor([[[2.0, 0.0], [0.0, 5.0]]]), time, torch.tensor([[0, 0]]), mask)
    expected = torch.tensor([[[0.6, 0.8], [EXCLUDED, EXCLUDED]]])
    torch.testing.assert_close(node_affinity(source, target), expected)


def test_padding_is_excluded(random_graph):
    source, target = random_graph([3, 0], 4), random_graph([2, 3], 3, seed=1)
    score = node_affinity(source, target)
    real = source.mask[:, :, None] & target.mask[:, None, :]
    assert (score[~real] == EXCLUDED).all()
    assert (score[real & (score != EXCLUDED)].abs() <= 1 + 1e-6).all()


def test_edge_affinity_by_hand(random_graph):
    _, edge, source, target = parts(random_graph)
    i, p, a, r = 1, 2, 0, 3
    assert source.valid[0, i, p]
    assert target.valid[0, a, r]
    squared = (source.features[0, i, p] - target.features[0, a, r]).square().sum()
    torch.testing.assert_close(edge[0, i, p, a, r], torch.exp(-2 * squared) / (2 * K))
    assert edge.shape == (1, 7, 2 * K, 4, 2 * K)
    assert (edge[0, 0, 0] == 0).all()  # the first node has nothing before it
    assert (edge[0, 5:] == 0).all()  # padding


def test_an_edge_is_never_more_than_like_itself():
    """Distances are computed from products, whose rounding gives squares of -1e-5 here."""
    generator = torch.Generator().manual_seed(0)
    time = (3000 * torch.rand(1, 200, generator=generator)).cumsum(1)
    nodes, everything = torch.randn(1, 200, 16, generator=generator), torch.ones(1, 200, dtype=torch.bool)
    edges = temporal_edges(TemporalGraph(nodes, time, torch.zeros(1, 200).long(), everything), 3)
    edge = edge_affinity(edges, edges)
    itself = edge.flatten(3).flatten(1, 2)[0].diagonal()[edges.valid.flatten()]
    assert edge.max() <= torch.tensor(1 / 6)
    torch.testing.assert_close(itself, torch.full_like(itself, 1 / 6), atol=1e-4, rtol=0)


def test_half_precision_embeddings_leave_time_exact(random_graph):
    graph = random_graph([9], 9)
    half = TemporalGraph(graph.nodes.bfloat16(), graph.time, graph.kind, graph.mask)
    full, coarse = temporal_edges(graph, K).features, temporal_edges(half, K).features
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse[..., :3], full[..., :3])


def test_apply_affinity_equals_the_dense_matrix(random_graph):
    node, edge, source, target = parts(random_graph)
    allowed = node > EXCLUDED / 2
    node, x = node.masked_fill(~allowed, 0), torch.rand(node.shape).masked_fill(~allowed, 0)
    q = dense_by_definition(node[0], edge[0], source, target)
    out = apply_affinity(x, node, edge, source.index, target.index)
    torch.testing.assert_close(out[0].flatten(), q @ x[0].flatten(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(q, q.T)  # an objective x^T Q x has a symmetric Q


def test_apply_affinity_equals_pygmtools(random_graph, edge_list):
    pygmtools = pytest.importorskip("pygmtools")
    source, target = random_graph([5], 5, seed=1), random_graph([3], 3, seed=2)
    source, target = (TemporalGraph(g.nodes, g.time, torch.zeros_like(g.kind), g.mask) for g in (source, target))
    one, two = temporal_edges(source, K), temporal_edges(target, K)
    # pygmtools writes edges as (from, to); ours go from a node to its neighbour, which edge_list reverses
    connections = [edge_list(e.index, e.valid).T.flip(1) for e in (one, two)]
    features = [e.features[e.valid] for e in (one, two)]
    q = pygmtools.utils.build_aff_mat(
        F.normalize(source.nodes[0], dim=-1),
        features[0],
        connections[0],
        F.normalize(target.nodes[0], dim=-1),
        features[1],
        connections[1],
        node_aff_fn=lambda a, b: a @ b.transpose(1, 2),
        edge_aff_fn=lambda a, b: torch.exp(-2 * torch.cdist(a, b).square()) / (2 * K),
        backend="pytorch",
    )
    x = torch.rand(1, 5, 3)
    out = apply_affinity(x, node_affinity(source, target), edge_affinity(one, two), one.index, two.index)
    columns_first = (q @ x[0].T.flatten()).view(3, 5).T
    torch.testing.assert_close(out[0], columns_first, atol=1e-5, rtol=1e-5)


def test_the_planted_permutation_scores_highest(planted):
    problem = planted(1, 6, 0, noise=0.1)
    one, two = temporal_edges(problem.source, K), temporal_edges(problem.target, K)
    node = node_affinity(problem.source, problem.target)
    node, edge = node.masked_fill(node < EXCLUDED / 2, 0), edge_affinity(one, two)

    def objective(order):
        x = torch.eye(6)[order][None]
        return (x * apply_affinity(x, node, edge, one.index, two.index)).sum()

    best = objective(problem.truth[0])
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(6, generator=generator) for _ in range(100)]
    others = [objective(order) for order in orders if not torch.equal(order, problem.truth[0])]
    assert len(others) > 90
    assert best > max(others)


def test_gradients_match_finite_differences(random_graph):
    source, target = random_graph([3], 4, seed=1, dtype=torch.float64), random_graph([2], 2, dtype=torch.float64)

    def support(first, second):
        a = TemporalGraph(first, source.time, source.kind, source.mask)
        b = TemporalGraph(second, target.time, target.kind, target.mask)
        one, two = temporal_edges(a, 1), temporal_edges(b, 1)
        node = node_affinity(a, b)
        x = node.sigmoid() * (node > EXCLUDED / 2)
        return apply_affinity(x, x, edge_affinity(one, two), one.index, two.index)

    first = source.nodes.masked_fill(~source.mask[..., None], 0.5).requires_grad_()
    assert torch.autograd.gradcheck(support, (first, target.nodes.clone().requires_grad_()))
