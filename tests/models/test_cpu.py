"""What is computed in another way on a CPU, against PyTorch's convolution and the formula of attention."""

import pytest
import torch
from torch.nn import functional as F

from attention_in_pieces import in_pieces
from keyseg.models import cpu_attention, cpu_convolution, layers
from keyseg.models.attention import local_attention
from keyseg.models.backbone import AttentionBlock, BackboneConfig
from keyseg.models.cpu_convolution import ShiftedProducts
from keyseg.models.layers import Dropout, MaskedConv1d, by_formula

LENGTHS = [1, 2, 31, 200]


def doubles(*shapes, seed=0):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=random, dtype=torch.float64).requires_grad_() for shape in shapes]


def with_gradients(function, inputs):
    out = function(*inputs)
    return out, *torch.autograd.grad((out * torch.arange(out.numel()).view(out.shape).sin()).sum(), inputs)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 64])
@pytest.mark.parametrize("length", LENGTHS)
def test_shifted_products_are_the_convolution(length, dilation, kernel, monkeypatch):
    """And its gradients; also where the dilation reaches beyond the video, or a part of it."""
    monkeypatch.setattr(cpu_convolution, "_AT_ONCE", 30)
    inputs = doubles((2, 4, length), (3, 4, kernel), (3,))
    ours = with_gradients(lambda x, w, b: ShiftedProducts.apply(x, w, b, dilation), inputs)
    padding = dilation * (kernel // 2)
    theirs = with_gradients(lambda x, w, b: F.conv1d(x, w, b, padding=padding, dilation=dilation), inputs)
    torch.testing.assert_close(ours, theirs)


def test_no_gradient_of_the_features_is_computed_where_none_is_asked(monkeypatch):
    x, weight, bias = doubles((1, 4, 20), (3, 4, 3), (3,))
    out = ShiftedProducts.apply(x.detach(), weight, bias, 1)
    monkeypatch.setattr("keyseg.models.cpu_convolution._products", None)
    assert all(gradient is not None for gradient in torch.autograd.grad(out.sum(), (weight, bias)))


@pytest.mark.parametrize("convention", ["published", "banded"])
@pytest.mark.parametrize("window", [2, 3, 8, 27, 32, 40, 128])
@pytest.mark.parametrize("length", LENGTHS)
def test_attention_in_pieces_is_its_formula(monkeypatch, length, window, convention):
    """And its gradients, however many pieces are computed at once, with videos that end early."""
    inputs = doubles((2, 4, length), (2, 4, length), (2, 3, length))
    for mask in (None, torch.arange(length) < torch.tensor([length, max(1, length // 2)])[:, None]):
        rest = (mask, window, convention)
        expected = with_gradients(lambda *parts, rest=rest: local_attention(*parts, *rest), inputs)
        for scores in (1, 3 * 32 * 64, 2**17):
            monkeypatch.setattr(cpu_attention, "_SCORES", scores)
            ours = with_gradients(lambda *parts, rest=rest: in_pieces(*parts, *rest), inputs)
            torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dilation", [1, 4])
@pytest.mark.parametrize("cross", [True, False])
def test_a_layer_at_once_is_its_parts(cross, dilation, training):
    """And its gradients, those of the weights too, with an alpha of less than 1 and videos that end early."""
    torch.manual_seed(0)
    block = AttentionBlock(BackboneConfig(channels=8, layer_dropout=0), dilation, cross=cross).double().train(training)
    inputs = doubles((2, 8, 50), (2, 8, 50))
    for mask in (None, torch.arange(50) < torch.tensor([50, 20])[:, None]):

        def gradients(*given, mask=mask):
            out = block(*inputs, mask, 0.7)
            return out, *torch.autograd.grad((out * out.detach().cos()).sum(), given, allow_unused=True)

        given = [*inputs, *block.parameters()]
        with by_formula():
            expected = gradients(*given)
        torch.testing.assert_close(gradients(*given), expected)


def test_a_window_of_one_step_gives_its_value_and_no_gradient_of_scores():
    """Not even one of rounding, which Adam would turn into steps of full length."""
    query, key, value = (x.detach().float().requires_grad_() for x in doubles((1, 4, 50), (1, 4, 50), (1, 3, 50)))
    out = local_attention(query, key, value, None, 1)
    assert torch.equal(out, value)
    by_query, by_key, by_value = torch.autograd.grad(out.square().sum(), (query, key, value))
    assert not by_query.any()
    assert not by_key.any()
    assert torch.equal(by_value, 2 * value)


@pytest.mark.parametrize("convention", ["published", "banded"])
@pytest.mark.parametrize("window", [4, 64])
def test_a_training_follows_a_prediction(window, convention):
    """What a prediction leaves for the next call was made without a record for gradients."""
    cpu_attention._sight.cache_clear()
    x = doubles((1, 4, 100))[0]
    with torch.inference_mode():
        expected = in_pieces(x, x, x, None, window, convention)
    out, gradient = with_gradients(lambda y: in_pieces(y, y, y, None, window, convention), [x])
    torch.testing.assert_close(out.detach(), expected.clone())
    assert gradient.any()


def test_the_weights_of_a_video_are_never_held_at_once(monkeypatch):
    """The largest tensor that is made grows with the video's length only as its features do."""
    monkeypatch.setattr(cpu_attention, "_SCORES", 2**12)
    pieces = {length: cpu_attention._Pieces(length, 64, "published", masked=False) for length in (1_000, 100_000)}
    assert {p.at_once * p.size * p.keys for p in pieces.values()} == {64 * 128}


def test_other_devices_and_kinds_of_numbers_take_pytorch_s_own(monkeypatch):
    x = torch.zeros(1, 4, 8)
    assert layers.on_cpu(x)
    assert layers.on_cpu(x.double())
    assert not layers.on_cpu(x.bfloat16())
    assert not layers.on_cpu(x.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not layers.on_cpu(x)
        assert MaskedConv1d(4, 4, 3)(x, None).dtype == torch.bfloat16
    with by_formula():
        assert not layers.on_cpu(x)
    assert layers.on_cpu(x)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not layers.on_cpu(x)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    torch.manual_seed(0)
    x = torch.full((1, 10, 10_000), 3.0, requires_grad=True)
    out = Dropout(rate)(x)
    torch.testing.assert_close(out[out > 0], torch.full_like(out[out > 0], 3 / (1 - rate)))
    assert (out == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach() / 3)
    assert torch.equal(Dropout(rate).eval()(x), x)
