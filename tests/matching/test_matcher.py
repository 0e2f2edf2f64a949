"""The matcher: planted matches, a batch against its singles, gradients with empty graphs, refusals."""

import pytest
import torch

from keyseg.matching.affinity import EXCLUDED
from keyseg.matching.graph import TemporalGraph
from keyseg.matching.matcher import GraphMatcher
from keyseg.timeline import ConfigError

BOTH = pytest.mark.parametrize("matching", ["linear", "quadratic"])


@BOTH
def test_planted_matches_are_recovered(planted, matching):
    problem = planted(4, 20, 15, noise=0.3)
    s = GraphMatcher(matching)(problem.source, problem.target).detach().exp()
    assert s.shape == (4, 35, 21)
    assert (s.argmax(2) == problem.truth).float().mean() > 0.97
    torch.testing.assert_close(s.sum(2), torch.ones(4, 35), atol=1e-5, rtol=0)
    assert s[..., :-1].sum(1).max() < 1.02


@BOTH
def test_pairs_of_different_kinds_never_match(planted, matching):
    problem = planted(2, 10, 5, noise=0.3)
    s = GraphMatcher(matching)(problem.source, problem.target).detach().exp()
    unlike = problem.source.kind[:, :, None] != problem.target.kind[:, None, :]
    assert (s[..., :-1][unlike] == 0).all()


@BOTH
def test_padding_never_changes_a_result(random_graph, matching):
    source_counts, target_counts = [9, 0, 4, 1, 6], [5, 3, 0, 1, 7]
    source, target = random_graph(source_counts, 11, seed=1), random_graph(target_counts, 8, seed=2)
    matcher = GraphMatcher(matching, neighbours=2)
    batch = matcher(source, target)
    for b, (m, n) in enumerate(zip(source_counts, target_counts, strict=True)):
        single = matcher(_part(source, b, m), _part(target, b, n))
        torch.testing.assert_close(batch[b, :m, :n].exp(), single[0, :, :n].exp(), atol=1e-6, rtol=0)
        torch.testing.assert_close(batch[b, :m, -1].exp(), single[0, :, -1].exp(), atol=1e-6, rtol=0)
        assert (batch[b, m:] == EXCLUDED).all()


def _part(graph, video, nodes):
    rows = slice(video, video + 1), slice(nodes)
    return TemporalGraph(graph.nodes[rows], graph.time[rows], graph.kind[rows], graph.mask[rows])


@BOTH
def test_gradients_are_finite_with_empty_graphs(random_graph, matching):
    source, target = random_graph([6, 0, 4, 0], 7, seed=1), random_graph([4, 3, 0, 0], 5, seed=2)
    source, target = (TemporalGraph(g.nodes.clone().requires_grad_(), g.time, g.kind, g.mask) for g in (source, target))
    matcher = GraphMatcher(matching)
    log_s = matcher(source, target)
    (log_s.exp() * torch.rand(log_s.shape)).sum().backward()
    assert log_s.isfinite().all()
    assert log_s[2, :4, -1].exp().tolist() == pytest.approx([1] * 4)  # without targets, everything goes to the dustbin
    for graph in (source, target):
        assert graph.nodes.grad.isfinite().all()
        assert (graph.nodes.grad[~graph.mask] == 0).all()
        assert (graph.nodes.grad[0] != 0).any()
    assert matcher.dustbin.grad.isfinite()


@BOTH
@pytest.mark.parametrize(("sources", "targets"), [(0, 3), (3, 0), (0, 0)])
def test_a_batch_without_nodes_on_one_side(random_graph, matching, sources, targets):
    source, target = random_graph([sources], sources), random_graph([targets], targets)
    s = GraphMatcher(matching)(source, target).exp()
    assert s.shape == (1, sources, targets + 1)
    torch.testing.assert_close(s.sum(2), torch.ones(1, sources))


@BOTH
def test_mixed_precision_does_not_reach_the_matching(planted, matching):
    problem = planted(2, 10, 5, noise=1.0)
    matcher = GraphMatcher(matching)
    plain = matcher(problem.source, problem.target)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = matcher(problem.source, problem.target)
    torch.testing.assert_close(mixed, plain, atol=0, rtol=0)


@BOTH
def test_when_the_video_starts_does_not_matter(planted, matching):
    problem = planted(2, 10, 5, noise=1.0)
    matcher = GraphMatcher(matching)
    plain = matcher(problem.source, problem.target).exp()
    later = matcher(*(TemporalGraph(g.nodes, g.time + 512, g.kind, g.mask) for g in problem[:2])).exp()
    torch.testing.assert_close(later, plain, atol=1e-3, rtol=0)


def test_time_matters_to_the_quadratic_matcher_alone(planted):
    problem = planted(1, 12, 0, noise=1.0)
    target = problem.target
    stretched = TemporalGraph(target.nodes, target.time.square(), target.kind, target.mask)
    change = {}
    for matching in ("linear", "quadratic"):
        matcher = GraphMatcher(matching)
        change[matching] = (matcher(problem.source, stretched) - matcher(problem.source, target)).abs().max().item()
    assert change["linear"] == 0
    assert change["quadratic"] > 0.1


def test_the_dustbin_is_the_only_parameter():
    assert [name for name, _ in GraphMatcher("quadratic").named_parameters()] == ["dustbin"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"matching": "quadratik"}, r"got 'quadratik' \(did you mean 'quadratic'\?\)"),
        ({"temperature": 0.0}, "temperature >= 0.01.*got 0.0, 50 and 4"),
        ({"iterations": 0}, "iterations >= 1.*got 0.1, 0 and 4"),
        ({"neighbours": 0}, "neighbours >= 1.*got 0.1, 50 and 0"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, words):
    with pytest.raises(ConfigError, match=words):
        GraphMatcher(**arguments)
