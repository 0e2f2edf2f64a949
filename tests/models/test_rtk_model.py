"""RTK as a whole: the keypoint head, heatmaps, batches and singles, parameters, gradients."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.nodes import keypoint_nodes
from keyseg.models.backbone import BackboneConfig
from keyseg.models.heads import HeadConfig, KeypointHead
from keyseg.models.refinement import RefinementConfig
from keyseg.models.rtk import RTK, RTKConfig

DIMENSION, CLASSES = 5, 3
SMALL = RTKConfig(
    backbone=BackboneConfig(channels=8, encoder_layers=3, decoder_layers=2),
    refinement=RefinementConfig(channels=16, layers=2),
)


def small(config=SMALL):
    torch.manual_seed(0)
    return RTK(config, DIMENSION, CLASSES).eval()


def count(module):
    return sum(p.numel() for p in module.parameters())


def everything(batch, length):
    return torch.ones(batch, length, dtype=torch.bool)


def test_the_head_is_convolution_norm_relu_and_one_output_for_all_heatmaps():
    torch.manual_seed(0)
    head = KeypointHead(HeadConfig(layers=2, kernel_size=3), 8, CLASSES).eval()
    x = torch.randn(2, 8, 20)
    action, boundary = head(x, everything(2, 20))
    for convolution in head.trunk:
        plain = nn.functional.conv1d(x, convolution.weight, convolution.bias, padding=1)
        x = nn.InstanceNorm1d(8)(plain).relu()
    expected = head.out(x)
    torch.testing.assert_close(action, expected[:, :CLASSES], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(boundary, expected[:, CLASSES], atol=1e-5, rtol=1e-5)


def test_in_training_the_head_drops_features_before_its_output():
    torch.manual_seed(0)
    head, x = KeypointHead(HeadConfig(dropout=0.9), 400, CLASSES), torch.randn(1, 400, 20)
    given = []
    head.out.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    head(x, everything(1, 20))
    head.eval()(x, everything(1, 20))
    kept = given[0] != 0
    torch.testing.assert_close(given[0][kept], 10 * given[1][kept])
    assert kept.sum() / (given[1] != 0).sum() == pytest.approx(0.1, abs=0.03)


def test_a_fresh_head_gives_0_1_on_a_constant_video():
    """The prior of Law & Deng: the norm of a constant video is zero, so only the bias counts."""
    head = KeypointHead(HeadConfig(kernel_size=1), 8, CLASSES).eval()
    action, boundary = head(torch.ones(1, 8, 30), everything(1, 30))
    assert action.sigmoid().flatten().tolist() == pytest.approx([0.1] * CLASSES * 30, abs=2e-3)
    assert boundary.sigmoid().flatten().tolist() == pytest.approx([0.1] * 30, abs=2e-3)


def test_a_ragged_batch_gives_what_its_singles_give(ragged):
    model = small()
    lengths = [31, 1, 2, 17]
    features, mask = ragged(lengths, DIMENSION, extra=4)
    with torch.no_grad():
        batch = model(features, mask)
        for b, length in enumerate(lengths):
            single = model(features[b : b + 1, :, :length], everything(1, length))
            for name in ("features", "frame_logits", "action_logits", "boundary_logits"):
                result, expected = getattr(batch, name), getattr(single, name)
                result = result[:, b : b + 1] if name == "frame_logits" else result[b : b + 1]
                torch.testing.assert_close(result[..., :length], expected, atol=1e-5, rtol=1e-5, msg=name)
                assert (result[..., length:] == 0).all(), name


def test_maps_are_probabilities_of_the_last_stage_and_zero_in_the_padding(ragged):
    features, mask = ragged([12, 7], DIMENSION)
    output = small()(features, mask)
    maps = output.maps()
    assert maps.features is output.features
    torch.testing.assert_close(maps.action[0], output.action_logits[0].sigmoid())
    torch.testing.assert_close(maps.boundary[0], output.boundary_logits[0].sigmoid())
    torch.testing.assert_close(maps.frames[0], output.frame_logits[-1][0].softmax(0))
    torch.testing.assert_close(maps.frames.sum(1), mask.float())
    for values in (maps.action, maps.boundary[:, None], maps.frames):
        assert (values[1, :, 7:] == 0).all()
        assert (values[1, :, :7] > 0).all()


def test_parameters_of_the_default_configuration():
    model = RTK(RTKConfig(), 128, 11)
    head = 2 * (64 * 64 * 3 + 64) + 64 * 12 + 12
    evidence = 64 + 2 * 11 + 1 + 2 + 16 + 2  # features, two class maps and a boundary, kind, place, gaps
    embed, layer = evidence * 128 + 128 + 2 * 128, 2 * (128 * 128 + 128) + 2 * 128
    heads = (128 * 12 + 12) + 2 + (128 * 11 + 11) + (128 + 1)
    assert count(model.backbone) == 522_734  # counted in the backbone's tests
    assert count(model.head) == head == 25_484
    assert count(model.refiner) == embed + 3 * layer + heads == 117_018
    assert count(model) == 665_236


def test_gradients_reach_head_and_backbone_from_heatmaps_alone():
    """The norm after a convolution removes its bias, and the frame classifier is not on the path."""
    model = small()
    output = model(torch.randn(2, DIMENSION, 30), everything(2, 30))
    (output.action_logits.square().sum() + output.boundary_logits.sum()).backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 1e-4}
    assert {name for name, _ in model.head.named_parameters()} - {n.removeprefix("head.") for n in reached} == {
        "trunk.0.bias",
        "trunk.1.bias",
    }
    assert {"backbone.encoder.input.weight", "backbone.decoders.0.blocks.1.out.weight"} <= reached
    assert "backbone.decoders.0.classify.weight" not in reached


def test_every_parameter_takes_part():
    model = small()
    output = model(torch.randn(1, DIMENSION, 30), everything(1, 30))
    keypoints = (
        ActionKeypoints.of([(4, 0, 0.6), (12, 1, 0.9), (25, 2, 0.3)]),
        BoundaryKeypoints.of([(8, 0.4), (20, 0.7)]),
    )
    refined = model.refiner(output.maps(), keypoint_nodes([keypoints]))
    terms = (
        output.frame_logits,
        output.action_logits,
        output.boundary_logits,
        refined.keep,
        refined.classes,
        refined.shift,
    )
    sum(term.square().sum() for term in terms).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_in_eval_mode_nothing_is_random_and_in_training_mode_something_is():
    model, features, mask = small(), torch.randn(1, DIMENSION, 20), everything(1, 20)
    assert torch.equal(model(features, mask).action_logits, model(features, mask).action_logits)
    model.train()
    assert not torch.equal(model(features, mask).action_logits, model(features, mask).action_logits)


def test_the_configuration_survives_its_own_dump_and_refuses_what_it_does_not_know():
    config = RTKConfig(head=HeadConfig(layers=3, kernel_size=5))
    assert RTKConfig.model_validate(config.model_dump()) == config
    assert len(small(config).head.trunk) == 3
    with pytest.raises(ValidationError, match="6 is even"):
        HeadConfig(kernel_size=6)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        RTKConfig.model_validate({"heads": {}})
