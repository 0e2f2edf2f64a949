"""Sinkhorn with a dustbin: marginals, pygmtools as an oracle, a closed form, padding, gradients on ragged batches."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.matching.affinity import EXCLUDED
from keyseg.matching.sinkhorn import SMALLEST_TEMPERATURE, log_sinkhorn

DUSTBIN = torch.tensor(0.25)


def full(*shape):
    return torch.ones(*shape, dtype=torch.bool)


def cosines(*shape, seed=0, dtype=torch.float32):
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) - 1


def dustbins():
    return st.floats(-1, 1).map(torch.tensor)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(sources=st.integers(1, 13), targets=st.integers(1, 11), seed=st.integers(0, 999), dustbin=dustbins())
def test_rows_sum_to_one_and_columns_do_not_exceed_it(sources, targets, seed, dustbin):
    scores = cosines(2, sources, targets, seed=seed)
    s = log_sinkhorn(scores, full(2, sources), full(2, targets), dustbin, iterations=1000).exp()
    assert s.shape == (2, sources, targets + 1)
    torch.testing.assert_close(s.sum(2), torch.ones(2, sources), atol=1e-5, rtol=0)
    assert s[..., :-1].sum(1).max() <= 1 + 5e-3


def test_rows_are_exact_after_one_iteration_and_columns_after_fifty():
    scores, masks = cosines(1, 40, 17), (full(1, 40), full(1, 17))
    rough, settled = (log_sinkhorn(scores, *masks, DUSTBIN, iterations=n).exp() for n in (1, 50))
    for s in (rough, settled):
        torch.testing.assert_close(s.sum(2), torch.ones(1, 40), atol=1e-5, rtol=0)
    assert rough[..., :-1].sum(1).max() > 1.02
    assert settled[..., :-1].sum(1).max() <= 1 + 1e-3


def test_a_square_problem_without_dustbin_equals_pygmtools():
    """Its steps alternate rows and columns, rows first: 401 of them are our 200 iterations and the last row step."""
    pygmtools = pytest.importorskip("pygmtools")
    scores = cosines(3, 7, 7)
    expected = pygmtools.sinkhorn(scores, max_iter=401, tau=0.1, backend="pytorch")
    s = log_sinkhorn(scores, full(3, 7), full(3, 7), torch.tensor(-20.0), iterations=200).exp()
    torch.testing.assert_close(s[..., :-1], expected, atol=1e-4, rtol=0)
    assert s[..., -1].max() < 1e-6


def test_a_ragged_problem_with_dustbin_equals_pygmtools():
    """Its `unmatchrows` and `unmatchcols` are our dustbin column and slack row; it needs more columns than rows."""
    pygmtools = pytest.importorskip("pygmtools")
    scores, sources, targets = cosines(2, 5, 8), torch.tensor([5, 3]), torch.tensor([7, 8])
    expected = pygmtools.sinkhorn(
        scores.clone(),
        n1=sources.clone(),
        n2=targets.clone(),
        unmatch1=torch.full((2, 5), 0.25),
        unmatch2=torch.full((2, 8), 0.25),
        max_iter=401,
        tau=0.1,
        backend="pytorch",
    )
    masks = torch.arange(5) < sources[:, None], torch.arange(8) < targets[:, None]
    s = log_sinkhorn(scores, *masks, DUSTBIN, iterations=200).exp()
    torch.testing.assert_close(s[..., :-1], expected, atol=1e-4, rtol=0)
    assert s[0, :, -1].max() > 0.01  # the dustbin takes part


def test_equals_iterations_in_the_log_domain_down_to_the_smallest_temperature():
    scores, dustbin = cosines(2, 8, 6, dtype=torch.float64), DUSTBIN.double()
    scores[0, :, 2] = EXCLUDED
    for temperature in (0.1, SMALLEST_TEMPERATURE):
        table, unmatched = 2 * scores / temperature, dustbin / temperature  # scores of the quadratic method reach 2
        by_row = torch.cat((table, unmatched.expand(2, 8, 1)), 2)
        by_column = torch.cat((table, unmatched.expand(2, 1, 6)), 1)
        column = torch.zeros(2, 7, dtype=torch.float64)
        for _ in range(9):
            row = -torch.logsumexp(by_row + column[:, None], 2)
            column[:, :6] = -torch.logsumexp(by_column + torch.cat((row, torch.zeros(2, 1)), 1)[..., None], 1)
        expected = (by_row + column[:, None]).softmax(2)
        log_s = log_sinkhorn(2 * scores, full(2, 8), full(2, 6), dustbin, temperature=temperature, iterations=9)
        torch.testing.assert_close(log_s.exp(), expected, atol=1e-9, rtol=0)


def test_a_lone_pair_has_a_closed_form():
    for score in (-0.3, 0.5, 0.9):
        log_s = log_sinkhorn(torch.tensor([[[score]]]), full(1, 1), full(1, 1), DUSTBIN, iterations=500)
        p = log_s[0, 0, 0].exp().item()
        assert p / (1 - p) ** 2 == pytest.approx(math.exp((score - 2 * 0.25) / 0.1), rel=1e-3)


def test_planted_matches_are_found_and_the_rest_goes_to_the_dustbin():
    scores = torch.zeros(1, 5, 3)
    for source, target in [(4, 0), (0, 1), (2, 2)]:
        scores[0, source, target] = 1.0
    s = log_sinkhorn(scores, full(1, 5), full(1, 3), DUSTBIN)
    assert s.argmax(2)[0].tolist() == [1, 3, 2, 3, 0]
    assert s.amax(2).exp().min() > 0.9


def test_two_sources_share_one_target():
    scores = torch.ones(1, 2, 1)
    s = log_sinkhorn(scores, full(1, 2), full(1, 1), DUSTBIN).exp()
    assert s[0, :, 0].sum() <= 1 + 1e-3
    assert s[0, 0, 0] == pytest.approx(s[0, 1, 0].item(), abs=1e-6)


def test_excluded_pairs_get_nothing():
    scores = torch.tensor([[[0.9, EXCLUDED], [EXCLUDED, EXCLUDED]]])
    s = log_sinkhorn(scores, full(1, 2), full(1, 2), DUSTBIN).exp()
    assert s[0, 0, 1] == 0
    assert s[0, 1].tolist() == [0, 0, 1]


def test_a_lower_dustbin_score_takes_less():
    scores = cosines(1, 9, 6)
    low, high = (
        log_sinkhorn(scores, full(1, 9), full(1, 6), torch.tensor(z)).exp()[..., -1].sum() for z in (-0.2, 0.4)
    )
    assert low + 0.5 < high


def test_the_order_of_nodes_does_not_matter():
    scores = cosines(1, 6, 4)
    rows, columns = torch.tensor([3, 0, 5, 1, 2, 4]), torch.tensor([2, 0, 3, 1])
    plain = log_sinkhorn(scores, full(1, 6), full(1, 4), DUSTBIN)
    moved = log_sinkhorn(scores[:, rows][..., columns], full(1, 6), full(1, 4), DUSTBIN)
    torch.testing.assert_close(moved, plain[:, rows][..., torch.cat((columns, torch.tensor([4])))], atol=1e-4, rtol=0)


@pytest.mark.parametrize("fill", [0.0, 1e3, EXCLUDED])
def test_padding_never_changes_a_result(fill):
    counts = [(5, 4), (2, 4), (0, 3), (3, 0), (0, 0)]
    scores = torch.full((5, 5, 4), fill)
    source_mask, target_mask = torch.zeros(5, 5, dtype=torch.bool), torch.zeros(5, 4, dtype=torch.bool)
    for b, (m, n) in enumerate(counts):
        scores[b, :m, :n] = cosines(m, n, seed=b)
        source_mask[b, :m], target_mask[b, :n] = True, True
    batch = log_sinkhorn(scores, source_mask, target_mask, DUSTBIN)
    for b, (m, n) in enumerate(counts):
        single = log_sinkhorn(scores[b : b + 1, :m, :n], full(1, m), full(1, n), DUSTBIN)
        torch.testing.assert_close(batch[b, :m, :n], single[0, :, :n], atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(batch[b, :m, -1], single[0, :, -1], atol=1e-6, rtol=1e-6)
        assert (batch[b, m:] == EXCLUDED).all()
        assert (batch[b, :, n:-1] == EXCLUDED).all()


def test_gradients_are_finite_on_ragged_batches_and_zero_at_padding():
    scores = cosines(4, 5, 3)
    scores[0, 1] = EXCLUDED
    source_mask = torch.arange(5) < torch.tensor([5, 0, 2, 0])[:, None]
    target_mask = torch.arange(3) < torch.tensor([3, 3, 0, 0])[:, None]
    scores, dustbin = scores.requires_grad_(), DUSTBIN.clone().requires_grad_()
    out = log_sinkhorn(scores, source_mask, target_mask, dustbin)
    (out.exp() * cosines(4, 5, 4, seed=1)).sum().backward()
    assert out.isfinite().all()
    assert scores.grad.isfinite().all()
    assert dustbin.grad.isfinite()
    real = source_mask[:, :, None] & target_mask[:, None, :] & (scores > EXCLUDED / 2)
    assert (scores.grad[~real] == 0).all()
    assert (scores.grad[real] != 0).any()


def test_gradients_match_finite_differences():
    source_mask, target_mask = torch.tensor([[True] * 3, [True, True, False]]), full(2, 2)

    def normalise(scores, dustbin):
        return log_sinkhorn(scores, source_mask, target_mask, dustbin, iterations=7)

    inputs = cosines(2, 3, 2, dtype=torch.float64).requires_grad_(), DUSTBIN.double().requires_grad_()
    assert torch.autograd.gradcheck(normalise, inputs)


def test_half_precision_scores_are_normalised_in_single():
    s = log_sinkhorn(cosines(1, 6, 4).bfloat16(), full(1, 6), full(1, 4), DUSTBIN)
    assert s.dtype == torch.float32
    torch.testing.assert_close(s.exp().sum(2), torch.ones(1, 6), atol=1e-5, rtol=0)
