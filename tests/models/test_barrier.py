"""Barriers: the generator, pooling against loops, averages and high barriers, peaks against SciPy's."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.signal import argrelmax

from keyseg.models.barrier import (
    BarrierGenerator,
    BarrierGeneratorConfig,
    PoolingConfig,
    barrier_peaks,
    barrier_pooling,
)

CHANNELS = 4
SMALL = {"channels": 8, "dilations": (1, 2)}


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def random_barrier(batch, length, seed=0):
    return torch.rand(batch, length, generator=torch.Generator().manual_seed(seed))


def pooled(x, barrier, width, alpha, mask=None):
    mask = everything(*barrier.shape) if mask is None else mask
    return barrier_pooling(x, barrier, mask, PoolingConfig(width=width, alpha=alpha))


def pooled_slowly(x, barrier, width, alpha):
    """The formula for one video, term by term: x (C, T), barrier (T,)."""
    length = len(barrier)
    result = np.zeros(x.shape)
    for step in range(length):
        total, weights = np.zeros(len(x)), 0.0
        for far in range(step - width // 2, step + width // 2 + 1):
            way = range(min(step, far), max(step, far) + 1) if far != step else []
            walls = sum(float(barrier[k]) if 0 <= k < length else 20.0 for k in way)
            weight = math.exp(-alpha * walls)
            value = x[:, far] if 0 <= far < length else np.zeros(len(x))
            total, weights = total + weight * value, weights + weight
        result[:, step] = total / (weights + math.exp(-10))
    return result


@settings(max_examples=60)
@given(
    length=st.integers(1, 14),
    width=st.integers(0, 12).map(lambda half: 2 * half + 1),
    alpha=st.sampled_from([0.05, 0.2, 1.0, 2.0]),
    height=st.sampled_from([0.0, 0.1, 1.0, 5.0]),
    seed=st.integers(0, 2**31 - 1),
)
def test_pooling_equals_the_formula_in_loops(length, width, alpha, height, seed):
    x, barrier = torch.randn(1, CHANNELS, length), height * random_barrier(1, length, seed)
    actual = pooled(x, barrier, width, alpha)
    expected = pooled_slowly(x[0].numpy(), barrier[0].numpy(), width, alpha)
    np.testing.assert_allclose(actual[0], expected, atol=1e-5)


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
    st.integers(0, 5),
    st.sampled_from([1, 3, 7, 99]),
    st.sampled_from([0.2, 2.0]),
)
def test_a_padded_batch_gives_what_its_singles_give(ragged, lengths, extra, width, alpha):
    x, mask = ragged(lengths, CHANNELS, extra=extra)
    barrier = random_barrier(*mask.shape).masked_fill(~mask, float("nan"))
    actual = pooled(x, barrier, width, alpha, mask)
    for b, length in enumerate(lengths):
        alone = pooled(x[b : b + 1, :, :length], barrier[b : b + 1, :length], width, alpha)
        torch.testing.assert_close(actual[b : b + 1, :, :length], alone, atol=1e-5, rtol=1e-5)
    assert (actual.movedim(1, 2)[~mask] == 0).all()


@pytest.mark.parametrize("width", [1, 3, 9, 99])
def test_without_barriers_pooling_is_the_average_of_the_valid_steps(width):
    """Beyond the ends the barrier is 20, so nothing is pooled from there."""
    x = torch.randn(1, CHANNELS, 20)
    actual = pooled(x, torch.zeros(1, 20), width, 1.0)
    for step in range(20):
        inside = x[0, :, max(0, step - width // 2) : step + width // 2 + 1]
        expected = inside.sum(1) / (inside.shape[1] + math.exp(-10))
        torch.testing.assert_close(actual[0, :, step], expected, atol=1e-5, rtol=0)


def test_a_small_alpha_lets_zeros_in_from_beyond_the_ends():
    """As in the published program, a step with a barrier of 20 still has weight exp(-20 * alpha)."""
    actual = pooled(torch.ones(1, 1, 3), torch.zeros(1, 3), 3, 0.1)
    beyond = math.exp(-2)
    expected = [2 / (2 + beyond), 1.0, 2 / (2 + beyond)]
    assert actual.flatten().tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("wall", [1, 7, 12, 18])
def test_a_huge_barrier_separates_its_two_sides(wall):
    x, barrier = torch.randn(1, CHANNELS, 20), torch.zeros(1, 20)
    barrier[0, wall] = 50.0
    actual = pooled(x, barrier, 99, 1.0)[0]
    left, right = x[0, :, :wall].mean(1, keepdim=True), x[0, :, wall + 1 :].mean(1, keepdim=True)
    torch.testing.assert_close(actual[:, :wall], left.expand(-1, wall), atol=1e-3, rtol=0)
    torch.testing.assert_close(actual[:, wall + 1 :], right.expand(-1, 19 - wall), atol=1e-3, rtol=0)
    torch.testing.assert_close(actual[:, wall], x[0, :, wall], atol=1e-3, rtol=0)  # hidden by its own barrier


def test_weights_by_hand():
    """Barriers 0, 1, 2 and alpha = log 2: each unit of barrier on the way halves the weight."""
    x, barrier = torch.tensor([[[16.0, 32.0, 64.0]]]), torch.tensor([[0.0, 1.0, 2.0]])
    actual = pooled(x, barrier, 5, math.log(2)).flatten().tolist()
    first = (16 + 32 / 2 + 64 / 8) / (1 + 1 / 2 + 1 / 8)
    second = (16 / 2 + 32 + 64 / 8) / (1 / 2 + 1 + 1 / 8)
    third = (16 / 8 + 32 / 8 + 64) / (1 / 8 + 1 / 8 + 1)
    assert actual == pytest.approx([first, second, third], rel=1e-4)


def test_pooling_commutes_with_time_reversal():
    x, barrier = torch.randn(2, CHANNELS, 17), random_barrier(2, 17)
    turned = pooled(x.flip(2), barrier.flip(1), 7, 0.5).flip(2)
    torch.testing.assert_close(turned, pooled(x, barrier, 7, 0.5), atol=1e-6, rtol=1e-5)


def test_pooling_is_an_average():
    """It is additive, and stays between the lowest and the highest value (0 beyond the ends)."""
    x, y, barrier = torch.randn(1, CHANNELS, 25), torch.randn(1, CHANNELS, 25), random_barrier(1, 25)
    one, other = pooled(x, barrier, 9, 0.3), pooled(y, barrier, 9, 0.3)
    torch.testing.assert_close(pooled(2 * x - 3 * y, barrier, 9, 0.3), 2 * one - 3 * other, atol=1e-5, rtol=1e-5)
    high, low = x.amax(2, keepdim=True).clamp_min(0), x.amin(2, keepdim=True).clamp_max(0)
    assert ((one <= high) & (one >= low)).all()


def test_gradients_reach_values_and_barriers():
    x = torch.randn(2, 2, 6, dtype=torch.float64, requires_grad=True)
    barrier = random_barrier(2, 6).double().requires_grad_()
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    pooling = PoolingConfig(width=5, alpha=0.7)
    assert torch.autograd.gradcheck(lambda *parts: barrier_pooling(*parts, mask, pooling), (x, barrier))
    barrier_pooling(x, barrier, mask, pooling).square().sum().backward()
    assert (barrier.grad[mask] != 0).all()
    assert (barrier.grad[~mask] == 0).all()
    assert (x.grad.movedim(1, 2)[~mask] == 0).all()


def test_memory_of_pooling_is_linear_in_length():
    whole = {}
    for length in (256, 512):
        x, barrier, sizes = torch.randn(1, CHANNELS, length, requires_grad=True), random_barrier(1, length), []
        with torch.autograd.graph.saved_tensors_hooks(lambda v, sizes=sizes: sizes.append(v.numel()) or v, lambda v: v):
            pooled(x, barrier.requires_grad_(), 9, 0.2)
        whole[length] = sum(sizes)
    assert 0 < whole[512] <= 2.1 * whole[256]


HEIGHTS = st.sampled_from([0.0, 0.1, 0.29, 0.3, 0.31, 0.5, 0.79, 0.8, 0.81, 1.0])


@settings(max_examples=200)
@given(st.lists(HEIGHTS, min_size=1, max_size=15), st.integers(0, 4))
def test_peaks_agree_with_scipy(heights, extra):
    """High barriers, and local maxima above 0.3 without ends and plateaus; padding changes nothing."""
    barrier = np.float32(heights)
    is_peak = np.zeros(len(barrier), bool)
    is_peak[argrelmax(barrier)] = True
    expected = np.where((barrier > 0.8) | (is_peak & (barrier > 0.3)), barrier, 0)
    padded = torch.cat((torch.from_numpy(barrier), torch.full((extra,), 0.9)))[None]
    actual = barrier_peaks(padded, torch.arange(len(barrier) + extra)[None] < len(barrier))
    assert np.array_equal(actual[0, : len(barrier)], expected)
    assert (actual[0, len(barrier) :] == 0).all()


def test_peaks_by_hand():
    rows = torch.tensor([[0.4, 0.5, 0.4, 0.9, 0.95, 0.2, 0.3, 0.2], [0.7, 0.6, 0.6, 0.6, 0.2, 0.7, 0.7, 0.1]])
    expected = torch.tensor([[0.0, 0.5, 0.0, 0.9, 0.95, 0.0, 0.0, 0.0], [0.0] * 8])
    assert torch.equal(barrier_peaks(rows, everything(2, 8)), expected)


def small(**changes):
    torch.manual_seed(0)
    return BarrierGenerator(BarrierGeneratorConfig(**SMALL | changes), CHANNELS).eval()


@settings(max_examples=25)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(0, 5), st.integers(0, 2**31 - 1))
def test_the_barriers_of_a_padded_batch_are_those_of_its_singles(ragged, lengths, extra, seed):
    generator = small()
    features, mask = ragged(lengths, CHANNELS, extra=extra, seed=seed)
    with torch.no_grad():
        actual = generator(features, mask)
        for b, length in enumerate(lengths):
            alone = generator(features[b : b + 1, :, :length], everything(1, length))
            torch.testing.assert_close(actual[b : b + 1, :length], alone, atol=1e-6, rtol=1e-5)
    assert ((actual > 0) & (actual < 1))[mask].all()
    assert (actual[~mask] == 0).all()


def test_a_barrier_by_hand():
    """One channel, no layers: the sigmoid of 0.01 (3 (2 x + 1) - 5)."""
    generator = BarrierGenerator(BarrierGeneratorConfig(channels=1, dilations=()), 1)
    values = {"input.weight": 2.0, "input.bias": 1.0, "out.weight": 3.0, "out.bias": -5.0}
    shapes = {name: value.shape for name, value in generator.state_dict().items()}
    generator.load_state_dict({name: torch.full(shapes[name], value) for name, value in values.items()})
    actual = generator(torch.tensor([[[0.0, 100.0, -50.0]]]), torch.tensor([[True, True, False]]))
    expected = [1 / (1 + math.exp(0.02)), 1 / (1 + math.exp(-5.98)), 0.0]
    assert actual.flatten().tolist() == pytest.approx(expected)


def test_barriers_are_in_single_precision_where_the_rest_is_in_half():
    """bfloat16 has no number between 0.9961 and 1: a high barrier would become 1, and its loss infinite."""
    generator = small()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        generator.out.bias.fill_(700.0)
        actual = generator(torch.randn(1, CHANNELS, 5), everything(1, 5))
    assert actual.dtype == torch.float32
    assert ((actual > 0.998) & (actual < 1)).all()


def test_the_generator_is_of_the_published_size():
    def conv(source, target, kernel=1):
        return source * target * kernel + target

    generator = BarrierGenerator(BarrierGeneratorConfig(), 2048)
    assert [layer.dilated.dilation for layer in generator.layers] == [(4,), (8,), (16,)]
    expected = conv(2048, 256) + 3 * (conv(256, 256, 3) + conv(256, 256)) + conv(256, 1)
    assert sum(p.numel() for p in generator.parameters()) == expected


@pytest.mark.parametrize("length", [1, 2, 40])
def test_gradients_of_the_generator_are_finite_and_reach_every_parameter(length):
    generator = small()
    generator(torch.randn(2, CHANNELS, length), everything(2, length)).log().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in generator.parameters())


@pytest.mark.parametrize(
    ("config", "change", "reason"),
    [
        (PoolingConfig, {"width": 4, "alpha": 1}, "must be odd to keep the length, and 4 is even"),
        (PoolingConfig, {"width": 3, "alpha": 0}, "greater than 0"),
        (PoolingConfig, {"width": 3, "alpha": float("inf")}, "less than or equal to"),
        (PoolingConfig, {"width": 3}, "Field required"),
        (BarrierGeneratorConfig, {"dilations": (4, 0)}, "greater than or equal to 1"),
        (BarrierGeneratorConfig, {"dropout": 1}, "less than 1"),
        (BarrierGeneratorConfig, {"chanels": 8}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(config, change, reason):
    with pytest.raises(ValidationError, match=reason):
        config(**change)
