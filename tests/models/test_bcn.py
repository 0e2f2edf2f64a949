"""BCN: stages, batches and singles, inputs of each part, weights by hand, the published size, gradients, smoothing."""

import inspect
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from keyseg.models.barrier import BarrierGeneratorConfig, PoolingConfig
from keyseg.models.bcn import BCN, BCNConfig, Cascade, class_confidence, stage_weights

DIMENSION, CLASSES = 5, 3
SMALL = {
    "channels": 8,
    "cascade_stages": 3,
    "layers": 3,
    "fusion_channels": 6,
    "barrier": BarrierGeneratorConfig(channels=8, dilations=(1, 2)),
    "output_pooling": PoolingConfig(width=9, alpha=0.2),
    "smoothing": PoolingConfig(width=9, alpha=2.0),
}
ALONE = PoolingConfig(width=1, alpha=1.0)  # only divides by 1 + exp(-10)


def small(**changes):
    torch.manual_seed(0)
    return BCN(BCNConfig(**SMALL | changes), DIMENSION, CLASSES).eval()


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("stages", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 37])
def test_every_stage_classifies_every_step(length, stages):
    output = small(cascade_stages=stages)(torch.randn(2, DIMENSION, length), everything(2, length))
    assert output.stages.shape == (stages + 1, 2, CLASSES, length)
    assert output.probabilities.shape == (2, CLASSES, length)
    assert output.stages.isfinite().all()
    assert output.probabilities.isfinite().all()
    torch.testing.assert_close(output.stages[-1].sum(1), torch.ones(2, length))  # the fusion gives probabilities
    assert output.mask.all()


@settings(max_examples=25)
@given(st.lists(st.integers(1, 25), min_size=1, max_size=4), st.integers(0, 5), st.integers(0, 2**31 - 1))
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
    features, mask = ragged(lengths, DIMENSION, extra=extra)
    result = network.cascade(features, mask)
    labels = torch.randint(0, CLASSES, mask.shape)
    weights = stage_weights(class_confidence(result.logits, labels, mask), mask, 0.8)
    fused = network.fuse(result, weights)
    (result.logits.square().sum() + result.barrier.sum() + fused[:, 0][mask].log().sum()).backward()
    assert fused.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_parameters_of_the_published_size():
    """2048 input channels, 19 classes. The paper's 12.77 million include batch normalisations that never run."""
    network = BCN(BCNConfig(), 2048, 19)

    def conv(source, target, kernel=1):
        return source * target * kernel + target

    def stage(source, channels):
        return (
            conv(source, channels) + 12 * (conv(channels, channels, 3) + conv(channels, channels)) + conv(channels, 19)
        )

    cascade = [stage(2048 + i * 256, 256) for i in range(3)]
    barrier = conv(2048, 256) + 3 * (conv(256, 256, 3) + conv(256, 256)) + conv(256, 1)
    assert [count(part) for part in network.stages] == cascade
    assert count(network.fusion) == stage(19, 64)
    assert count(network.barrier) == barrier
    assert count(network) == sum(cascade) + stage(19, 64) + barrier == 12_753_933
    assert round((count(network) + 3 * 12 * 2 * 256 + 12 * 2 * 64) / 1e6, 2) == 12.77


def test_a_stage_sees_the_features_of_all_stages_before_and_the_input():
    network = small()
    features, mask = torch.randn(1, DIMENSION, 20), everything(1, 20)
    with torch.no_grad():
        logits = network.cascade(features, mask).logits
        first, a = network.stages[0](features, mask)
        second, b = network.stages[1](torch.cat((first, features), 1), mask)
        _, c = network.stages[2](torch.cat((first, second, features), 1), mask)
    torch.testing.assert_close(logits, torch.stack((a, b, c)))


def test_labels_never_reach_forward():
    """Its arguments are features and mask; the stages are weighted by the highest probability, not the true class."""
    assert list(inspect.signature(BCN.forward).parameters) == ["self", "features", "mask"]
    network = small(sure=0.4)
    features, mask = 3 * torch.randn(1, DIMENSION, 30), everything(1, 30)
    with torch.no_grad():
        output, result = network(features, mask), network.cascade(features, mask)
        highest = result.logits.softmax(2).max(2).values
        weights = stage_weights(highest, mask, 0.4)
        assert {True, False} == set((weights[1:] > 1).flatten().tolist())  # some sure, some not
        torch.testing.assert_close(output.stages, torch.cat((result.logits, network.fuse(result, weights)[None])))
        least = result.logits.argmin(2)[0]
        other = network.fuse(result, stage_weights(class_confidence(result.logits, least, mask), mask, 0.4))
    assert (other - output.stages[-1]).abs().max() > 1e-5


def test_the_result_is_the_fusion_smoothed_between_barriers():
    network, features, mask = small(), torch.randn(1, DIMENSION, 30), everything(1, 30)
    with torch.no_grad():
        output = network(features, mask)
        torch.testing.assert_close(
            output.probabilities, network.smooth(output.stages[-1], network.cascade(features, mask))
        )
        assert (output.probabilities - output.stages[-1]).abs().max() > 1e-4
        unsmoothed = small(smoothing_passes=0)(features, mask)
        assert torch.equal(unsmoothed.probabilities, unsmoothed.stages[-1])


def test_smoothing_removes_flicker_and_keeps_a_short_segment_between_two_barriers():
    labels = torch.tensor([0] * 60 + [2] * 14 + [1] * 60)
    flickering = labels.clone()
    flickering[[5, 30, 66, 100]] = torch.tensor([1, 2, 0, 0])
    fused = 0.1 + 0.7 * nn.functional.one_hot(flickering, CLASSES).T[None].float()
    barrier, mask = torch.full((1, len(labels)), 0.25), everything(1, len(labels))
    barrier[0, [60, 74]] = 1.0
    network = small(smoothing=PoolingConfig(width=99, alpha=2.0), smoothing_passes=1)

    def smoothed(barrier):
        return network.smooth(fused, Cascade(torch.zeros(3, 1, CLASSES, len(labels)), barrier, mask)).argmax(1)[0]

    elsewhere = barrier[0] < 1  # the step of a barrier is separated from both sides, and joins the longer one
    assert torch.equal(smoothed(barrier)[elsewhere], labels[elsewhere])
    assert 2 not in smoothed(torch.full_like(barrier, 0.25))  # barriers without a peak separate nothing


class Same(nn.Module):
    """Replaces the fusion stage: returns its input."""

    def forward(self, x, mask):
        return x, x


def test_stages_are_mixed_by_their_share_of_the_weights():
    """Two stages, two classes, three steps; the weights are 1 and 3 at the first step, 1 and 1 at the second."""
    network = small(cascade_stages=2, inner_pooling=ALONE, output_pooling=ALONE)
    network.fusion = Same()
    first, second = [[0.9, 0.5, 0.3], [0.1, 0.5, 0.7]], [[0.5, 0.7, 0.3], [0.5, 0.3, 0.7]]
    logits = torch.tensor([[first], [second]]).log()
    mask = torch.tensor([[True, True, False]])
    weights = torch.tensor([[[1.0, 1.0, 0.0]], [[3.0, 1.0, 0.0]]])
    fused = network.fuse(Cascade(logits, torch.zeros(1, 3), mask), weights)[0, 0]
    once = 1 + math.exp(-10)
    mixed = [(0.9 + 3 * 0.5) / 4, (0.5 + 0.7) / 2]
    expected = [1 / (1 + math.exp((1 - 2 * m) / once**2)) for m in mixed]
    assert fused.tolist() == pytest.approx([*expected, 0.0], rel=1e-5)


def test_probabilities_of_the_fusion_are_never_certain():
    network = small(inner_pooling=ALONE, output_pooling=ALONE)
    network.fusion = nn.Module()
    network.fusion.forward = lambda x, mask: (x, 1e4 * torch.eye(CLASSES)[None, :, [0, 0, 1, 2]])
    result = Cascade(torch.zeros(3, 1, CLASSES, 4), torch.zeros(1, 4), torch.tensor([[True, True, True, False]]))
    fused = network.fuse(result, torch.ones(3, 1, 4))
    low, high = 1e-4, 1 - 1e-4
    rows = [[high, high, low, 0.0], [low, low, high, 0.0], [low, low, low, 0.0]]
    torch.testing.assert_close(fused, torch.tensor([rows]))


def test_inner_pooling_is_before_the_fusion_and_output_pooling_after_it():
    """A barrier in the middle; a width of 1 turns the pooling at that place off."""
    mixed = torch.tensor([[[0.8, 0.8, 0.2, 0.8], [0.2, 0.2, 0.8, 0.2], [0.0, 0.0, 0.0, 0.0]]])
    result = Cascade(mixed.clamp_min(1e-30).log()[None], torch.zeros(1, 4), everything(1, 4))
    weights, read = torch.ones(1, 1, 4), []
    for inner, output in ((3, 1), (1, 3)):
        network = small(
            cascade_stages=1,
            inner_pooling=PoolingConfig(width=inner, alpha=1),
            output_pooling=PoolingConfig(width=output, alpha=1),
        )
        network.fusion = Same()
        network.fusion.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        fused = network.fuse(result, weights)
        averages = torch.tensor([0.8, 0.6, 0.6, 0.5])
        torch.testing.assert_close(fused[0, 0].log() - fused[0, 1].log(), 2 * averages - 1, atol=1e-3, rtol=0)
    torch.testing.assert_close(read[0][0, 0], averages, atol=1e-3, rtol=0)
    torch.testing.assert_close(read[1][0, 0], mixed[0, 0], atol=1e-3, rtol=0)


def test_stage_weights_by_hand():
    """Above 0.8 the next stage has weight exp(-c), at 0.8 or below exp(c). The c of the last stage is not used."""
    confidence = torch.tensor([[[0.9, 0.8, 0.5, 0.9]], [[0.1, 0.85, 1.0, 0.9]], [[0.3, 0.3, 0.3, 0.3]]])
    result = stage_weights(confidence, torch.tensor([[True, True, True, False]]), 0.8)
    second = [math.exp(-0.9), math.exp(0.8), math.exp(0.5), 0.0]
    third = [math.exp(0.1), math.exp(-0.85), math.exp(-1.0), 0.0]
    torch.testing.assert_close(result[:, 0], torch.tensor([[1.0, 1.0, 1.0, 0.0], second, third]))


def test_a_single_stage_has_weight_1():
    assert stage_weights(torch.full((1, 1, 2), 0.9), torch.tensor([[True, False]]), 0.8).tolist() == [[[1.0, 0.0]]]


@pytest.mark.parametrize("ignored", [-100, 99])
def test_class_confidence_is_the_probability_of_the_true_class(ignored):
    logits, labels = torch.randn(2, 2, CLASSES, 6), torch.randint(0, CLASSES, (2, 6))
    mask = torch.arange(6) < torch.tensor([[6], [4]])
    result = class_confidence(logits, labels.masked_fill(~mask, ignored), mask)
    for stage in range(2):
        for b in range(2):
            for t in range(6):
                numbers = [math.exp(v) for v in logits[stage, b, :, t].tolist()]
                expected = numbers[labels[b, t]] / sum(numbers) if mask[b, t] else 0.0
                assert result[stage, b, t].item() == pytest.approx(expected, rel=1e-5)


def test_confidence_carries_no_gradient():
    logits = torch.randn(2, 1, CLASSES, 4, requires_grad=True)
    result, labels = Cascade(logits, torch.zeros(1, 4), everything(1, 4)), torch.zeros(1, 4, dtype=torch.long)
    assert not result.confidence().requires_grad
    assert not class_confidence(logits, labels, result.mask).requires_grad
    assert not stage_weights(logits.softmax(2).amax(2), result.mask, 0.8).requires_grad
    torch.testing.assert_close(result.confidence(), logits.softmax(2).max(2).values.detach())


def test_gradients_reach_every_parameter():
    """The barrier generator learns from the fusion alone, through the pooling."""
    network = small(channels=16, fusion_channels=16, barrier=BarrierGeneratorConfig(channels=16, dilations=(1, 2)))
    features, mask = torch.randn(2, DIMENSION, 40), everything(2, 40)
    result = network.cascade(features, mask)
    labels = torch.randint(0, CLASSES, mask.shape)
    weights = stage_weights(class_confidence(result.logits, labels, mask), mask, 0.8)
    fused = network.fuse(result, weights)
    (-fused.gather(1, labels[:, None]).log().sum()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_dropout_is_for_training_only():
    network = small()
    features, mask = torch.randn(1, DIMENSION, 20), everything(1, 20)
    with torch.no_grad():
        assert torch.equal(network(features, mask).stages, network(features, mask).stages)
        network.train()
        assert not torch.equal(network(features, mask).stages, network(features, mask).stages)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cascade_stages": 0}, "greater than or equal to 1"),
        ({"layers": 17}, "less than or equal to 16"),
        ({"sure": 1.5}, "less than or equal to 1"),
        ({"smoothing_passes": -1}, "greater than or equal to 0"),
        ({"inner_pooling": {"width": 6, "alpha": 1}}, "6 is even"),
        ({"barrier": {"hidden": 3}}, "Extra inputs are not permitted"),
        ({"stages": 3}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_sizes_out_of_range_are_refused(change, reason):
    with pytest.raises(ValidationError, match=reason):
        BCNConfig(**change)


def test_the_smallest_network_works():
    network = small(
        channels=1, cascade_stages=1, layers=1, fusion_channels=1, barrier=BarrierGeneratorConfig(channels=1)
    )
    assert network(torch.randn(1, DIMENSION, 1), everything(1, 1)).stages.shape == (2, 1, CLASSES, 1)
