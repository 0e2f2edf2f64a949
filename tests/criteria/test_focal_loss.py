"""The focal loss on heatmaps: by hand, in loops, padding, videos without a positive, extreme logits."""

import math

import pytest
import torch

from keyseg.criteria.keypoint import focal_loss
from keyseg.keypoints import encode
from keyseg.timeline import Segmentation

LENGTHS = [9, 1, 5]


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def in_loops(logits, target):
    """Law & Deng 2018, equation (1), for one video: (R, T), (R, T) -> float."""
    total, positives = 0.0, 0
    for x, y in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-x))
        if y == 1:
            total -= (1 - p) ** 2 * math.log(p)
            positives += 1
        else:
            total -= (1 - y) ** 4 * p**2 * math.log(1 - p)
    return total / max(positives, 1)


def random_heatmaps(batch, length):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(batch, 2, length, generator=generator)
    target[target > 0.7] = 1.0
    return torch.randn(batch, 2, length, generator=generator), target


def test_by_hand():
    """Probability 0.8 at the keypoint, 0.3 halfway down its bump, and 0.5 far away."""
    logits = torch.tensor([[[0.8, 0.3, 0.5]]]).logit()
    target = torch.tensor([[[1.0, 0.5, 0.0]]])
    expected = -(0.2**2 * math.log(0.8) + 0.5**4 * 0.3**2 * math.log(0.7) + 0.5**2 * math.log(0.5))
    assert focal_loss(logits, target, everything(1, 3)).item() == pytest.approx(expected, rel=1e-5)


def test_it_is_divided_by_the_positives():
    logits, target = torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)
    target[0, 0, 1] = target[0, 1, 3] = 1
    each = 0.25 * math.log(2)
    assert focal_loss(logits, target, everything(1, 4)).item() == pytest.approx(8 * each / 2)
    assert focal_loss(logits, 0 * target, everything(1, 4)).item() == pytest.approx(8 * each)  # without positives, by 1


def test_equals_the_loops():
    logits, target = random_heatmaps(1, 30)
    assert (target == 1).sum() > 5
    expected = in_loops(logits[0], target[0])
    assert focal_loss(logits, target, everything(1, 30)).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("garbage", [0.3, 1.0])
def test_a_batch_is_the_mean_of_its_videos_and_padding_never_counts(garbage):
    """Not even padding with positives counts, which would reduce the weight of the other terms."""
    mask = torch.arange(12) < torch.tensor(LENGTHS)[:, None]
    logits, target = random_heatmaps(3, 12)
    expected = sum(in_loops(x[:, :n], y[:, :n]) for x, y, n in zip(logits, target, LENGTHS, strict=True)) / 3
    logits = logits.masked_fill(~mask[:, None], 40.0).requires_grad_()
    loss = focal_loss(logits, target.masked_fill(~mask[:, None], garbage), mask)
    loss.backward()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert (logits.grad.movedim(1, 2)[~mask] == 0).all()


def test_extreme_logits_keep_loss_and_gradients_finite():
    logits = torch.tensor([[[-200.0, 200.0, -200.0, 200.0]]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([[[1.0, 0.0, 0.0, 1.0]]]), everything(1, 4))
    loss.backward()
    assert loss.item() == pytest.approx((200 + 200) / 2)
    assert logits.grad[0, 0, 0] < 0 < logits.grad[0, 0, 1]
    assert logits.grad.isfinite().all()


def test_gradients_match_finite_differences():
    logits, target = random_heatmaps(2, 5)
    mask = torch.arange(5) < torch.tensor([5, 3])[:, None]
    assert torch.autograd.gradcheck(lambda x: focal_loss(x, target.double(), mask), logits.double().requires_grad_())


def test_it_is_lower_where_the_heatmap_is_right():
    target = torch.from_numpy(encode(Segmentation.from_frames([0] * 12 + [1] * 8), 2).action)[None]
    right, wrong = target.clamp(0.01, 0.99).logit(), target.flip(1).clamp(0.01, 0.99).logit()
    assert focal_loss(right, target, everything(1, 20)) < 0.2 * focal_loss(0 * right, target, everything(1, 20))
    assert focal_loss(wrong, target, everything(1, 20)) > focal_loss(0 * right, target, everything(1, 20))
