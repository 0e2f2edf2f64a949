"""Training segments with misleading features: what changes, what does not, and how often."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from keyseg.timeline import ConfigError, Segmentation
from keyseg.training.augmentation import mix_segments

TWO = [
    Segmentation(np.array([0, 7, 20, 26, 40]), np.array([0, 1, 2, 0])),
    Segmentation(np.array([0, 5, 30]), np.array([1, 0])),
]


LABELS = torch.zeros(2, 40, dtype=torch.int64)  # the second video is padded with zeros
MASK = torch.zeros(2, 40, dtype=torch.bool)
for video, segmentation in enumerate(TWO):
    LABELS[video, : segmentation.length] = torch.from_numpy(segmentation.to_frames())
    MASK[video, : segmentation.length] = True


def features() -> torch.Tensor:
    """Two videos of 3 channels, the second padded from step 30."""
    values = torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(0))
    values[1, :, 30:] = 0
    return values


def test_every_segment_is_blended_with_one_stretch_of_its_own_video_at_one_weight() -> None:
    before = features()
    torch.manual_seed(3)
    after = mix_segments(before, LABELS, MASK, 1.0)
    for video, segmentation in enumerate(TWO):
        x = before[video].double().numpy()
        for start, end in zip(segmentation.boundaries[:-1], segmentation.boundaries[1:], strict=True):
            errors = []
            for other in range(segmentation.length - (end - start) + 1):
                toward = (x[:, other : other + end - start] - x[:, start:end]).ravel()
                moved = (after[video, :, start:end].double().numpy() - x[:, start:end]).ravel()
                weight = 0.0 if not toward.any() else float(np.clip(toward @ moved / (toward @ toward), 0, 1))
                errors.append(np.abs(moved - weight * toward).max())
            assert min(errors) < 1e-5
    assert not torch.equal(after[0], before[0])
    assert torch.equal(after[1, :, 30:], before[1, :, 30:])  # padding
    assert torch.equal(before, features())  # the input is left as it was


def test_the_share_is_that_of_the_segments() -> None:
    labels = torch.tensor([0, 1]).repeat_interleave(5).repeat(1000)[None]
    before = torch.randn(1, 2, 10_000, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    changed = (mix_segments(before, labels, labels >= 0, 0.3) != before).any(1).reshape(2000, 5).any(1)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_a_seed_repeats_it_and_another_does_not() -> None:
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(mix_segments(features(), LABELS, MASK, 0.7))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_share_of_nothing_changes_nothing_and_draws_nothing() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    assert torch.equal(mix_segments(features(), LABELS, MASK, 0.0), features())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_video_of_one_segment_can_only_be_mixed_with_itself() -> None:
    one = torch.ones(1, 40, dtype=torch.int64)
    assert torch.allclose(mix_segments(features()[:1], one, one > 0, 1.0), features()[:1], atol=1e-6)


def test_a_share_that_is_not_chosen_yet_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"mixed_segments is 'fit', which a training replaces; give a share from 0 to 1"
    ):
        mix_segments(features(), LABELS, MASK, "fit")
