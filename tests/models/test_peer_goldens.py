"""MS-TCN++ and BCN reproduce the reference programs at every stage, to 1e-5.

golden/ms_tcn2.npz, golden/bcn.npz: small random networks of the public programs MS-TCN2 (commit f423a9e) and BCN
(commit c637dcd) in eval mode on a CPU: their weights under the names of those programs, six inputs of 2 to 130 steps,
and for each the output of all four stages: logits, except for the probabilities of BCN's last stage, the fusion.
golden/bcn_barrier.npz: BCN's barriers and stage weights for the same inputs. BCN's batch normalisations are in its
state dict but never run, so their values are not used. In these networks no step is sure and every barrier is near 0.5;
sure steps and high barriers are tested in test_bcn.py and test_barrier.py.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from keyseg.models.barrier import BarrierGeneratorConfig, PoolingConfig
from keyseg.models.bcn import BCN, BCNConfig, stage_weights
from keyseg.models.ms_tcn import MSTCN, MSTCNConfig

FOLDER = Path(__file__).parent / "golden"
GOLDEN = {"ms-tcn++": np.load(FOLDER / "ms_tcn2.npz"), "bcn": np.load(FOLDER / "bcn.npz")}
BARRIER = np.load(FOLDER / "bcn_barrier.npz")
TOLERANCE = 1e-5
FUSION_TOLERANCE = 1e-6  # probabilities that differ by a few 1e-4 from step to step
LENGTHS = [2, 7, 16, 33, 64, 130]
RENAMED = {
    "ms-tcn++": [
        (r"^PG\.", "generator."),
        (r"^Rs\.", "refinements."),
        (r"conv_dilated_1\.(\d+)", r"layers.\1.falling"),
        (r"conv_dilated_2\.(\d+)", r"layers.\1.growing"),
        (r"conv_fusion\.(\d+)", r"layers.\1.fuse"),
        (r"conv_1x1_in", "input"),
    ],
    "bcn": [
        (r"^stages\.(\d+)", lambda match: f"stages.{int(match[1]) + 1}"),
        (r"^stage1\.", "stages.0."),
        (r"^stageF\.", "fusion."),
        (r"^bgm\.(.*)conv_in", r"bgm.\1input"),
        (r"^bgm\.conv_out", "bgm.out"),
        (r"^bgm\.", "barrier."),
    ],
}
RENAMED_IN_BOTH = [
    (r"(layers\.\d+)\.conv_dilated", r"\1.dilated"),
    (r"(layers\.\d+)\.conv_1x1", r"\1.out"),
    (r"conv_1x1", "input"),
    (r"conv_out", "classify"),
]


def ours(system, name):
    """stage1.layers.0.conv_1x1.bias -> stages.0.layers.0.out.bias, and so on."""
    for pattern, replacement in RENAMED[system] + RENAMED_IN_BOTH:
        name = re.sub(pattern, replacement, name)
    return name


def config_of(system, meta):
    if system == "ms-tcn++":
        return MSTCNConfig(
            channels=meta["num_f_maps"],
            generator_layers=meta["num_layers_PG"],
            refinements=meta["num_R"],
            refinement_layers=meta["num_layers_R"],
        )
    assert meta["num_final_lbp"] == 1
    inner, final = (PoolingConfig(width=width, alpha=alpha) for width, alpha in (meta["inner_lbp"], meta["final_lbp"]))
    return BCNConfig(
        channels=meta["num_f_maps"],
        cascade_stages=meta["num_stages"],
        layers=meta["num_layers"],
        fusion_channels=meta["fusion_f_maps"],
        sure=meta["soft_threshold"],
        barrier=BarrierGeneratorConfig(channels=meta["barrier_hidden"], dilations=tuple(meta["barrier_dilations"])),
        inner_pooling=inner,
        output_pooling=final,
    )


def golden_network(system):
    golden = GOLDEN[system]
    meta = ast.literal_eval(str(golden["meta"]))
    build = MSTCN if system == "ms-tcn++" else BCN
    network = build(config_of(system, meta), meta["dim" if system == "ms-tcn++" else "input_dim"], meta["num_classes"])
    names = [name.removeprefix("weight/") for name in golden if name.startswith("weight/") and ".bn." not in name]
    weights = {ours(system, name): torch.from_numpy(golden[f"weight/{name}"]) for name in names}
    assert len(weights) == len(names)
    network.load_state_dict(weights, strict=True)
    return network.eval()


def golden_input(system, index):
    features = torch.from_numpy(GOLDEN[system][f"input/{index}"])
    return features, torch.ones(1, features.shape[2], dtype=torch.bool)


def golden_batch(system):
    """All six inputs as one batch, with garbage after the shorter ones, and only garbage in the last steps."""
    inputs = [golden_input(system, index)[0][0] for index in range(6)]
    mask = torch.arange(140) < torch.tensor([x.shape[1] for x in inputs])[:, None]
    batch = torch.full((6, inputs[0].shape[0], 140), 77.0)
    for row, x in zip(batch, inputs, strict=True):
        row[:, : x.shape[1]] = x
    return batch, mask


def expect_close(result, expected, tolerance=TOLERANCE):
    torch.testing.assert_close(result, torch.from_numpy(expected), atol=tolerance, rtol=0)


def expect_stages(system, result, expected):
    """Compare the stages (4, ...) and, again, BCN's fusion."""
    expect_close(result, expected)
    if system == "bcn":
        expect_close(result[-1], expected[-1], FUSION_TOLERANCE)


@pytest.mark.parametrize("system", GOLDEN)
def test_the_inputs_are_of_two_to_130_steps(system):
    assert [golden_input(system, index)[0].shape[2] for index in range(6)] == LENGTHS


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("system", GOLDEN)
def test_every_stage_equals_the_reference(system, index):
    with torch.no_grad():
        result = golden_network(system)(*golden_input(system, index)).stages
    assert result.shape == (4, 1, 7, LENGTHS[index])
    expect_stages(system, result, GOLDEN[system][f"output/{index}"])


@pytest.mark.parametrize("system", GOLDEN)
def test_padding_does_not_change_the_reference_numbers(system):
    with torch.no_grad():
        result = golden_network(system)(*golden_batch(system)).stages
    for index, length in enumerate(LENGTHS):
        expect_stages(system, result[:, index, :, :length], GOLDEN[system][f"output/{index}"][:, 0])
        assert (result[:, index, :, length:] == 0).all()


def test_barriers_and_stage_weights_equal_the_reference():
    network = golden_network("bcn")
    batch, mask = golden_batch("bcn")
    with torch.no_grad():
        padded = network.cascade(batch, mask)
        padded_weights = stage_weights(padded.confidence(), mask, 0.8)
        for index, length in enumerate(LENGTHS):
            single = network.cascade(*golden_input("bcn", index))
            weights = stage_weights(single.confidence(), single.mask, 0.8)
            barrier, expected = BARRIER[f"barrier/{index}"][:, 0], BARRIER[f"stage_weight/{index}"][:, :, 0]
            assert barrier.shape == (1, length)
            expect_close(single.barrier, barrier)
            expect_close(padded.barrier[index : index + 1, :length], barrier)
            expect_close(weights, expected)
            expect_close(padded_weights[:, index : index + 1, :length], expected)


def swapped(state, one, other):
    """The state with weights and biases of two layers exchanged."""
    pairs = [(f"{one}.{part}", f"{other}.{part}") for part in ("weight", "bias")]
    return state | {a: state[b] for a, b in pairs} | {b: state[a] for a, b in pairs}


@pytest.mark.parametrize(
    ("system", "stage", "change"),
    [
        ("ms-tcn++", 0, lambda state: swapped(state, "generator.layers.0.falling", "generator.layers.0.growing")),
        ("ms-tcn++", 3, lambda state: swapped(state, "refinements.1.classify", "refinements.2.classify")),
        ("bcn", 1, lambda state: swapped(state, "stages.1.classify", "stages.2.classify")),
        ("bcn", 3, lambda state: state | {"fusion.layers.0.dilated.bias": -state["fusion.layers.0.dilated.bias"]}),
        ("bcn", 3, lambda state: state | {"barrier.out.bias": state["barrier.out.bias"] + 100}),
    ],
    ids=["dilations swapped", "refinements swapped", "stages swapped", "another fusion", "another barrier"],
)
def test_other_weights_give_other_numbers(system, stage, change):
    network = golden_network(system)
    network.load_state_dict(change({name: value.clone() for name, value in network.state_dict().items()}))
    with torch.no_grad():
        result = network(*golden_input(system, 5)).stages[stage]
    difference = (result - torch.from_numpy(GOLDEN[system]["output/5"][stage])).abs().max()
    assert difference > 10 * (TOLERANCE if (system, stage) != ("bcn", 3) else FUSION_TOLERANCE)
