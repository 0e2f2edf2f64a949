"""Frame-wise losses: torch's cross-entropy, smoothing in loops, truncation, padding, single steps."""

import math

import pytest
import torch
from torch.nn import functional as F

from keyseg.criteria.frame import cross_entropy, frame_loss, mean_over_videos, smoothing

CLASSES = 4
LENGTHS = [9, 1, 5, 2]


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def random_logits(batch, length, scale=2.0, seed=0):
    return scale * torch.randn(batch, CLASSES, length, generator=torch.Generator().manual_seed(seed))


def random_labels(batch, length):
    return torch.randint(0, CLASSES, (batch, length), generator=torch.Generator().manual_seed(1))


def smoothing_in_loops(logits, limit):
    log_p = logits.log_softmax(0)
    changes = []
    for t in range(1, logits.shape[1]):
        for c in range(CLASSES):
            changes.append(min(float(log_p[c, t] - log_p[c, t - 1]) ** 2, limit))
    return sum(changes) / len(changes)


def test_cross_entropy_equals_torch_on_a_single_video():
    logits, labels = random_logits(1, 20), random_labels(1, 20)
    torch.testing.assert_close(cross_entropy(logits, labels, everything(1, 20)), F.cross_entropy(logits, labels))


def test_cross_entropy_by_hand():
    logits = torch.tensor([[[0.0, math.log(3)], [0.0, 0.0]]])  # class 0 has probability 1/2, then 3/4
    loss = cross_entropy(logits, torch.tensor([[0, 1]]), everything(1, 2))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2)


@pytest.mark.parametrize("limit", [16.0, 1.5])
@pytest.mark.parametrize("length", [2, 3, 17])
def test_smoothing_equals_the_loops(length, limit):
    logits = random_logits(1, length, scale=4.0)
    result = smoothing(logits, everything(1, length), limit)
    assert result.item() == pytest.approx(smoothing_in_loops(logits[0], limit), rel=1e-5)


def test_smoothing_is_truncated_at_a_change_of_four():
    """Each log-probability changes by 100 between two certain classes, and counts as a change of 4."""
    logits = torch.tensor([[[0.0, 100.0], [100.0, 0.0]]], requires_grad=True)
    loss = smoothing(logits, everything(1, 2))
    loss.backward()
    assert loss.item() == 16
    assert (logits.grad == 0).all()


def test_the_earlier_step_gets_no_gradient():
    logits = random_logits(1, 5).requires_grad_()
    smoothing(logits[..., :3], everything(1, 3)).backward()
    reached = logits.grad[0].abs().sum(0) > 0
    assert reached.tolist() == [False, True, True, False, False]


def test_one_step_has_nothing_to_smooth():
    logits = random_logits(2, 1).requires_grad_()
    loss = smoothing(logits, everything(2, 1))
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("garbage", [0.0, -1e4, 1e4])
def test_a_batch_is_the_mean_of_its_videos_and_padding_never_counts(garbage):
    mask = torch.arange(11) < torch.tensor(LENGTHS)[:, None]
    logits, labels = random_logits(4, 11), random_labels(4, 11)
    singles = [
        (cross_entropy(x[None, :, :n], y[None, :n], everything(1, n)), smoothing(x[None, :, :n], everything(1, n)))
        for x, y, n in zip(logits, labels, LENGTHS, strict=True)
    ]
    logits = logits.masked_fill(~mask[:, None], garbage).requires_grad_()
    labels = labels.masked_fill(~mask, -7)  # not a class
    result = cross_entropy(logits, labels, mask), smoothing(logits, mask)
    for loss, expected in zip(result, zip(*singles, strict=True), strict=True):
        torch.testing.assert_close(loss, torch.stack(expected).mean(), atol=1e-6, rtol=1e-5)
    sum(result).backward()
    assert (logits.grad.movedim(1, 2)[~mask] == 0).all()
    assert logits.grad.isfinite().all()


def test_an_empty_video_counts_as_a_loss_of_zero():
    mask = torch.tensor([[True, True], [False, False]])
    assert mean_over_videos(torch.tensor([[2.0, 4.0], [9.0, 9.0]]), mask).item() == 1.5


def test_stages_add_up_with_weighted_smoothing():
    stages, labels, mask = (
        torch.stack([random_logits(2, 6, seed=s) for s in range(3)]),
        random_labels(2, 6),
        everything(2, 6),
    )
    expected = sum(cross_entropy(x, labels, mask) + 0.15 * smoothing(x, mask) for x in stages)
    torch.testing.assert_close(frame_loss(stages, labels, mask, 0.15), expected)
    without = sum(cross_entropy(x, labels, mask) for x in stages)
    torch.testing.assert_close(frame_loss(stages, labels, mask, 0.0), without)
