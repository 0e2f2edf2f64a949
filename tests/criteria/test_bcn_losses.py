"""BCN's losses: the published formulas in loops, padding, the balance of the barrier loss, barrier targets."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from keyseg.criteria.bcn import BCNLossConfig, barrier_loss, barrier_target, cascade_losses
from keyseg.models.bcn import Cascade, class_confidence, stage_weights
from keyseg.timeline import Segment, Segmentation

CLASSES, STAGES = 4, 3
LENGTHS = [9, 1, 5, 2]


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def random_case(lengths, seed=0, garbage=0.0):
    """Cascade, probabilities of the fusion, stage weights and labels of a batch; masked values are garbage."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    logits = 2 * torch.randn(STAGES, *mask.shape, CLASSES, generator=generator).movedim(3, 2)
    fused = torch.randn(len(lengths), CLASSES, mask.shape[1], generator=generator).softmax(1).clamp(1e-4, 1 - 1e-4)
    labels = torch.randint(0, CLASSES, mask.shape, generator=generator).masked_fill(~mask, -100)
    weights = stage_weights(class_confidence(logits, labels, mask), mask, 0.4)
    logits = logits.masked_fill(~mask[:, None], garbage)
    fused = fused * mask[:, None]  # as the network returns it
    return Cascade(logits, torch.zeros(mask.shape), mask), fused, weights, labels


def smoothing_in_loops(logits, limit):
    log_p, changes = logits.log_softmax(0), []
    for t in range(1, logits.shape[1]):
        for c in range(CLASSES):
            changes.append(min(float(log_p[c, t] - log_p[c, t - 1]) ** 2, limit))
    return sum(changes) / len(changes) if changes else 0.0


def losses_in_loops(logits, fused, weights, labels, config):
    """One video: logits (stages, C, T), fused (C, T), weights (stages, T), labels (T,)."""
    steps = range(len(labels))
    cascade = 0.0
    for stage in range(STAGES):
        log_p = logits[stage].log_softmax(0)
        balance = sum(weights[0]) / sum(weights[stage])
        entropy = [-float(weights[stage, t] * log_p[labels[t], t]) for t in steps]
        cascade += float(balance) * sum(entropy) / len(steps)
        cascade += config.smoothing * smoothing_in_loops(logits[stage], config.limit)
    fusion = sum(-math.log(fused[labels[t], t]) for t in steps) / len(steps)
    return cascade, fusion + config.fusion_smoothing * smoothing_in_loops(fused, config.limit)


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=3),
    st.integers(0, 2**31 - 1),
    st.sampled_from([0.0, -1e4, 1e4]),
    st.sampled_from([8.0, 0.5]),
)
def test_losses_equal_the_loops_video_by_video(lengths, seed, garbage, limit):
    config = BCNLossConfig(smoothing=0.3, fusion_smoothing=0.7, limit=limit)
    cascade, fused, weights, labels = random_case(lengths, seed, garbage)
    result = cascade_losses(cascade, fused, weights, labels, config)
    expected = [
        losses_in_loops(cascade.logits[:, b, :, :n], fused[b, :, :n], weights[:, b, :n], labels[b, :n], config)
        for b, n in enumerate(lengths)
    ]
    assert list(result) == ["cascade", "fusion"]
    for loss, values in zip(result.values(), zip(*expected, strict=True), strict=True):
        assert loss.item() == pytest.approx(sum(values) / len(lengths), rel=1e-4)


@pytest.mark.parametrize("garbage", [0.0, -1e4, 1e4])
def test_a_batch_is_the_mean_of_its_videos_and_padding_never_counts(garbage):
    config = BCNLossConfig()
    cascade, fused, weights, labels = random_case(LENGTHS, garbage=garbage)
    singles = [
        cascade_losses(
            Cascade(cascade.logits[:, b : b + 1, :, :n], cascade.barrier[b : b + 1, :n], everything(1, n)),
            fused[b : b + 1, :, :n],
            weights[:, b : b + 1, :n],
            labels[b : b + 1, :n],
            config,
        )
        for b, n in enumerate(LENGTHS)
    ]
    logits = cascade.logits.clone().requires_grad_()
    fused.requires_grad_()
    result = cascade_losses(Cascade(logits, cascade.barrier, cascade.mask), fused, weights, labels, config)
    for name, loss in result.items():
        torch.testing.assert_close(loss, torch.stack([single[name] for single in singles]).mean())
    sum(result.values()).backward()
    for gradient in (fused.grad, *logits.grad):
        assert (gradient.movedim(1, 2)[~cascade.mask] == 0).all()
        assert gradient.isfinite().all()


def test_cascade_loss_by_hand():
    """The first stage is sure at one of two steps: the weights of the second are exp(-0.9) and exp(0.5)."""
    probabilities = torch.tensor([[[0.9, 0.5], [0.1, 0.5]], [[0.8, 0.4], [0.2, 0.6]]])
    cascade = Cascade(probabilities.log()[:, None], torch.zeros(1, 2), everything(1, 2))
    labels = torch.tensor([[0, 1]])
    weights = stage_weights(class_confidence(cascade.logits, labels, cascade.mask), cascade.mask, 0.8)
    config = BCNLossConfig(smoothing=0, fusion_smoothing=0)
    result = cascade_losses(cascade, torch.tensor([[[0.25, 0.5], [0.75, 0.5]]]), weights, labels, config)
    less, more = math.exp(-0.9), math.exp(0.5)
    first = -(math.log(0.9) + math.log(0.5)) / 2
    second = -(less * math.log(0.8) + more * math.log(0.6)) / 2 * 2 / (less + more)
    assert result["cascade"].item() == pytest.approx(first + second, rel=1e-5)
    assert result["fusion"].item() == pytest.approx(-(math.log(0.25) + math.log(0.5)) / 2, rel=1e-5)


def test_all_stages_count_the_same_over_a_video():
    """Multiplying all weights of a stage by ten changes nothing; multiplying some does."""
    cascade, fused, weights, labels = random_case([9])
    config = BCNLossConfig()
    expected = cascade_losses(cascade, fused, weights, labels, config)["cascade"]
    scale = torch.tensor([1.0, 10.0, 0.1])[:, None, None]
    torch.testing.assert_close(cascade_losses(cascade, fused, scale * weights, labels, config)["cascade"], expected)
    weights[1, 0, :4] *= 10
    assert (cascade_losses(cascade, fused, weights, labels, config)["cascade"] - expected).abs() > 1e-3


def test_smoothing_weights_are_those_of_the_config():
    case = random_case([9, 4])
    without = cascade_losses(*case, BCNLossConfig(smoothing=0, fusion_smoothing=0))
    once = cascade_losses(*case, BCNLossConfig(smoothing=1, fusion_smoothing=0))
    twice = cascade_losses(*case, BCNLossConfig(smoothing=2, fusion_smoothing=1))
    assert once["cascade"] > without["cascade"]
    torch.testing.assert_close(twice["cascade"] - once["cascade"], once["cascade"] - without["cascade"])
    assert torch.equal(once["fusion"], without["fusion"])
    assert twice["fusion"] > without["fusion"]
    with pytest.raises(ValidationError, match="greater than 0"):
        BCNLossConfig(limit=0)


def test_a_perfect_cascade_costs_little_and_a_wrong_one_much():
    labels = torch.tensor([[0, 0, 1, 1, 2, 3]])
    sure = 30.0 * torch.nn.functional.one_hot(labels, CLASSES).movedim(2, 1).float()
    config = BCNLossConfig(smoothing=0, fusion_smoothing=0)

    def losses(logits):
        cascade = Cascade(logits.expand(STAGES, -1, -1, -1), torch.zeros(1, 6), everything(1, 6))
        fused = logits.softmax(1).clamp(1e-4, 1 - 1e-4)
        return cascade_losses(cascade, fused, torch.ones(STAGES, 1, 6), labels, config)

    right, wrong = losses(sure), losses(-sure)
    assert right["cascade"] < 1e-3
    assert right["fusion"] < 1e-3
    assert wrong["cascade"].item() == pytest.approx(STAGES * (30 + math.log(3)), rel=1e-3)
    assert wrong["fusion"].item() == pytest.approx(-math.log(1e-4), rel=1e-3)


def loss_in_loops(barrier, target):
    """Half of the mean over barrier steps plus half of the mean over the others; a kind without steps counts 0."""
    on = [-math.log(b + 1e-5) for b, t in zip(barrier, target, strict=True) if t]
    off = [-math.log(1 - 0.999999 * b) for b, t in zip(barrier, target, strict=True) if not t]
    return sum(0.5 * sum(values) / len(values) for values in (on, off) if values)


@settings(max_examples=50)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=9), min_size=1, max_size=4), st.integers(0, 2**31 - 1))
def test_barrier_loss_equals_the_loops_video_by_video(targets, seed):
    mask = torch.arange(max(map(len, targets))) < torch.tensor([len(t) for t in targets])[:, None]
    barrier = torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed))
    target = torch.ones(mask.shape)
    target[mask] = torch.tensor([float(t) for row in targets for t in row])
    result = barrier_loss(barrier, target, mask)
    expected = [loss_in_loops(b[m].tolist(), t) for b, t, m in zip(barrier, targets, mask, strict=True)]
    assert result.item() == pytest.approx(sum(expected) / len(targets), rel=1e-4)


@pytest.mark.parametrize("positives", [1, 2, 50, 98, 99])
def test_barrier_steps_and_others_count_the_same_however_many_there_are(positives):
    target = (torch.arange(100) < positives).float()[None]
    barrier = torch.where(target > 0, 0.25, 0.5)
    loss = barrier_loss(barrier, target, everything(1, 100))
    assert loss.item() == pytest.approx(0.5 * math.log(4) + 0.5 * math.log(2), rel=1e-4)


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("barrier", [0.0, 1e-7, 0.5, 1.0])
@pytest.mark.parametrize("length", [1, 7])
def test_barriers_everywhere_and_nowhere_give_finite_losses_and_gradients(length, barrier, target):
    values = torch.full((1, length), barrier, requires_grad=True)
    loss = barrier_loss(values, torch.full((1, length), target), everything(1, length))
    loss.backward()
    assert -1e-5 <= loss < 20  # the published 1e-5 in the logarithm
    assert values.grad.isfinite().all()


def test_padding_never_changes_the_barrier_loss():
    barrier, target = torch.rand(1, 6), torch.tensor([[0.0, 1.0, 0.0, 0.0, 1.0, 0.0]])
    wide = torch.cat((barrier, torch.ones(1, 4)), 1).requires_grad_()
    result = barrier_loss(wide, torch.cat((target, torch.ones(1, 4)), 1), torch.arange(10)[None] < 6)
    torch.testing.assert_close(result, barrier_loss(barrier, target, everything(1, 6)))
    result.backward()
    assert (wide.grad[0, 6:] == 0).all()
    assert wide.grad[0, :6].all()


def target_slowly(segmentation, background, share):
    """Every step against every band, in exact fractions."""
    bands = []
    for segment in segmentation:
        start, end = segment.start_frame, min(segment.end_frame, segmentation.length - 1)
        half = max(Fraction(1), share * (end - start)) / 2
        if segment.label not in background:
            bands += [(start - half, start + half), (end - half, end + half)]
    result = []
    for step in range(segmentation.length):
        inside = [min(step + 1, high) - max(step, low) for low, high in bands]
        result.append(any(length > Fraction(1, 2) for length in inside))
    return np.float32(result)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(1, 70), st.integers(0, 2)), min_size=1, max_size=6),
    st.sampled_from(["0.05", "0.1", "0.125", "0.25", "0.5", "1"]),
    st.sets(st.integers(0, 2)),
)
def test_targets_are_the_steps_that_lie_in_a_band(parts, share, background):
    lengths, labels = zip(*parts, strict=True)
    segmentation = Segmentation(np.cumsum((0, *lengths)), np.array(labels))
    result = barrier_target(segmentation, background, float(share))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, target_slowly(segmentation, background, Fraction(share)))


def targets(frames, background=(), share=0.1):
    return np.flatnonzero(barrier_target(Segmentation.from_frames(frames), background, share)).tolist()


def test_targets_by_hand():
    """Actions of 40 steps have bands of 4, two steps on each side. The last action ends one step early: 3.9, at 119."""
    assert targets(np.repeat([0, 1, 2], 40)) == [0, 1, 38, 39, 40, 41, 78, 79, 80, 81, 117, 118, 119]
    assert targets(np.repeat([0, 1, 2], 40), {1}) == [0, 1, 38, 39, 40, 41, 78, 79, 80, 81, 117, 118, 119]
    assert targets(np.repeat([0, 1, 2], 40), {0, 2}) == [38, 39, 40, 41, 78, 79, 80, 81]
    assert targets(np.repeat([0, 1, 2], 40), {0, 1, 2}) == []


def test_a_longer_action_has_a_wider_band_than_its_neighbour():
    frames = np.repeat([0, 1], [100, 20])  # bands of 10 and of 1.9
    assert targets(frames) == [*range(5), *range(95, 105), 118, 119]
    assert targets(frames, {0}) == [99, 100, 118, 119]


def test_a_band_of_one_step_holds_no_step_by_more_than_half():
    """As in the published program, actions of up to 1 / share steps have no barrier; longer ones have."""
    assert targets(np.repeat([0, 1, 0], [10, 10, 10]), {0}) == []
    assert targets(np.repeat([0, 1, 0], [10, 11, 10]), {0}) == [9, 10, 20, 21]


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_the_shortest_videos_have_targets_of_their_length(share):
    assert barrier_target(Segmentation.from_frames([2]), (), share).tolist() == [0]
    assert barrier_target(Segmentation.from_frames([2, 1]), (), share).tolist() == [0, 0]
    assert barrier_target(Segmentation.from_segments([Segment(0, 1, 1), Segment(1, 2, 1)]), (), share).shape == (2,)
    assert barrier_target(Segmentation.from_frames(np.zeros(0, np.int64)), (), share).shape == (0,)
