"""MS-TCN++: stages, batches and singles, the published sizes, dilations and their reach, gradients, short videos."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from keyseg.models.ms_tcn import MSTCN, DualDilatedLayer, MSTCNConfig

DIMENSION, CLASSES = 5, 3
SMALL = {"channels": 8, "generator_layers": 4, "refinements": 2, "refinement_layers": 3}


def small(**changes):
    torch.manual_seed(0)
    return MSTCN(MSTCNConfig(**SMALL | changes), DIMENSION, CLASSES).eval()


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("refinements", [0, 1, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 37])
def test_every_stage_classifies_every_step(length, refinements):
    output = small(refinements=refinements)(torch.randn(2, DIMENSION, length), everything(2, length))
    assert output.stages.shape == (1 + refinements, 2, CLASSES, length)
    assert output.stages.isfinite().all()
    torch.testing.assert_close(output.probabilities, output.stages[-1].softmax(1))
    assert output.mask.all()


@settings(max_examples=25)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 5), st.integers(0, 2**31 - 1))
def test_a_padded_batch_gives_what_its_singles_give(ragged, lengths, extra, seed):
    network = small()
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


@settings(max_examples=10)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(0, 3))
def test_training_gives_finite_numbers_and_gradients(ragged, lengths, extra):
    network = small().train()
    output = network(*ragged(lengths, DIMENSION, extra=extra))
    output.stages.square().sum().backward()
    assert output.stages.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_parameters_of_the_published_sizes():
    """2048 input channels, 19 classes, counted layer by layer; the paper's table says 0.99 million."""
    network = MSTCN(MSTCNConfig(), 2048, 19)

    def conv(source, target, kernel=1):
        return source * target * kernel + target

    generator = conv(2048, 64) + 11 * (2 * conv(64, 64, 3) + conv(128, 64)) + conv(64, 19)
    refinement = conv(19, 64) + 10 * (conv(64, 64, 3) + conv(64, 64)) + conv(64, 19)
    assert count(network.generator) == generator
    assert [count(stage) for stage in network.refinements] == 3 * [refinement]
    assert count(network) == generator + 3 * refinement == 997_836


def test_one_dilation_of_the_generator_falls_while_the_other_grows():
    network = MSTCN(MSTCNConfig(), 4, 3)
    assert [layer.growing.dilation for layer in network.generator.layers] == [(2**i,) for i in range(11)]
    assert [layer.falling.dilation for layer in network.generator.layers] == [(2 ** (10 - i),) for i in range(11)]
    for stage in network.refinements:
        assert [layer.dilated.dilation for layer in stage.layers] == [(2**i,) for i in range(10)]


def test_a_dual_layer_by_hand():
    """One channel; the near convolution reads the neighbours at 1, the far one those at 2; they are subtracted."""
    layer = DualDilatedLayer(1, 2, 1, 0.0)
    weights = {
        "falling.weight": torch.tensor([[[1.0, 0.0, 1.0]]]),
        "falling.bias": torch.tensor([0.5]),
        "growing.weight": torch.tensor([[[1.0, 0.0, 1.0]]]),
        "growing.bias": torch.tensor([0.0]),
        "fuse.weight": torch.tensor([[[1.0], [-1.0]]]),
        "fuse.bias": torch.tensor([0.0]),
    }
    layer.load_state_dict(weights)
    x = torch.tensor([[[1.0, 2.0, 4.0, 8.0, 99.0]]])
    mask = torch.tensor([[True, True, True, True, False]])
    far, near = [4.5, 8.5, 1.5, 2.5], [2.0, 5.0, 10.0, 4.0]
    expected = [a + max(0.0, f - n) for a, f, n in zip([1.0, 2.0, 4.0, 8.0], far, near, strict=True)]
    assert layer(x, mask).flatten().tolist() == pytest.approx([*expected, 0.0])


def test_no_stage_sees_farther_than_its_dilations():
    """One step is changed; the largest dilations are 8, 4, 4, 8 in the generator and 1, 2, 4 in a refinement."""
    network = small()
    features, mask = torch.randn(1, DIMENSION, 121), everything(1, 121)
    other = features.clone()
    other[:, :, 60] += 3
    with torch.no_grad():
        changed = (network(features, mask).stages - network(other, mask).stages).abs().amax((1, 2))
    for stage, reach in enumerate((24, 24 + 7, 24 + 2 * 7)):
        steps = changed[stage].nonzero().flatten()
        assert 60 - reach <= steps.min() < 60 < steps.max() <= 60 + reach
    assert changed[0, 60 - 24] > 0
    assert changed[0, 60 + 24] > 0


def test_a_refinement_reads_the_probabilities_of_the_stage_before():
    network = small()
    features, mask = torch.randn(1, DIMENSION, 20), everything(1, 20)
    with torch.no_grad():
        stages = network(features, mask).stages
        torch.testing.assert_close(stages[0], network.generator(features, mask)[1])
        for refine, before, logits in zip(network.refinements, stages[:-1], stages[1:], strict=True):
            torch.testing.assert_close(logits, refine(before.softmax(1), mask)[1])


def test_gradients_reach_every_parameter():
    network = small()
    network(torch.randn(2, DIMENSION, 40), everything(2, 40)).stages.square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_dropout_is_for_training_only():
    network = small()
    features, mask = torch.randn(1, DIMENSION, 20), everything(1, 20)
    with torch.no_grad():
        assert torch.equal(network(features, mask).stages, network(features, mask).stages)
        network.train()
        assert not torch.equal(network(features, mask).stages, network(features, mask).stages)
        without = small(dropout=0.0).train()
        without.load_state_dict(network.state_dict())
        torch.testing.assert_close(without(features, mask).stages, network.eval()(features, mask).stages)


def test_input_dropout_drops_whole_channels_and_is_off_as_published():
    assert MSTCNConfig().input_dropout == 0
    network = small(input_dropout=0.5, dropout=0.0).train()
    kept = []
    network.generator.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    network(torch.ones(200, DIMENSION, 6), everything(200, 6))
    network.eval()(torch.ones(1, DIMENSION, 6), everything(1, 6))
    rows = kept[0].flatten(0, 1)
    assert set(rows.unique().tolist()) == {0.0, 2.0}
    assert (rows == rows[:, :1]).all()
    assert 0.4 < (rows > 0).float().mean() < 0.6
    assert (kept[1] == 1).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"channels": 0}, "greater than or equal to 1"),
        ({"generator_layers": 17}, "less than or equal to 16"),
        ({"refinements": -1}, "greater than or equal to 0"),
        ({"dropout": 1.0}, "less than 1"),
        ({"layers": 8}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_sizes_out_of_range_are_refused(change, reason):
    with pytest.raises(ValidationError, match=reason):
        MSTCNConfig(**change)


def test_the_smallest_network_works():
    network = small(channels=1, generator_layers=1, refinements=1, refinement_layers=1)
    assert network(torch.randn(1, DIMENSION, 1), everything(1, 1)).stages.shape == (2, 1, CLASSES, 1)
