"""The permutation loss: pygmtools as an oracle, by hand, the misprint of equation (1), safe gradients, padding."""

import math

import pytest
import torch

from keyseg.criteria.permutation import permutation_loss
from keyseg.matching.affinity import EXCLUDED
from keyseg.matching.sinkhorn import log_sinkhorn


def full(*shape):
    return torch.ones(*shape, dtype=torch.bool)


def as_printed(log_s, truth):
    """Equation (1) of the supplement as it is printed."""
    return -(truth * log_s + (1 - truth) * (1 - log_s)).sum()


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
def test_equals_pygmtools_on_ragged_squares():
    pygmtools = pytest.importorskip("pygmtools")
    generator = torch.Generator().manual_seed(0)
    counts = torch.tensor([5, 3])
    s = torch.rand(2, 5, 5, generator=generator).softmax(2)
    truth = torch.stack([torch.eye(5)[torch.randperm(5, generator=generator)], torch.eye(5)])
    expected = pygmtools.utils.permutation_loss(s, truth, n1=counts, n2=counts, backend="pytorch")
    mask = torch.arange(5) < counts[:, None]
    nothing_unmatched = torch.full((2, 5, 1), EXCLUDED), torch.zeros(2, 5, 1)
    log_s, truth = torch.cat((s.log(), nothing_unmatched[0]), 2), torch.cat((truth, nothing_unmatched[1]), 2)
    torch.testing.assert_close(permutation_loss(log_s, truth, mask, mask), expected, atol=1e-5, rtol=1e-5)


def test_by_hand_with_a_dustbin():
    s = torch.tensor([[[0.5, 0.2, 0.3], [0.1, 0.1, 0.8]]])
    truth = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    terms = [0.5, 0.8, 0.7, 0.9, 0.9, 0.8]
    expected = -sum(math.log(p) for p in terms) / 2
    loss = permutation_loss(s.log(), truth, full(1, 2), full(1, 2))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_printed_form_is_unbounded_below_and_ours_is_not():
    truth = torch.tensor([[[1.0, 0.0, 0.0]]])
    printed, ours = [], []
    for wrong in (1e-2, 1e-8, 1e-30):
        log_s = torch.tensor([[[1 - 2 * wrong, wrong, wrong]]]).log()
        printed.append(as_printed(log_s, truth).item())
        ours.append(permutation_loss(log_s, truth, full(1, 1), full(1, 2)).item())
    assert printed[0] < -10
    assert printed[2] < printed[1] - 90  # decreases with log S without bound
    assert printed[1] < printed[0] - 20
    assert all(0 <= loss < 0.1 for loss in ours)
    assert ours[2] == pytest.approx(0, abs=1e-5)


def test_certain_and_right_costs_nothing_certain_and_wrong_costs_much():
    log_s = torch.tensor([[[0.0, EXCLUDED, EXCLUDED]]])
    right, wrong = torch.tensor([[[1.0, 0.0, 0.0]]]), torch.tensor([[[0.0, 0.0, 1.0]]])
    assert permutation_loss(log_s, right, full(1, 1), full(1, 2)).item() == pytest.approx(0, abs=1e-5)
    assert permutation_loss(log_s, wrong, full(1, 1), full(1, 2)).item() > 100


@pytest.mark.parametrize("log_p", [0.0, 1e-7, -1e-9, -1e-5, -math.log(2), -20.0, -1e3, EXCLUDED])
@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_gradients_are_finite_from_zero_to_one(log_p, truth):
    log_s = torch.tensor([[[log_p]]], requires_grad=True)
    loss = permutation_loss(log_s, torch.tensor([[[truth]]]), full(1, 1), full(1, 0))
    loss.backward()
    assert loss.isfinite()
    assert loss >= 0
    assert log_s.grad.isfinite().all()


def test_gradients_match_finite_differences():
    log_s = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).log_softmax(2)
    truth = torch.eye(4, dtype=torch.float64)[torch.tensor([[0, 2, 3], [1, 3, 0]])]
    source_mask, target_mask = torch.tensor([[True] * 3, [True, True, False]]), full(2, 3)
    assert torch.autograd.gradcheck(
        lambda x: permutation_loss(x, truth, source_mask, target_mask), (log_s.requires_grad_(),)
    )


def test_the_mean_is_over_valid_source_nodes_and_padding_never_changes_it():
    generator = torch.Generator().manual_seed(0)
    counts = [(4, 3), (0, 2), (2, 0), (1, 5)]
    log_s, truth = torch.randn(4, 6, 8, generator=generator), torch.ones(4, 6, 8)  # garbage in the padding
    source_mask, target_mask = torch.zeros(4, 6, dtype=torch.bool), torch.zeros(4, 7, dtype=torch.bool)
    total = 0.0
    for b, (m, n) in enumerate(counts):
        single = torch.randn(1, m, n + 1, generator=generator).log_softmax(2)
        match = torch.eye(n + 1)[torch.randint(0, n + 1, (1, m), generator=generator)]
        log_s[b, :m, :n], log_s[b, :m, -1] = single[0, :, :-1], single[0, :, -1]
        truth[b, :m, :n], truth[b, :m, -1] = match[0, :, :-1], match[0, :, -1]
        source_mask[b, :m], target_mask[b, :n] = True, True
        total += m * permutation_loss(single, match, full(1, m), full(1, n)).item()
    assert permutation_loss(log_s, truth, source_mask, target_mask).item() == pytest.approx(total / 7, rel=1e-5)


def test_no_source_node_gives_zero_with_a_gradient():
    log_s = torch.full((2, 3, 4), EXCLUDED, requires_grad=True)
    loss = permutation_loss(log_s, torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool), full(2, 3))
    loss.backward()
    assert loss == 0
    assert (log_s.grad == 0).all()


def test_minimising_it_recovers_a_planted_matching():
    truth = torch.eye(4)[torch.tensor([[2, 0, 3, 1, 3]])]  # two sources belong in the dustbin
    scores, dustbin = torch.zeros(1, 5, 3, requires_grad=True), torch.tensor(0.25, requires_grad=True)
    optimiser = torch.optim.Adam([scores, dustbin], lr=0.05)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        log_s = log_sinkhorn(scores, full(1, 5), full(1, 3), dustbin, iterations=20)
        loss = permutation_loss(log_s, truth, full(1, 5), full(1, 3))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
    assert torch.equal(log_s.argmax(2), truth.argmax(2))
