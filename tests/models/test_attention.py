"""Block-local attention against loops over queries and keys, under both window conventions; masks; linear memory.

Both ways to compute it are tested: at once, and in pieces as on CPUs.
"""

import math

import numpy as np
import pytest
import torch

from attention_in_pieces import in_pieces
from keyseg.models.attention import LocalAttention, local_attention
from keyseg.models.layers import by_formula

CONVENTIONS = ["published", "banded"]


@pytest.fixture(params=[local_attention, in_pieces])
def attend(request):
    return request.param


def oracle(query, key, value, mask, window, convention):
    """Loops over queries and keys: (C, T), (C, T), (V, T), (T,) -> (V, T).

    The keys of a block are its steps and window // 2 steps on each side. Published: the first 2 window - 1 are seen,
    and every missing, masked or unseen key stays in the denominator with 1e-6 of its weight, at score 0 if there is no
    step. Banded: the `window` keys from t - window // 2 on are seen, and nothing else counts.
    """
    query, key, value = (x.double().numpy() for x in (query, key, value))
    channels, length = query.shape
    out = np.zeros((value.shape[0], length))
    for t in range(length):
        if not mask[t]:
            continue
        first = t // window * window - window // 2
        total = 0.0
        for place in range(window + 2 * (window // 2)):
            s = first + place
            there = 0 <= s < length and bool(mask[s])
            if convention == "published":
                seen = place < 2 * window - 1
            else:
                seen = t - window // 2 <= s < t - window // 2 + window
            weight = math.exp(query[:, t] @ key[:, s] / math.sqrt(channels)) if there else 1.0
            if there and seen:
                out[:, t] += weight * value[:, s]
                total += weight
            elif convention == "published":
                total += 1e-6 * weight
        out[:, t] /= total
    return torch.from_numpy(out).float()


def random_inputs(batch, length, scale=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    query, key = (scale * torch.randn(batch, 3, length, generator=generator) for _ in range(2))
    return query, key, torch.randn(batch, 5, length, generator=generator)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("length", [1, 2, 7, 32, 67])
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 8, 64])
def test_equals_the_loops(attend, window, length, convention):
    query, key, value = random_inputs(1, length)
    mask = torch.ones(1, length, dtype=torch.bool)
    result = attend(query, key, value, mask, window, convention)
    expected = oracle(query[0], key[0], value[0], mask[0], window, convention)
    torch.testing.assert_close(result[0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("window", [1, 2, 3, 4, 8, 64])
def test_equals_the_loops_under_masks(attend, window, convention):
    """Ragged videos, an empty one and one with holes; values at masked steps are never read."""
    query, key, value = random_inputs(4, 21, seed=1)
    mask = torch.arange(21) < torch.tensor([21, 13, 0, 21])[:, None]
    mask[3, [2, 3, 4, 5, 11, 20]] = False
    expected = torch.stack([oracle(*row, window, convention) for row in zip(query, key, value, mask, strict=True)])
    query, key, value = (x.masked_fill(~mask[:, None], 50.0) for x in (query, key, value))
    result = attend(query, key, value, mask, window, convention)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)
    assert (result.movedim(1, 2)[~mask] == 0).all()


def test_the_last_of_an_even_window_leaks_into_the_denominator_alone(attend):
    """Four steps, window 2: the second block sees steps 1 to 3. The first sees 0 and 1; step 2 keeps 1e-6 of e^20."""
    query, key = torch.ones(1, 1, 4), torch.tensor([[[0.0, 0.0, 20.0, 0.0]]])
    value = torch.tensor([[[1.0, 3.0, 100.0, 5.0]]])
    result = attend(query, key, value, torch.ones(1, 4, dtype=torch.bool), 2)[0, 0]
    leak = 1e-6 * (1 + math.exp(20))  # the step before the first one, and step 2
    assert result[0].item() == pytest.approx((1 + 3) / (2 + leak), rel=1e-4)
    assert result[1] == result[0]
    assert result[2].item() == pytest.approx(100, rel=1e-4)


def test_a_band_follows_its_query_and_a_block_does_not(attend):
    """The gradient shows which values each query of one block of four can reach."""
    reach = {}
    for convention in CONVENTIONS:
        query, key, value = random_inputs(1, 16)
        value.requires_grad_()
        for t in (4, 7):
            value.grad = None
            out = attend(query, key, value, torch.ones(1, 16, dtype=torch.bool), 4, convention)
            out[0, :, t].sum().backward()
            reach[convention, t] = value.grad[0].abs().sum(0).nonzero().flatten().tolist()
    assert reach["banded", 4] == [2, 3, 4, 5]
    assert reach["banded", 7] == [5, 6, 7, 8]
    assert reach["published", 4] == reach["published", 7] == [2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_step_may_always_see_itself(attend, convention):
    """So every query has a key, for any window: with one large key score, its own value is returned."""
    for window in (1, 2, 3, 4, 7, 8):
        for t in range(20):
            key = torch.zeros(1, 1, 20)
            key[0, 0, t] = 60
            result = attend(
                torch.ones(1, 1, 20),
                key,
                torch.arange(20.0)[None, None],
                torch.ones(1, 20, dtype=torch.bool),
                window,
                convention,
            )
            assert result[0, 0, t].item() == pytest.approx(t, abs=1e-4)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_large_scores_and_lonely_steps_keep_gradients_finite(attend, convention):
    query, key, value = (x.requires_grad_() for x in random_inputs(2, 19, scale=60.0))
    mask = torch.zeros(2, 19, dtype=torch.bool)
    mask[0, 9] = True
    result = attend(query, key, value, mask, 8, convention)
    result.sum().backward()
    assert result.isfinite().all()
    torch.testing.assert_close(result[0, :, 9], value[0, :, 9].detach(), atol=1e-3, rtol=1e-3)
    assert all(x.grad.isfinite().all() for x in (query, key, value))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_gradients_match_finite_differences(attend, convention):
    inputs = [x[:, :2, :7].double().requires_grad_() for x in random_inputs(2, 7)]
    mask = torch.arange(7) < torch.tensor([7, 4])[:, None]
    assert torch.autograd.gradcheck(lambda q, k, v: attend(q, k, v, mask, 4, convention), inputs)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_memory_is_linear_in_length(attend, convention):
    """No tensor saved for the gradient has T x T elements, and twice the steps need twice the elements."""
    kept = {}
    for length in (256, 512):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, sizes=sizes: sizes.append(x.numel()) or x, lambda x: x):
            inputs = [x.requires_grad_() for x in random_inputs(1, length)]
            attend(*inputs, torch.ones(1, length, dtype=torch.bool), 16, convention).sum()
        assert 0 < max(sizes) < length**2 / 4
        kept[length] = sum(sizes)
    assert kept[512] < 2.1 * kept[256]


def test_the_layer_is_its_parts_and_masks_its_output():
    """Whichever way they are computed."""
    torch.manual_seed(0)
    layer = LocalAttention(6, 4, 7, 4, "banded", query_reduction=2, value_reduction=2)
    x, values = torch.randn(2, 6, 9), torch.randn(2, 4, 9)
    mask = torch.arange(9) < torch.tensor([9, 5])[:, None]
    assert layer.query.out_channels == layer.key.out_channels == 3
    assert layer.value.out_channels == 2
    result = layer(x, values, mask)
    with by_formula():
        torch.testing.assert_close(layer(x, values, mask), result, atol=1e-5, rtol=1e-5)
    query, key, value = layer.query(x), layer.key(x), layer.value(values)
    for b in range(2):
        attended = oracle(*(p[b].detach() for p in (query, key, value)), mask[b], 4, "banded")
        expected = layer.out(attended.clamp(min=0)[None])[0] * mask[b]
        torch.testing.assert_close(result[b], expected, atol=1e-5, rtol=1e-5)
    assert result.shape == (2, 7, 9)
