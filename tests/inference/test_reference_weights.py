"""Weights of the reference programs: sizes are found, numbers stay what they are, and nothing else passes for weights.

models/golden/*.npz: small random networks of the public programs ASFormer, MS-TCN2 and BCN, their weights under the
programs' own names, six inputs and the outputs for each. For sizes that those lack there are random networks of our own
classes, with names put back into the programs'.
"""

from __future__ import annotations

import ast
import io
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from keyseg.inference.decoders import FrameDecoder
from keyseg.inference.predictor import Predictor
from keyseg.inference.reference import convert_reference
from keyseg.inference.systems import SYSTEMS as ALL_SYSTEMS
from keyseg.models.asformer import ASFormerConfig
from keyseg.models.barrier import BarrierGeneratorConfig, PoolingConfig
from keyseg.models.bcn import BCNConfig
from keyseg.models.ms_tcn import MSTCNConfig
from keyseg.timeline import BundleError, LabelMap, TimeBase

pytestmark = pytest.mark.slow
Weights = dict[str, Tensor]

FOLDER = Path(__file__).parents[1] / "models" / "golden"
GOLDEN = {
    "asformer": dict(np.load(FOLDER / "asformer.npz")),
    "ms-tcn++": dict(np.load(FOLDER / "ms_tcn2.npz")),
    "bcn": dict(np.load(FOLDER / "bcn.npz")),
}
SYSTEMS = tuple(GOLDEN)
FIRST = {"asformer": "encoder.conv_1x1.weight", "ms-tcn++": "PG.conv_1x1_in.weight", "bcn": "stage1.conv_1x1.weight"}
LAST = {"asformer": "decoders.2.conv_out.bias", "ms-tcn++": "Rs.2.conv_out.bias", "bcn": "stageF.conv_out.bias"}
OURS = {  # the last as we call it
    "asformer": "decoders.2.classify.bias",
    "ms-tcn++": "refinements.2.classify.bias",
    "bcn": "fusion.classify.bias",
}
LAYER = {"asformer": "encoder.layers.2.", "ms-tcn++": "PG.conv_fusion.2.", "bcn": "stage1.layers.2."}


def golden(system: str) -> Weights:
    """The golden network's state dict under the names of its program."""
    found = GOLDEN[system]
    return {name.removeprefix("weight/"): torch.from_numpy(found[name]) for name in found if name.startswith("weight/")}


def saved(folder: Path, content: Any, name: str = "epoch-50.model", **options: Any) -> Path:
    path = folder / name
    torch.save(content, path, **options)
    return path


def expect_golden(predictor: Predictor, system: str) -> None:
    """All stages of all six inputs, to 1e-5."""
    for index in range(6):
        stages = predictor.predict(GOLDEN[system][f"input/{index}"][0]).stages
        assert stages.dtype == np.float32
        np.testing.assert_allclose(stages, GOLDEN[system][f"output/{index}"][:, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_golden_network_is_found_with_all_its_sizes(system: str, tmp_path: Path) -> None:
    predictor = convert_reference(saved(tmp_path, golden(system)), system)
    meta = ast.literal_eval(str(GOLDEN[system]["meta"]))
    config: Any = predictor.model.config
    if system == "asformer":
        found = {
            "num_decoders": config.decoders,
            "num_layers": config.encoder_layers,
            "r1": config.query_reduction,
            "r2": config.value_reduction,
        }
        assert config.decoder_layers == config.encoder_layers
        assert (config.positional_encoding, config.squeeze_excitation, config.average_pooling) == (False, False, 1)
        assert (config.kernel_size, config.decoder_growth) == (3, 2)
    elif system == "ms-tcn++":
        found = {
            "num_layers_PG": config.generator_layers,
            "num_layers_R": config.refinement_layers,
            "num_R": config.refinements,
        }
    else:
        found = {
            "num_stages": config.cascade_stages,
            "num_layers": config.layers,
            "fusion_f_maps": config.fusion_channels,
            "barrier_hidden": config.barrier.channels,
            "barrier_dilations": list(config.barrier.dilations),
            "inner_lbp": (config.inner_pooling.width, config.inner_pooling.alpha),
            "final_lbp": (config.output_pooling.width, config.output_pooling.alpha),
            "soft_threshold": config.sure,
        }
    found["num_f_maps"] = config.channels
    assert found == {name: meta[name] for name in found}
    assert predictor.input_dim == meta["dim" if system == "ms-tcn++" else "input_dim"] == 12
    assert predictor.labels == LabelMap(tuple(f"class{i}" for i in range(meta["num_classes"])))
    assert predictor.timebase == TimeBase(Fraction(15), 1)
    assert predictor.decoder == FrameDecoder()
    assert not predictor.model.training
    expect_golden(predictor, system)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_answer_is_the_most_probable_class_of_the_last_stage(system: str, tmp_path: Path) -> None:
    labels = LabelMap(tuple("abcdefg"), ("c",))
    predictor = convert_reference(saved(tmp_path, golden(system)), system, labels, TimeBase(Fraction(30), 2))
    assert predictor.labels is labels
    prediction = predictor.predict(GOLDEN[system]["input/5"][0])
    assert prediction.stages.shape == (4, 7, 65)  # every second of 130 frames
    ids = np.repeat(prediction.frame_scores.argmax(0), 2)
    assert prediction.frame_labels == labels.decode(ids)
    np.testing.assert_allclose(prediction.frame_scores.sum(0), 1, atol=1e-3)
    if system != "bcn":  # which smooths its probabilities
        assert (prediction.stages[-1].argmax(0) == prediction.frame_scores.argmax(0)).all()
    with pytest.raises(BundleError, match=r"epoch-50\.model: weights for 7 classes, but the mapping has 6; name the"):
        convert_reference(tmp_path / "epoch-50.model", system, LabelMap(tuple("abcdef")))


def one_block(weights: Weights) -> Weights:
    """All tensors as views into one array."""
    sizes = [value.numel() for value in weights.values()]
    parts = torch.cat([value.ravel().float() for value in weights.values()]).split(sizes)
    return {name: part.view(value.shape) for (name, value), part in zip(weights.items(), parts, strict=True)}


def column_major(weights: Weights) -> Weights:
    return {name: value.mT.contiguous().mT if value.ndim > 1 else value for name, value in weights.items()}


def parallel(weights: Weights) -> Weights:
    return {f"module.{name}": value for name, value in weights.items()}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "change",
    {
        "data parallel": parallel,
        "checkpoint": lambda weights: {"epoch": 50, "state_dict": weights, "optimizer": {"param_groups": []}},
        "both": lambda weights: {"model": parallel(weights)},
        "another word": lambda weights: {"model_state_dict": weights},
        "another order": lambda weights: dict(reversed(weights.items())),
        "parameters": lambda weights: {n: torch.nn.Parameter(v.double()) for n, v in weights.items()},
        "column-major": column_major,
        "one block": one_block,
    }.values(),
)
def test_any_way_to_save_them_comes_to_the_same(system: str, change: Callable[[Weights], Any], tmp_path: Path) -> None:
    expect_golden(convert_reference(saved(tmp_path, change(golden(system))), system), system)


@pytest.mark.parametrize("system", SYSTEMS)
def test_files_of_old_and_of_safetensors_come_to_the_same(system: str, tmp_path: Path) -> None:
    """Published .model files are of years in which torch did not write zip files."""
    old = saved(tmp_path, golden(system), "old.model", _use_new_zipfile_serialization=False)
    assert not old.read_bytes().startswith(b"PK")
    expect_golden(convert_reference(old, system), system)
    for name in ("weights.safetensors", "parallel.SAFETENSORS"):
        save_file(golden(system) if name[0] == "w" else parallel(golden(system)), tmp_path / name)
        expect_golden(convert_reference(tmp_path / name, system), system)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.float16, torch.bfloat16, torch.float64])
def test_numbers_of_other_types_become_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    """Each network equals the one with the same numbers as float32."""
    numbers = {name: (value * 20).to(dtype) for name, value in golden("ms-tcn++").items()}
    found = convert_reference(saved(tmp_path, numbers), "ms-tcn++")
    same = convert_reference(saved(tmp_path, {n: v.float() for n, v in numbers.items()}, "same.pth"), "ms-tcn++")
    for name, value in found.model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, same.model.state_dict()[name])
        assert value.any()


def test_tied_weights_are_untied(tmp_path: Path) -> None:
    """A tensor under two names is two tensors here, so that a bundle can hold them."""
    weights = golden("ms-tcn++")
    weights["Rs.1.conv_out.weight"] = weights["Rs.2.conv_out.weight"]
    model = convert_reference(saved(tmp_path, weights), "ms-tcn++").model.state_dict()
    one, other = model["refinements.1.classify.weight"], model["refinements.2.classify.weight"]
    assert torch.equal(one, other)
    assert one.data_ptr() != other.data_ptr()


# Our names to the programs', in order; the goldens' names bear them out.
STAGE = [
    (r"\.layers\.(\d+)\.dilated\.", r".layers.\1.conv_dilated."),
    (r"\.layers\.(\d+)\.out\.", r".layers.\1.conv_1x1."),
    (r"\.input\.", ".conv_1x1."),
    (r"\.classify\.", ".conv_out."),
]
THEIRS: dict[str, list[tuple[str, Any]]] = {
    "asformer": [
        (r"^backbone\.", ""),
        (r"\.blocks\.", ".layers."),
        (r"\.feed_forward\.", ".feed_forward.layer.0."),
        (r"\.attention\.out\.", ".att_layer.conv_out."),
        (r"\.attention\.(\w+)\.", r".att_layer.\1_conv."),
        *STAGE,
    ],
    "ms-tcn++": [
        (r"^generator\.layers\.(\d+)\.falling", r"PG.conv_dilated_1.\1"),
        (r"^generator\.layers\.(\d+)\.growing", r"PG.conv_dilated_2.\1"),
        (r"^generator\.layers\.(\d+)\.fuse", r"PG.conv_fusion.\1"),
        (r"^generator\.input", "PG.conv_1x1_in"),
        (r"^generator\.", "PG."),
        (r"^refinements\.", "Rs."),
        *STAGE,
    ],
    "bcn": [
        (r"^stages\.0\.", "stage1."),
        (r"^stages\.(\d+)\.", lambda found: f"stages.{int(found[1]) - 1}."),
        (r"^fusion\.", "stageF."),
        (r"^barrier\.(input|out)\.", lambda found: f"bgm.conv_{'in' if found[1] == 'input' else 'out'}."),
        (r"^barrier\.", "bgm."),
        *STAGE,
    ],
}


def theirs(system: str, weights: Weights) -> Weights:
    """Our state dict under the names of the reference program."""
    renamed = {}
    for name, value in weights.items():
        for pattern, replacement in THEIRS[system]:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    assert len(renamed) == len(weights)
    return renamed


@pytest.mark.parametrize("system", SYSTEMS)
def test_our_names_go_back_to_those_of_the_program(system: str, tmp_path: Path) -> None:
    model = convert_reference(saved(tmp_path, golden(system)), system).model
    back = theirs(system, model.state_dict())
    wanted = {name: value for name, value in golden(system).items() if ".bn." not in name}
    assert set(back) == set(wanted)
    assert all(torch.equal(back[name], value) for name, value in wanted.items())


# Width and weight of the output's pooling, passes of smoothing: BCN's for GTEA, Breakfast, 50Salads and any other.
POOLINGS = {11: (99, 1.0, 0), 48: (159, 0.3, 4), 19: (99, 0.2, 4), 7: (99, 0.2, 4), 2: (99, 0.2, 4)}


def poolings(classes: int) -> dict[str, Any]:
    width, alpha, passes = POOLINGS[classes]
    return {
        "output_pooling": PoolingConfig(width=width, alpha=alpha),
        "smoothing": PoolingConfig(width=width, alpha=2.0),
        "smoothing_passes": passes,
    }


@st.composite
def networks(draw: Any) -> tuple[str, Any, int]:
    """A system, sizes that its program could have, and a number of classes."""

    def size(low: int, high: int) -> int:
        return int(draw(st.integers(low, high)))

    system, classes = draw(st.sampled_from(SYSTEMS)), draw(st.sampled_from(tuple(POOLINGS)))
    if system == "asformer":
        decoders, depth = size(0, 2), size(1, 3)
        reductions = {n: draw(st.sampled_from((1, 2, 4))) for n in ("query_reduction", "value_reduction")}
        config: Any = ASFormerConfig(
            channels=draw(st.sampled_from((4, 8))),
            encoder_layers=depth,
            decoders=decoders,
            decoder_layers=size(1, 3) if decoders else depth,
            **reductions,
        )
    elif system == "ms-tcn++":
        refinements = size(0, 2)
        depths = {"refinement_layers": size(1, 3)} if refinements else {}
        config = MSTCNConfig(channels=size(1, 6), generator_layers=size(1, 4), refinements=refinements, **depths)
    else:
        config = BCNConfig(
            channels=size(1, 6),
            cascade_stages=size(1, 3),
            layers=size(1, 3),
            fusion_channels=size(1, 6),
            barrier=BarrierGeneratorConfig(channels=size(1, 5), dilations=tuple(4 * 2**i for i in range(size(0, 5)))),
            **poolings(classes),
        )
    return system, config, classes


def expect_found(system: str, config: Any, classes: int, folder: Path, *, input_dim: int = 5, steps: int = 9) -> None:
    """A random network of ours, written as the program would, is read as the same network with the same answers."""
    torch.manual_seed(steps)
    network = ALL_SYSTEMS[system].network(config, input_dim, classes).eval()
    features = torch.randn(1, input_dim, steps)
    predictor = convert_reference(saved(folder, theirs(system, network.state_dict())), system)
    assert predictor.model.config == config
    assert (predictor.input_dim, len(predictor.labels)) == (input_dim, classes)
    found = predictor.predict(features[0].numpy())
    with torch.no_grad():
        wanted = network(features, torch.ones(1, steps, dtype=torch.bool))
    np.testing.assert_allclose(found.stages, wanted.stages[:, 0].numpy(), atol=1e-6, rtol=0)
    np.testing.assert_allclose(found.frame_scores, wanted.probabilities[0].numpy(), atol=1e-6, rtol=0)


@settings(max_examples=60)
@given(network=networks(), input_dim=st.integers(1, 6), steps=st.integers(1, 30))
def test_networks_of_any_size_are_found(
    network: tuple[str, Any, int], input_dim: int, steps: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    system, config, classes = network
    folder = tmp_path_factory.mktemp("weights")
    expect_found(system, config, classes, folder, input_dim=input_dim, steps=steps)


SMALL_BARRIER = BarrierGeneratorConfig(channels=3, dilations=(4, 8, 16, 32, 64, 128))


@pytest.mark.parametrize(
    ("system", "config"),
    {
        "other reductions": (
            "asformer",
            ASFormerConfig(
                channels=8, encoder_layers=2, decoders=1, decoder_layers=2, query_reduction=4, value_reduction=1
            ),
        ),
        "encoder alone": ("asformer", ASFormerConfig(channels=8, encoder_layers=3, decoders=0, decoder_layers=3)),
        "wide kernels": (
            "asformer",
            ASFormerConfig(channels=8, encoder_layers=1, decoders=1, decoder_layers=1, kernel_size=5),
        ),
        "more than ten": ("ms-tcn++", MSTCNConfig(channels=3, generator_layers=12, refinements=12)),
        "generator alone": ("ms-tcn++", MSTCNConfig(channels=4, generator_layers=3, refinements=0)),
        "deep barrier": (
            "bcn",
            BCNConfig(channels=4, cascade_stages=1, layers=2, fusion_channels=3, barrier=SMALL_BARRIER, **poolings(7)),
        ),
        "twelve stages": (
            "bcn",
            BCNConfig(channels=2, cascade_stages=12, layers=1, fusion_channels=3, barrier=SMALL_BARRIER, **poolings(7)),
        ),
    }.values(),
)
def test_sizes_that_the_goldens_do_not_have_are_found(system: str, config: Any, tmp_path: Path) -> None:
    expect_found(system, config, 7, tmp_path)


@pytest.mark.parametrize("classes", POOLINGS)
def test_poolings_of_bcn_follow_the_number_of_classes(classes: int, tmp_path: Path) -> None:
    """Published for GTEA (11 classes), Breakfast (48) and 50Salads (19 and any other); the weights do not tell."""
    axes = {name: [axis for axis, size in enumerate(value.shape) if size == 7] for name, value in golden("bcn").items()}
    assert sum(map(len, axes.values())) == 9  # three stages and the fusion of two tensors, what the fusion reads
    weights = golden("bcn")
    for name, each in axes.items():
        for axis in each:
            weights[name] = weights[name].index_select(axis, torch.arange(classes) % 7)
    config: Any = convert_reference(saved(tmp_path, weights), "bcn").model.config
    width, alpha, passes = POOLINGS[classes]
    assert (config.output_pooling.width, config.output_pooling.alpha) == (width, alpha)
    assert (config.smoothing.width, config.smoothing.alpha, config.smoothing_passes) == (width, 2.0, passes)
    assert (config.inner_pooling.width, config.inner_pooling.alpha) == (7, 1.0)


def without(parts: dict[str, str]) -> Callable[[str, Weights], Any]:
    """Weights without the names that begin with their system's part."""
    return lambda system, weights: {n: value for n, value in weights.items() if not n.startswith(parts[system])}


def with_first(change: Callable[[Tensor], Any]) -> Callable[[str, Weights], Any]:
    """Weights with another tensor for the first one that the program has."""
    return lambda system, weights: weights | {FIRST[system]: change(weights[FIRST[system]])}


NOT_THEIRS = r"not the weights of (ASFormer|MS-TCN\+\+|BCN) as its program names them "


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("change", "words"),
    {
        "no layer 2": (
            without(LAYER),
            NOT_THEIRS + r"\((encoder\.layers|PG\.conv_fusion|stage1\.layers)\.N\. occurs with the numbers N = \[0, 1,",
        ),
        "the first is missing": (
            without(FIRST),
            NOT_THEIRS + r"\(no tensor '(encoder\.conv_1x1|PG\.conv_1x1_in|stage1\.conv_1x1)\.weight'\)",
        ),
        "the last is missing": (
            without(LAST),
            NOT_THEIRS + r'\(Error.*: Missing key\(s\) in state_dict: ".*\.classify\.bias"',
        ),
        "one more": (
            lambda system, weights: weights | {"extra.weight": torch.ones(2)},
            NOT_THEIRS + r'\(Error.*: Unexpected key\(s\) in state_dict: "extra\.weight"',
        ),
        "one twice": (
            lambda system, weights: weights | {OURS[system]: weights[LAST[system]]},
            NOT_THEIRS + r"\(\S+ and another tensor are both \S+\.classify\.bias here",
        ),
        "one of another shape": (
            lambda system, weights: weights | {LAST[system]: torch.ones(8)},
            NOT_THEIRS + r"\(.*size mismatch for .*classify\.bias: copying a param with shape torch\.Size\(\[8\]\)",
        ),
        "flat": (with_first(lambda value: value[..., 0]), NOT_THEIRS + r"\(.*size mismatch for .*input\.weight"),
        "a number": (with_first(lambda value: value[0, 0, 0]), NOT_THEIRS + r"\(a tensor has too few axes"),
        "something else": (lambda system, weights: {"weight": torch.ones(2)}, NOT_THEIRS + r"\(no tensor '"),
        "half a prefix": (
            lambda system, weights: parallel(weights) | {LAST[system]: weights[LAST[system]]},
            NOT_THEIRS + r"\(no tensor '",
        ),
        "NaN": (
            with_first(lambda value: value.where(value != value[2, 3, 0], torch.nan)),
            "holds NaN or infinite values; take weights from before training failed",
        ),
        "infinite": (with_first(lambda value: value.double() + 1e300), "holds NaN or infinite values; take weights"),
        "nothing in it": (with_first(lambda value: value[:0]), "is empty or not an array of real numbers"),
        "complex": (with_first(lambda value: value * 1j), "is empty or not an array of real numbers; save the state"),
        "sparse": (with_first(lambda value: value.to_sparse()), "is empty or not an array of real numbers"),
        "without numbers": (with_first(lambda value: value.to("meta")), "is empty or not an array of real numbers"),
        "more than the file holds": (
            with_first(lambda value: torch.ones(1).expand(16, 10**9, 1)),  # 64 GB
            "is empty or not an array of real numbers",
        ),
    }.values(),
)
def test_weights_that_are_not_of_the_program_are_refused(
    change: Callable[[str, Weights], Any], words: str, system: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, change(system, golden(system)))
    with pytest.raises(BundleError, match=words) as caught:
        convert_reference(path, system)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    if NOT_THEIRS not in words:
        assert FIRST[system] in str(caught.value)  # the tensor by name


@settings(max_examples=40)
@given(system=st.sampled_from(SYSTEMS), which=st.randoms(use_true_random=False), missing=st.booleans())
def test_every_weight_is_needed_as_it_is(
    system: str, which: Any, missing: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    weights = golden(system)
    name = which.choice([name for name in weights if ".bn." not in name])
    value = weights.pop(name)
    if not missing:
        weights[name] = torch.cat((value, value[:1]))
    with pytest.raises(BundleError, match=NOT_THEIRS):
        convert_reference(saved(tmp_path_factory.mktemp("weights"), weights), system)


def test_batch_normalisations_of_bcn_are_left_out(tmp_path: Path) -> None:
    """They are in the program's state dict and never run."""
    weights = golden("bcn")
    ignored = [name for name in weights if ".bn." in name]
    assert len(ignored) == 5 * 4 * 4  # of each of the four layers of four stages
    expect_golden(
        convert_reference(saved(tmp_path, {n: v for n, v in weights.items() if n not in ignored}), "bcn"), "bcn"
    )


@pytest.mark.parametrize(("system", "other"), [(a, b) for a in SYSTEMS for b in SYSTEMS if a != b])
def test_weights_of_another_system_are_refused(system: str, other: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=NOT_THEIRS + r"\(no tensor '"):
        convert_reference(saved(tmp_path, golden(other)), system)


@pytest.mark.parametrize("how", ["zip", "old", "safetensors"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.999])
def test_files_that_are_cut_off_are_refused(how: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"cut.{'safetensors' if how == 'safetensors' else 'pth'}"
    if how == "safetensors":
        save_file(golden("ms-tcn++"), path)
    else:
        saved(tmp_path, golden("ms-tcn++"), path.name, _use_new_zipfile_serialization=how == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BundleError, match=r"cut\.\w+: (refused: .*, or is damaged|cannot be read as weights) \("):
        convert_reference(path, "ms-tcn++")


@pytest.mark.parametrize("suffix", ["pth", "pt", "model", "safetensors", "txt", ""])
@pytest.mark.parametrize("content", [b"", b"epoch 50: loss 0.3\n", bytes(1000), b"PK\3\4 no zip"])
def test_files_that_are_something_else_are_refused(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"weights\.\w*: (refused: .*, or is damaged|cannot be read as weights) \("):
        convert_reference(path, "bcn")


@pytest.mark.parametrize(
    ("content", "words"),
    {
        "list": ([torch.ones(2)], "expected tensors by name, got list; save the state dict alone"),
        "tensor": (torch.ones(2), "expected tensors by name, got Tensor"),
        "nothing": ({}, "expected tensors by name, got none"),
        "nothing inside": ({"state_dict": {}}, "expected tensors by name, got none"),
        "numbers for names": ({0: torch.ones(2)}, "expected tensors by name, got something else at 0"),
        "optimiser": (
            torch.optim.Adam([torch.ones(2, requires_grad=True)]).state_dict(),
            "expected tensors by name, got something else at 'state'; save the state dict alone",
        ),
        "a note beside": ({"a": torch.ones(2), "note": "best"}, "got something else at 'note'"),
        "a list inside": ({"state_dict": [torch.ones(2)]}, "got something else at 'state_dict'"),
        "a network": (torch.nn.Linear(2, 2), "refused: it holds something other than tensors.*nothing in it was exec"),
        "arrays": (
            {"a": np.ones(2)},
            r"refused: .*Save the state dict alone: torch\.save\(model\.state_dict\(\), file",
        ),
    }.values(),
)
def test_what_is_not_tensors_by_name_is_refused(content: Any, words: str, tmp_path: Path) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(BundleError, match=words) as caught:
        convert_reference(path, "asformer")
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_folders_and_what_is_not_there_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    with pytest.raises(BundleError, match=r"weights\.\w+: no such file; expected weights as \.pth, \.pt, \.model or"):
        convert_reference(path, "asformer")
    path.mkdir()
    with pytest.raises(BundleError, match=r"weights\.\w+: not a file; expected weights"):
        convert_reference(path, "asformer")


def test_a_file_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    """torch stores, and reads what is compressed: 100 kB would take 100 MB, or any number of GB."""
    path = saved(tmp_path, {"a": torch.zeros(25_000_000)})
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    assert len(torch.load(path, weights_only=True)["a"]) == 25_000_000  # so it was a trap
    with pytest.raises(BundleError, match=r"refused: .*\(ValueError\)"):
        convert_reference(path, "ms-tcn++")


def test_many_tensors_of_the_same_numbers_are_refused(tmp_path: Path) -> None:
    """Each of them would get memory of its own."""
    common = torch.zeros(100_000)
    path = saved(tmp_path, {f"a{number}": common[:] for number in range(100)})
    with pytest.raises(BundleError, match=r"its tensors hold far more numbers than the file"):
        convert_reference(path, "ms-tcn++")


class Executes:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("name", ["epoch-50.pth", "epoch-50.pt", "epoch-50.model", "weights.safetensors", "weights"])
@pytest.mark.parametrize("how", ["zip", "old", "pickle"])
@pytest.mark.parametrize("place", ["alone", "among the weights"])
def test_code_in_the_file_is_never_executed(
    place: str, how: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the environment tells torch to trust every file."""
    path, mark = tmp_path / name, tmp_path / "executed"
    trap: Any = Executes(mark) if place == "alone" else golden("ms-tcn++") | {"PG.note": Executes(mark)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(trap, protocol=2))
    else:
        saved(tmp_path, trap, name, _use_new_zipfile_serialization=how == "zip")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(BundleError) as caught:
        convert_reference(path, "ms-tcn++")
    assert str(caught.value).startswith(f"{path}: ")
    if not name.endswith("safetensors"):
        assert "refused: it holds something other than tensors" in str(caught.value)
    assert not mark.exists()
    content = path.read_bytes()
    pickle.loads(content) if how == "pickle" else torch.load(io.BytesIO(content), weights_only=False)
    assert mark.exists()  # so it was a trap
