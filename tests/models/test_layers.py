"""Masked layers: equal to torch's layers without a mask, and to the cut sequence with one."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from torch import nn

from keyseg.models.layers import (
    MaskedConv1d,
    OddSize,
    SqueezeExcitation,
    added,
    average_pool,
    instance_norm,
    masked_mean,
    positional_encoding,
)
from keyseg.models.ms_tcn import DualDilatedLayer
from keyseg.models.stages import DilatedResidualLayer
from keyseg.timeline import ConfigError

CHANNELS = 6


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def masked_layers():
    torch.manual_seed(3)
    wide, gate = MaskedConv1d(CHANNELS, 7, 5, dilation=2), SqueezeExcitation(CHANNELS, reduction=2)
    return {
        "instance_norm": instance_norm,
        "masked_conv": wide,
        "squeeze_excitation": gate,
        "average_pool": lambda x, mask: average_pool(x, mask, 5),
        "masked_mean": lambda x, mask: masked_mean(x, mask).expand_as(x) * mask[:, None],
    }


@pytest.mark.parametrize("name", masked_layers())
@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    extra=st.integers(0, 5),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_padded_batch_gives_what_the_cut_sequences_give(ragged, name, lengths, extra, seed):
    layer = masked_layers()[name]
    x, mask = ragged(lengths, CHANNELS, extra=extra, seed=seed)
    with torch.no_grad():
        batch = layer(x, mask)
        for b, length in enumerate(lengths):
            single = layer(x[b : b + 1, :, :length], everything(1, length))
            torch.testing.assert_close(batch[b : b + 1, :, :length], single, atol=1e-5, rtol=1e-5)
    if name != "squeeze_excitation":  # a gate alone leaves masking to the layer after it
        assert (batch.movedim(1, 2)[~mask] == 0).all()


@pytest.mark.parametrize(
    ("hidden", "x", "total", "in_place"),
    [
        (torch.float32, torch.float32, torch.float32, True),
        (torch.float32, torch.bfloat16, torch.float32, True),
        (torch.bfloat16, torch.float32, torch.float32, False),  # as in mixed precision
        (torch.float32, torch.float64, torch.float64, False),
    ],
)
def test_a_sum_is_made_in_place_where_it_fits(hidden, x, total, in_place):
    hidden, x = torch.full((2, 3), 256, dtype=hidden), torch.full((2, 3), 0.5, dtype=x)
    result = added(hidden, x)
    assert (result.dtype, result is hidden) == (total, in_place)
    assert torch.equal(result, torch.full((2, 3), 256.5, dtype=total))  # which bfloat16 rounds to 256


@pytest.mark.parametrize("make", [lambda: DilatedResidualLayer(6, 2, 0.0), lambda: DualDilatedLayer(6, 1, 2, 0.0)])
def test_residuals_keep_their_precision_in_mixed_precision(make):
    with torch.autocast("cpu", torch.bfloat16):
        assert make()(torch.randn(1, 6, 9), None).dtype == torch.float32


@pytest.mark.parametrize("length", [2, 3, 50])
def test_instance_norm_equals_torch_where_nothing_is_masked(length):
    x = 3 + 5 * torch.randn(2, CHANNELS, length, generator=torch.Generator().manual_seed(0))
    expected = nn.InstanceNorm1d(CHANNELS)(x)
    for mask in (everything(2, length), None):
        torch.testing.assert_close(instance_norm(x, mask), expected, atol=1e-5, rtol=1e-5)


def test_instance_norm_by_hand():
    x = torch.tensor([[[1.0, 3.0, 5.0, 99.0]]])
    mask = torch.tensor([[True, True, True, False]])
    deviation = math.sqrt(8 / 3)
    expected = torch.tensor([[[-2 / deviation, 0.0, 2 / deviation, 0.0]]])
    torch.testing.assert_close(instance_norm(x, mask, eps=0.0), expected)


def test_one_step_and_a_constant_are_normalised_to_zero_with_finite_gradients():
    for x in (torch.full((1, 2, 1), 7.0), torch.full((1, 2, 9), -4.0)):
        result = instance_norm(x.requires_grad_(), everything(1, x.shape[2]))
        result.square().sum().backward()
        assert (result == 0).all()
        assert x.grad.isfinite().all()


def test_the_mean_is_over_valid_steps_and_zero_without_any():
    x = torch.tensor([[[2.0, 4.0, 300.0]], [[7.0, 8.0, 9.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(x, mask).flatten().tolist() == [3.0, 0.0]


def test_convolution_equals_torch_and_keeps_the_length():
    torch.manual_seed(0)
    for kernel_size, dilation in ((1, 1), (3, 1), (5, 4), (3, 16)):
        ours = MaskedConv1d(CHANNELS, 4, kernel_size, dilation=dilation)
        theirs = nn.Conv1d(CHANNELS, 4, kernel_size, padding="same", dilation=dilation)
        theirs.load_state_dict(ours.state_dict())
        x = torch.randn(2, CHANNELS, 11)
        torch.testing.assert_close(ours(x, everything(2, 11)), theirs(x), atol=1e-6, rtol=1e-5)


def test_an_even_window_is_refused_with_the_reason():
    class Sizes(BaseModel):
        width: OddSize = 3

    reason = "must be odd to keep the length, and 4 is even"
    with pytest.raises(ConfigError, match=reason):
        MaskedConv1d(2, 2, 4)
    with pytest.raises(ConfigError, match=reason):
        average_pool(torch.zeros(1, 1, 9), everything(1, 9), 4)
    with pytest.raises(ValidationError, match=reason):
        Sizes(width=4)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Sizes(width=-1)
    assert Sizes(width=5).width == 5


def test_squeeze_excitation_by_hand():
    """Two channels of means 2 and -1; the gates are sigmoid(excite(relu(squeeze(means))))."""
    gate = SqueezeExcitation(2, reduction=2)
    weights = {
        "squeeze.weight": torch.tensor([[[1.0], [3.0]]]),
        "squeeze.bias": torch.tensor([1.5]),
        "excite.weight": torch.tensor([[[2.0]], [[-4.0]]]),
        "excite.bias": torch.tensor([0.25, 0.5]),
    }
    gate.load_state_dict(weights)
    x = torch.tensor([[[1.0, 3.0, 50.0], [-3.0, 1.0, 50.0]]])
    result = gate(x, torch.tensor([[True, True, False]]))[0, :, :2]
    squeezed = 2 - 3 + 1.5
    gates = [1 / (1 + math.exp(-(2 * squeezed + 0.25))), 1 / (1 + math.exp(4 * squeezed - 0.5))]
    torch.testing.assert_close(result, x[0, :, :2] * torch.tensor(gates)[:, None])


@pytest.mark.parametrize("channels", [2, 7, 8, 64])
def test_squeeze_excitation_keeps_at_least_one_unit(channels):
    gate = SqueezeExcitation(channels)
    assert gate.squeeze.out_channels == max(1, channels // 8)
    x = torch.randn(1, channels, 5)
    result = gate(x, everything(1, 5))
    ratio = result / x
    torch.testing.assert_close(ratio, ratio[..., :1].expand_as(ratio))
    assert ((ratio > 0) & (ratio < 1)).all()


def test_average_pool_divides_by_the_number_of_valid_steps():
    x = torch.tensor([[[1.0, 2.0, 6.0, 10.0, 1000.0, 1000.0]]])
    mask = torch.tensor([[True, True, True, True, False, False]])
    assert average_pool(x, mask, 3)[0, 0].tolist() == pytest.approx([1.5, 3.0, 6.0, 8.0, 0.0, 0.0], rel=1e-5)
    assert average_pool(x, mask, 7)[0, 0].tolist() == pytest.approx([4.75, 4.75, 4.75, 4.75, 0.0, 0.0], rel=1e-5)
    assert average_pool(x, mask, 1)[0, 0].tolist() == [1.0, 2.0, 6.0, 10.0, 0.0, 0.0]
    assert average_pool(x[..., :1], mask[:, :1], 5).item() == pytest.approx(1.0)


def test_positional_encoding_is_the_formula():
    result = positional_encoding(40, 8, torch.device("cpu"))
    assert result.shape == (1, 8, 40)
    for position in (0, 1, 13, 39):
        for pair in range(4):
            angle = position / 10_000 ** (2 * pair / 8)
            assert result[0, 2 * pair, position].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert result[0, 2 * pair + 1, position].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_positional_encoding_of_an_odd_number_of_channels():
    whole, cut = positional_encoding(9, 6, torch.device("cpu")), positional_encoding(9, 5, torch.device("cpu"))
    assert cut.shape == (1, 5, 9)
    torch.testing.assert_close(cut[:, :2], whole[:, :2])
    assert cut[0, 4, 3].item() == pytest.approx(math.sin(3 / 10_000 ** (4 / 5)), abs=1e-6)
