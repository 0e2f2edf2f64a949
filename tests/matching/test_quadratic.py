"""Quadratic scores: planted matches under noise and repeats, RRWM on the dense Q as an oracle, padding, gradients."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from keyseg.matching.affinity import EXCLUDED, apply_affinity, edge_affinity, node_affinity
from keyseg.matching.graph import TemporalGraph, temporal_edges
from keyseg.matching.quadratic import quadratic_scores


def dense(node, edge, source_index, target_index):
    """Q over all pairs, (MN, MN): its columns are Q times the unit vectors, without excluded pairs."""
    allowed = (node[0] > EXCLUDED / 2).flatten()
    likeness = ((1 + node) / 2).masked_fill(node < EXCLUDED / 2, 0)
    units = torch.eye(len(allowed)).unflatten(1, node.shape[1:])
    parts = (p.expand(len(units), *p.shape[1:]) for p in (likeness, edge, source_index, target_index))
    return apply_affinity(units, *parts).flatten(1).T * allowed * allowed[:, None]


def affinities(problem, k=4):
    one, two = temporal_edges(problem.source, k), temporal_edges(problem.target, k)
    return node_affinity(problem.source, problem.target), edge_affinity(one, two), one.index, two.index


def recovered(scores, truth):
    """Share of the planted pairs that a one-to-one decoding of the scores recovers.

    Targets are shuffled for decoding, which would otherwise break ties in favour of time order, the true order.
    """
    result = total = 0
    shuffled = torch.randperm(scores.shape[2], generator=torch.Generator().manual_seed(0))
    for video, order in zip(scores, truth, strict=True):
        row, column = linear_sum_assignment(-video[:, shuffled].numpy())
        result += int((order[row] == shuffled[column]).sum())
        total += int((order < scores.shape[2]).sum())
    return result / total


@pytest.mark.parametrize(
    ("case", "at_most", "at_least"),
    [
        ({"extra": 0, "noise": 2.0}, 0.95, 0.98),
        ({"extra": 20, "noise": 2.0}, 0.9, 0.93),
        ({"extra": 0, "noise": 0.5, "classes": 8}, 0.7, 0.98),
        ({"extra": 20, "noise": 0.5, "classes": 8}, 0.6, 0.95),
    ],
    ids=["noise", "noise and spurious nodes", "repeated classes", "repeated classes and spurious nodes"],
)
def test_neighbours_recover_what_nodes_alone_do_not(planted, case, at_most, at_least):
    problem = planted(8, 30, **case)
    node, *rest = affinities(problem)
    assert recovered(node, problem.truth) < at_most
    assert recovered(quadratic_scores(node, *rest), problem.truth) > at_least


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_rrwm_on_the_dense_matrix(planted, seed):
    pygmtools = pytest.importorskip("pygmtools")
    problem = planted(1, 8, 0, noise=1.0, seed=seed)
    node, *rest = affinities(problem, k=2)
    by_target = torch.arange(64).view(8, 8).T.flatten()  # pygmtools orders pairs by target
    q = dense(node, *rest)[by_target][:, by_target]
    x = pygmtools.rrwm(q, 8, 8, backend="pytorch").where(node[0] > EXCLUDED / 2, torch.tensor(-1.0))
    assert recovered(x[None], problem.truth) == 1
    assert recovered(quadratic_scores(node, *rest), problem.truth) == 1


@pytest.mark.parametrize("boundaries", [True, False], ids=["both kinds", "no target boundary"])
def test_equals_the_same_steps_on_the_dense_matrix(planted, boundaries):
    problem = planted(1, 6, 3, noise=1.0)
    target = problem.target
    target = TemporalGraph(target.nodes, target.time, target.kind * boundaries, target.mask)
    node, *rest = affinities(problem._replace(target=target), k=2)
    allowed = node[0] > EXCLUDED / 2
    q = dense(node, *rest)

    def reweighted(x):
        return (20 * x).masked_fill(~allowed, -torch.inf).softmax(1).nan_to_num()

    x = reweighted((1 + node[0]) / 2)
    for _ in range(3):
        x = (q @ x.flatten()).view(x.shape)
        x = 0.8 * x / x.sum(1).max() + 0.2 * reweighted(x / x.max())
    support = ((q - q.diag().diag()) @ x.flatten()).view(x.shape)
    torch.testing.assert_close(quadratic_scores(node, *rest)[0][allowed], (node[0] + support)[allowed])


def test_scores_keep_their_scale(planted):
    node, *rest = affinities(planted(4, 20, 10, noise=0.5))
    scores = quadratic_scores(node, *rest)
    allowed = node > EXCLUDED / 2
    assert (scores[~allowed] == EXCLUDED).all()
    support = (scores - node)[allowed]
    assert support.min() >= 0
    assert 0.3 < support.max() <= 1 + 1e-5


def test_without_edges_the_node_affinity_is_left(planted):
    problem = planted(1, 5, 2, noise=0.5)
    node, edge, *indices = affinities(problem)
    torch.testing.assert_close(quadratic_scores(node, torch.zeros_like(edge), *indices), node)


@pytest.mark.parametrize(("sources", "targets"), [(0, 3), (3, 0)])
def test_graphs_without_nodes_have_no_scores(random_graph, sources, targets):
    one, two = random_graph([sources] * 2, sources), random_graph([targets] * 2, targets)
    a, b = temporal_edges(one, 2), temporal_edges(two, 2)
    scores = quadratic_scores(node_affinity(one, two), edge_affinity(a, b), a.index, b.index)
    assert scores.shape == (2, sources, targets)


def test_no_allowed_pair_leaves_finite_gradients(random_graph):
    one, two = random_graph([3], 3), random_graph([2], 2)
    a, b = temporal_edges(one, 2), temporal_edges(two, 2)
    edge = edge_affinity(a, b).requires_grad_()
    node = torch.full((1, 3, 2), EXCLUDED, requires_grad=True)
    scores = quadratic_scores(node, edge, a.index, b.index)
    scores.sum().backward()
    assert (scores == EXCLUDED).all()
    assert (node.grad == 0).all()
    assert edge.grad.isfinite().all()
