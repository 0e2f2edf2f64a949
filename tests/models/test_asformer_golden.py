"""With the extra modules off, the backbone is ASFormer and reproduces the reference program to 1e-5.

golden/asformer.npz: a small random network of the public ASFormer program (commit e1bbe4f) in eval mode on a CPU: its
weights under the names of that program, six inputs of 2 to 130 steps, and the logits of all four stages for each.
"""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from keyseg.models.backbone import Backbone, BackboneConfig

GOLDEN = np.load(Path(__file__).parent / "golden" / "asformer.npz")


def ours(name):
    """encoder.layers.0.att_layer.conv_out.weight -> encoder.blocks.0.attention.out.weight, and so on."""
    name = name.removeprefix("weight/").replace("att_layer.conv_out", "attention.out")
    name = name.replace("feed_forward.layer.0", "feed_forward").replace("att_layer", "attention")
    if ".layers." in name:
        name = name.replace(".layers.", ".blocks.").replace("conv_1x1", "out").replace("_conv", "")
    return name.replace("conv_1x1", "input").replace("conv_out", "classify")


def golden_backbone(**changes):
    meta = ast.literal_eval(str(GOLDEN["meta"]))
    assert meta["r1"] == meta["r2"] == 2
    config = BackboneConfig(
        channels=meta["num_f_maps"],
        encoder_layers=meta["num_layers"],
        decoders=meta["num_decoders"],
        decoder_layers=meta["num_layers"],
        decoder_growth=2,
        kernel_size=3,
        positional_encoding=False,
        squeeze_excitation=False,
        average_pooling=1,
        **changes,
    )
    backbone = Backbone(config, meta["input_dim"], meta["num_classes"])
    weights = {ours(name): torch.from_numpy(GOLDEN[name]) for name in GOLDEN if name.startswith("weight/")}
    backbone.load_state_dict(weights, strict=True)
    return backbone.eval()


def logits(backbone, index):
    features = torch.from_numpy(GOLDEN[f"input/{index}"])
    mask = torch.ones(1, features.shape[2], dtype=torch.bool)
    with torch.no_grad():
        return backbone(features, mask)[1]


@pytest.mark.parametrize("index", range(6))
def test_every_stage_equals_the_reference(index):
    expected = torch.from_numpy(GOLDEN[f"output/{index}"])
    assert expected.shape[0] == 4
    torch.testing.assert_close(logits(golden_backbone(), index), expected, atol=1e-5, rtol=0)


def test_the_other_window_gives_other_numbers():
    difference = logits(golden_backbone(window="banded"), 5) - torch.from_numpy(GOLDEN["output/5"])
    assert difference.abs().amax((1, 2, 3)).min() > 1e-2


def test_padding_does_not_change_the_reference_numbers():
    """All six inputs as one batch, with garbage after the shorter ones."""
    inputs = [torch.from_numpy(GOLDEN[f"input/{index}"])[0] for index in range(6)]
    lengths = torch.tensor([x.shape[1] for x in inputs])
    mask = torch.arange(140) < lengths[:, None]
    batch = torch.full((6, inputs[0].shape[0], 140), 77.0)
    for row, x in zip(batch, inputs, strict=True):
        row[:, : x.shape[1]] = x
    with torch.no_grad():
        result = golden_backbone()(batch, mask)[1]
    for index, length in enumerate(lengths):
        expected = torch.from_numpy(GOLDEN[f"output/{index}"])[:, 0]
        torch.testing.assert_close(result[:, index, :, :length], expected, atol=1e-5, rtol=0)
