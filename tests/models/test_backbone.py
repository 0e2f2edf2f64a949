"""The backbone: batches and singles, every switch, parameters, gradients, short videos, linear cost."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from keyseg.models.backbone import Backbone, BackboneConfig

DIMENSION, CLASSES = 5, 3
SMALL = {"channels": 8, "encoder_layers": 4, "decoder_layers": 3, "decoders": 1}
SWITCHES = [
    {},
    {"positional_encoding": False},
    {"squeeze_excitation": False},
    {"average_pooling": 1},
    {"average_pooling": 5},
    {"decoders": 0},
    {"decoders": 2},
    {"window": "banded"},
    {"kernel_size": 3, "decoder_growth": 3},
    {"window": "banded", "decoder_growth": 3, "decoders": 2, "average_pooling": 1, "positional_encoding": False},
]


def small(**changes):
    torch.manual_seed(0)
    return Backbone(BackboneConfig(**SMALL | changes), DIMENSION, CLASSES).eval()


def count(module):
    return sum(p.numel() for p in module.parameters())


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_a_ragged_batch_gives_what_its_singles_give(ragged, changes):
    backbone = small(**changes)
    lengths = [37, 1, 2, 20]
    features, mask = ragged(lengths, DIMENSION, extra=6)
    with torch.no_grad():
        hidden, logits = backbone(features, mask)
        for b, length in enumerate(lengths):
            alone = backbone(features[b : b + 1, :, :length], everything(1, length))
            torch.testing.assert_close(hidden[b : b + 1, :, :length], alone[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(logits[:, b : b + 1, :, :length], alone[1], atol=1e-5, rtol=1e-5)
    assert hidden.shape == (4, 8, 43)
    assert logits.shape == (1 + len(backbone.decoders), 4, CLASSES, 43)
    assert (hidden.movedim(1, 2)[~mask] == 0).all()
    assert (logits.movedim(2, 3)[:, ~mask] == 0).all()


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
@pytest.mark.parametrize("length", [1, 2])
def test_the_shortest_videos_give_finite_numbers_and_gradients(changes, length):
    backbone = small(**changes)
    hidden, logits = backbone(torch.randn(1, DIMENSION, length), everything(1, length))
    (hidden.sum() + logits.square().sum()).backward()
    assert hidden.isfinite().all()
    assert logits.isfinite().all()
    assert all(p.grad.isfinite().all() for p in backbone.parameters())


def test_parameters_of_the_default_configuration():
    """128 input channels, 11 classes; counted layer by layer, to show what the sum consists of."""
    backbone = Backbone(BackboneConfig(), 128, 11)

    def conv(source, target, kernel=1):
        return source * target * kernel + target

    attention = 3 * conv(64, 32) + conv(32, 64)
    block = conv(64, 64, 5) + conv(64, 8) + conv(8, 64) + attention + conv(64, 64)
    encoder = conv(128, 64) + 10 * block + conv(64, 11)
    decoder = conv(11, 64) + 5 * block + conv(64, 11)
    assert count(backbone.encoder) == encoder
    assert count(backbone.decoders[0]) == decoder
    assert count(backbone) == encoder + decoder == 522_734


def test_dilation_and_window_grow_by_two_in_the_encoder_and_by_four_in_decoders():
    backbone = Backbone(BackboneConfig(), 4, 3)
    for blocks, growth, layers in ((backbone.encoder.blocks, 2, 10), (backbone.decoders[0].blocks, 4, 5)):
        assert [b.attention.window for b in blocks] == [growth**i for i in range(layers)]
        assert [b.feed_forward.dilation for b in blocks] == [(growth**i,) for i in range(layers)]
        assert {b.feed_forward.kernel_size for b in blocks} == {(5,)}


def test_squeeze_excitation_is_one_gate_per_block():
    gates = (8 * 1 + 1) + (1 * 8 + 8)
    assert count(small()) - count(small(squeeze_excitation=False)) == (4 + 3) * gates


@pytest.mark.parametrize(
    "switch", [{"positional_encoding": False}, {"average_pooling": 1}, {"window": "banded"}], ids=str
)
def test_switches_without_parameters_change_the_output_of_the_same_weights(switch):
    plain, other = small(), small(**switch)
    other.load_state_dict(plain.state_dict())
    features, mask = torch.randn(1, DIMENSION, 30), everything(1, 30)
    with torch.no_grad():
        assert (plain(features, mask)[0] - other(features, mask)[0]).abs().max() > 1e-3


def test_positional_encoding_distinguishes_equal_steps():
    """On a constant video, steps differ only in their position, and near the ends, which convolutions see."""
    features, mask, middle = torch.ones(1, DIMENSION, 300), everything(1, 300), slice(100, 200)
    with torch.no_grad():
        without = small(positional_encoding=False, window="banded")(features, mask)[1][..., middle]
        backbone = small(window="banded")
        result = backbone(features, mask)[1][..., middle]
        decoded = backbone.decoders[0](features[:, :CLASSES], torch.ones(1, 8, 300), mask, 1.0)[1][..., middle]
    assert without.std(3).max() < 1e-5
    assert decoded.std(2).max() < 1e-5  # a decoder adds no positional encoding
    assert result.std(3).min() > 1e-3


def test_pooling_smooths_features_and_leaves_logits_alone():
    pooled, plain = small(average_pooling=3), small(average_pooling=1)
    features, mask = torch.randn(1, DIMENSION, 30), everything(1, 30)
    with torch.no_grad():
        (smooth, logits), (rough, expected) = pooled(features, mask), plain(features, mask)
    assert torch.equal(logits, expected)
    torch.testing.assert_close(smooth[..., 1:-1], (rough[..., :-2] + rough[..., 1:-1] + rough[..., 2:]) / 3)


def test_gradients_reach_every_parameter():
    """Except for the queries and keys of a window of one step, where the softmax is constant."""
    backbone = small(decoders=2, channels=64)  # eight units per gate, so that no gate is closed by chance
    hidden, logits = backbone(torch.randn(2, DIMENSION, 40), everything(2, 40))
    (hidden.square().sum() + logits.square().sum()).backward()
    untouched = {name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.any()}
    first = [f"{stage}.blocks.0.attention" for stage in ("encoder", "decoders.0", "decoders.1")]
    expected = {f"{name}.{part}.{kind}" for name in first for part in ("query", "key") for kind in ("weight", "bias")}
    assert untouched == expected


def test_a_decoder_reads_probabilities_and_takes_values_from_the_stage_before():
    backbone = small(decoders=2, average_pooling=1)
    features, mask = torch.randn(1, DIMENSION, 20), everything(1, 20)
    with torch.no_grad():
        hidden, logits = backbone(features, mask)
        x, first = backbone.encoder(features, None, mask, 1.0)
        x, second = backbone.decoders[0](first.softmax(1), x, mask, 1.0)
        x, third = backbone.decoders[1](second.softmax(1), x, mask, math.exp(-3))
    torch.testing.assert_close(logits, torch.stack((first, second, third)))
    torch.testing.assert_close(hidden, x)


def test_training_drops_whole_input_channels():
    torch.manual_seed(0)
    backbone = small(input_dropout=0.5, layer_dropout=0.0).train()
    kept = []
    backbone.encoder.input.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    backbone(torch.ones(200, DIMENSION, 6), everything(200, 6))
    rows = kept[0].flatten(0, 1)
    assert set(rows.unique().tolist()) == {0.0, 2.0}
    assert (rows == rows[:, :1]).all()
    assert 0.4 < (rows > 0).float().mean() < 0.6


@pytest.mark.parametrize("window", ["published", "banded"])
def test_cost_is_linear_in_length(window):
    """Twice the steps need less than 2.2 times the operations, once the largest window (16 here) fits twice."""
    backbone = small(encoder_layers=5, window=window)
    operations = []
    for length in (32, 64, 128, 512):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            backbone(torch.randn(1, DIMENSION, length), everything(1, length))
        operations.append(counter.get_total_flops())
    assert 1.8 < operations[1] / operations[0] < 2.2
    assert 1.8 < operations[2] / operations[1] < 2.2
    assert operations[3] / operations[2] < 4.2


def test_no_tensor_of_the_gradient_is_quadratic_in_length():
    backbone = small()
    largest, whole = {}, {}
    for length in (256, 512):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, sizes=sizes: sizes.append(x.numel()) or x, lambda x: x):
            backbone(torch.randn(1, DIMENSION, length), everything(1, length))
        largest[length], whole[length] = max(sizes), sum(sizes)
        assert 0 < max(sizes) < length**2 / 4
    assert largest[512] <= 2.1 * largest[256]
    assert whole[512] <= 2.1 * whole[256]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kernel_size": 4}, "4 is even"),
        ({"average_pooling": 2}, "2 is even"),
        ({"channels": 7}, "multiple of 2"),
        ({"encoder_layers": 0}, "greater than or equal to 1"),
        ({"decoder_layers": 7, "decoder_growth": 8}, "would have the dilation 262144, above 32768"),
        ({"channels": 8, "value_reduction": 16}, "query_reduction and value_reduction are at most the 8 channels"),
        ({"window": "wide"}, "'published' or 'banded'"),
        ({"chanels": 8}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_sizes_out_of_range_are_refused(change, reason):
    with pytest.raises(ValidationError, match=reason):
        BackboneConfig(**change)


def test_the_smallest_network_works():
    backbone = small(channels=2, encoder_layers=1, decoder_layers=1)
    hidden, _ = backbone(torch.randn(1, DIMENSION, 4), everything(1, 4))
    assert hidden.shape == (1, 2, 4)
