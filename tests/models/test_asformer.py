"""ASFormer and ASFormer + extra as networks; their backbone is tested in test_backbone.py."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.models.asformer import ASFormer, ASFormerConfig, ASFormerExtraConfig
from keyseg.models.backbone import BackboneConfig
from keyseg.models.layers import average_pool

DIMENSION, CLASSES = 5, 3
SMALL = {"channels": 8, "encoder_layers": 3, "decoder_layers": 3, "decoders": 2}
CONFIGS = [ASFormerConfig, ASFormerExtraConfig]


def small(config=ASFormerConfig, **changes):
    torch.manual_seed(0)
    return ASFormer(config(**SMALL | changes), DIMENSION, CLASSES).eval()


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("decoders", [0, 1, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 37])
def test_every_stage_classifies_every_step(length, decoders, config):
    output = small(config, decoders=decoders)(torch.randn(2, DIMENSION, length), everything(2, length))
    assert output.stages.shape == (1 + decoders, 2, CLASSES, length)
    assert output.stages.isfinite().all()
    torch.testing.assert_close(output.probabilities, output.stages[-1].softmax(1))
    assert output.mask.all()


@pytest.mark.parametrize("config", CONFIGS)
@settings(max_examples=20)
@given(st.lists(st.integers(1, 25), min_size=1, max_size=4), st.integers(0, 5), st.integers(0, 2**31 - 1))
def test_a_padded_batch_gives_what_its_singles_give(ragged, config, lengths, extra, seed):
    network = small(config)
    features, mask = ragged(lengths, DIMENSION, extra=extra, seed=seed)
    with torch.no_grad():
        result = network(features, mask)
        for b, length in enumerate(lengths):
            alone = network(features[b : b + 1, :, :length], everything(1, length))
            torch.testing.assert_close(result.stages[:, b : b + 1, :, :length], alone.stages, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(
                result.probabilities[b : b + 1, :, :length], alone.probabilities, atol=1e-5, rtol=1e-5
            )
    assert (result.stages.movedim(2, 3)[:, ~mask] == 0).all()
    assert (result.probabilities.movedim(1, 2)[~mask] == 0).all()


@pytest.mark.parametrize("config", CONFIGS)
@settings(max_examples=10)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(0, 3))
def test_training_gives_finite_numbers_and_gradients(ragged, config, lengths, extra):
    network = small(config).train()
    output = network(*ragged(lengths, DIMENSION, extra=extra))
    output.stages.square().sum().backward()
    assert output.stages.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_parameters_of_the_published_sizes():
    """2048 channels in, 19 classes, counted layer by layer; the paper's table says 1.13 million."""

    def conv(source, target, kernel=1):
        return source * target * kernel + target

    block = conv(64, 64, 3) + 3 * conv(64, 32) + conv(32, 64) + conv(64, 64)
    whole = conv(2048, 64) + 3 * conv(19, 64) + 4 * (10 * block + conv(64, 19))
    assert count(ASFormer(ASFormerConfig(), 2048, 19)) == whole == 1_134_476
    gate = conv(64, 8) + conv(8, 64)  # squeeze-and-excitation is the only extra module with weights
    assert count(ASFormer(ASFormerExtraConfig(), 2048, 19)) == whole + 4 * 10 * gate


def test_windows_and_dilations_double_in_every_stage():
    backbone = ASFormer(ASFormerConfig(), 4, 3).backbone
    assert len(backbone.decoders) == 3
    for stage in (backbone.encoder, *backbone.decoders):
        assert [b.attention.window for b in stage.blocks] == [2**i for i in range(10)]
        assert [b.feed_forward.dilation for b in stage.blocks] == [(2**i,) for i in range(10)]
        assert {b.feed_forward.kernel_size for b in stage.blocks} == {(3,)}


def test_the_published_network_has_none_of_the_extra_modules():
    plain, extra, ours = ASFormerConfig(), ASFormerExtraConfig(), BackboneConfig()
    switches = ("positional_encoding", "squeeze_excitation", "average_pooling")
    assert [getattr(plain, name) for name in switches] == [False, False, 1]
    assert [getattr(extra, name) for name in switches] == [True, True, 3]
    assert [getattr(ours, name) for name in switches] == [True, True, 3]
    assert (plain.channels, plain.input_dropout, plain.layer_dropout) == (64, 0.3, 0.5)
    assert (plain.query_reduction, plain.value_reduction) == (2, 2)
    shared = set(BackboneConfig.model_fields) - set(switches)
    assert {name: getattr(plain, name) for name in shared} == {name: getattr(extra, name) for name in shared}


@pytest.mark.parametrize(
    "switch", [{"positional_encoding": False}, {"squeeze_excitation": False}, {"average_pooling": 1}], ids=str
)
def test_each_extra_module_changes_the_result(switch):
    extra, other = small(ASFormerExtraConfig), small(ASFormerExtraConfig, **switch)
    other.load_state_dict(extra.state_dict(), strict="squeeze_excitation" not in switch)
    features, mask = torch.randn(1, DIMENSION, 30), everything(1, 30)
    with torch.no_grad():
        difference = (extra(features, mask).stages - other(features, mask).stages).abs().amax((1, 2, 3))
    assert difference[-1] > 1e-3
    assert (difference[:-1] > 0).all() == (switch != {"average_pooling": 1})  # pooling comes after the last stage


@pytest.mark.parametrize("config", CONFIGS)
def test_the_two_windows_differ(config):
    published, banded = small(config), small(config, window="banded")
    assert config().window == "published"
    banded.load_state_dict(published.state_dict())
    features, mask = torch.randn(1, DIMENSION, 30), everything(1, 30)
    with torch.no_grad():
        difference = published(features, mask).stages - banded(features, mask).stages
    assert difference.abs().amax((1, 2, 3)).min() > 1e-4


@pytest.mark.parametrize("decoders", [0, 2])
def test_with_pooling_the_last_stage_classifies_smoothed_features(decoders):
    extra, rough = small(ASFormerExtraConfig, decoders=decoders), small(ASFormerExtraConfig, decoders=decoders)
    features, mask = torch.randn(1, DIMENSION, 30), everything(1, 30)
    rough.backbone.smoothing = 1
    with torch.no_grad():
        stages = extra(features, mask).stages
        hidden, plain = rough.backbone(features, mask)
        last = (extra.backbone.decoders[-1] if decoders else extra.backbone.encoder).classify
        torch.testing.assert_close(stages[-1], last(average_pool(hidden, mask, 3)))
    torch.testing.assert_close(stages[:-1], plain[:-1])


def test_without_pooling_the_stages_are_those_of_the_backbone():
    network = small()
    features, mask = torch.randn(1, DIMENSION, 30), everything(1, 30)
    with torch.no_grad():
        assert torch.equal(network(features, mask).stages, network.backbone(features, mask)[1])


@pytest.mark.parametrize("config", CONFIGS)
def test_gradients_reach_every_parameter(config):
    """Except for the queries and keys of a window of one step, where the softmax is constant."""
    network = small(config, channels=64)  # eight units per gate, so that no gate is closed by chance
    network(torch.randn(2, DIMENSION, 40), everything(2, 40)).stages.square().sum().backward()
    untouched = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    first = [f"backbone.{stage}.blocks.0.attention" for stage in ("encoder", "decoders.0", "decoders.1")]
    expected = {f"{name}.{part}.{kind}" for name in first for part in ("query", "key") for kind in ("weight", "bias")}
    assert untouched == expected


@pytest.mark.parametrize("config", CONFIGS)
def test_the_last_stage_alone_reaches_every_convolution(config):
    """The decoded output trains all stages, except for classifiers that no later stage reads."""
    network = small(config, channels=64)
    network(torch.randn(2, DIMENSION, 40), everything(2, 40)).stages[-1].square().sum().backward()
    names = [n for n, _ in network.named_parameters() if n.endswith(("feed_forward.weight", "classify.weight"))]
    assert len(names) == 3 * 3 + 3
    assert all(network.get_parameter(name).grad.any() for name in names)
