"""Weights that the reference programs trained, made into predictors: sizes are read from names and shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from keyseg.inference.decoders import FrameDecoder
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import system_named
from keyseg.models.asformer import ASFormerConfig
from keyseg.models.barrier import BarrierGeneratorConfig, PoolingConfig
from keyseg.models.bcn import BCNConfig
from keyseg.models.ms_tcn import MSTCNConfig
from keyseg.timeline import BundleError, LabelMap, TimeBase

Weights = dict[str, Tensor]

# Patterns of the reference program's names and what stands in their place here, applied in order.
_ASFORMER = (
    (r"^(encoder|decoders)\.", r"backbone.\1."),
    (r"\.layers\.(\d+)\.feed_forward\.layer\.0\.", r".blocks.\1.feed_forward."),
    (r"\.layers\.(\d+)\.att_layer\.conv_out\.", r".blocks.\1.attention.out."),
    (r"\.layers\.(\d+)\.att_layer\.(query|key|value)_conv\.", r".blocks.\1.attention.\2."),
    (r"\.layers\.(\d+)\.conv_1x1\.", r".blocks.\1.out."),
    (r"\.conv_1x1\.", ".input."),
    (r"\.conv_out\.", ".classify."),
)
_DILATED_STAGE = (
    (r"\.layers\.(\d+)\.conv_dilated\.", r".layers.\1.dilated."),
    (r"\.layers\.(\d+)\.conv_1x1\.", r".layers.\1.out."),
    (r"\.conv_1x1\.", ".input."),
    (r"\.conv_out\.", ".classify."),
)
_MS_TCN = (
    (r"^PG\.conv_1x1_in\.", "generator.input."),
    (r"^PG\.conv_dilated_1\.(\d+)\.", r"generator.layers.\1.falling."),
    (r"^PG\.conv_dilated_2\.(\d+)\.", r"generator.layers.\1.growing."),
    (r"^PG\.conv_fusion\.(\d+)\.", r"generator.layers.\1.fuse."),
    (r"^PG\.", "generator."),
    (r"^Rs\.", "refinements."),
    *_DILATED_STAGE,
)
_BCN = (
    (r"^bgm\.conv_in\.", "barrier.input."),
    (r"^bgm\.conv_out\.", "barrier.out."),
    (r"^bgm\.", "barrier."),
    (r"^stageF\.", "fusion."),
    *_DILATED_STAGE,
)


def convert_reference(
    path: Path, system: str, labels: LabelMap | None = None, timebase: TimeBase | None = None
) -> Predictor:
    """Predictor of a reference program's weights: `asformer`, `ms-tcn++` or `bcn`; .pth, .pt, .model or .safetensors.

    labels: the classes, None for class0, class1, ...; timebase: None for 15 frames a second, a step a frame.
    Nothing in the file is executed. Raises BundleError on a file of another kind, on weights of another network, and on
    weights that are not finite.
    """
    found = _without_prefix({name: _numbers(path, name, value) for name, value in read_weights(path).items()})
    try:
        config, weights, input_dim, classes = _READERS[system](found)
        with torch.device("meta"):
            network = system_named(system).network(config, input_dim, classes)
        network.load_state_dict(weights, assign=True)
    except (KeyError, IndexError, ValueError, ValidationError, RuntimeError) as error:
        raise BundleError(
            f"{path}: not the weights of {system_named(system).title} as its program names them ({_brief(error)})"
        ) from error
    if labels is not None and len(labels) != classes:
        raise BundleError(
            f"{path}: weights for {classes} classes, and the mapping has {len(labels)}; give the right one"
        )
    names = labels or LabelMap(tuple(f"class{i}" for i in range(classes)))
    return Predictor(
        system=system,
        model=network.float().eval(),
        labels=names,
        timebase=timebase or TimeBase(),
        decoder=FrameDecoder(),
    )


def read_weights(path: Path) -> Weights:
    """Tensors by name of a checkpoint. Raises BundleError if it is missing, damaged, or holds anything but tensors."""
    if not path.is_file():
        found = "not a file" if path.exists() else "no such file"
        raise BundleError(f"{path}: {found}; expected weights as .pth, .pt, .model or .safetensors")
    try:
        if path.suffix.lower() == ".safetensors":
            return dict(load_file(path))
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read as weights ({_brief(error)})") from error
    except Exception as error:  # torch raises many kinds
        raise BundleError(
            f"{path}: refused: it holds something other than tensors, or is damaged ({type(error).__name__}); nothing"
            " in it was executed. Save the state dict alone: torch.save(model.state_dict(), file)"
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        got = "none" if isinstance(content, Mapping) else type(content).__name__
        raise BundleError(f"{path}: expected tensors by name, got {got}; save the state dict alone")
    other = [name for name, value in content.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if other:
        raise BundleError(
            f"{path}: expected tensors by name, got something else at {other[0]!r}; save the state dict alone"
        )
    return dict(content)


def _numbers(path: Path, name: str, value: Tensor) -> Tensor:
    """A tensor as float32 in memory of its own. Raises BundleError unless it is a plain array of finite numbers, as
    many as the file holds."""
    plain = value.layout == torch.strided and not (value.is_complex() or value.is_quantized or value.is_meta)
    if not plain or value.is_nested or value.numel() == 0 or value.untyped_storage().nbytes() < value.nbytes:
        raise BundleError(f"{path}: {name} is empty or not an array of real numbers; save the state dict anew")
    numbers = value.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if not numbers.isfinite().all():
        raise BundleError(f"{path}: {name} holds NaN or infinite values; take weights from before training failed")
    return numbers


def _without_prefix(weights: Weights) -> Weights:
    """Names without the `module.` that data-parallel training puts before them."""
    if all(name.startswith("module.") for name in weights):
        return {name.removeprefix("module."): value for name, value in weights.items()}
    return weights


def _asformer(found: Weights) -> tuple[BaseModel, Weights, int, int]:
    first, query = found["encoder.conv_1x1.weight"], found["encoder.layers.0.att_layer.query_conv.weight"]
    value = found["encoder.layers.0.att_layer.value_conv.weight"]
    decoders = _count(found, r"decoders\.(\d+)\.")
    depth = _count(found, r"encoder\.layers\.(\d+)\.")
    config = ASFormerConfig(
        channels=first.shape[0],
        encoder_layers=depth,
        decoders=decoders,
        decoder_layers=_count(found, r"decoders\.0\.layers\.(\d+)\.") if decoders else depth,
        kernel_size=found["encoder.layers.0.feed_forward.layer.0.weight"].shape[2],
        query_reduction=query.shape[1] // query.shape[0],
        value_reduction=value.shape[1] // value.shape[0],
    )
    classes = found["encoder.conv_out.weight"].shape[0]
    return config, _renamed(found, _ASFORMER), first.shape[1], classes


def _ms_tcn(found: Weights) -> tuple[BaseModel, Weights, int, int]:
    first = found["PG.conv_1x1_in.weight"]
    refinements = _count(found, r"Rs\.(\d+)\.")
    sizes = {"refinement_layers": _count(found, r"Rs\.0\.layers\.(\d+)\.")} if refinements else {}
    config = MSTCNConfig(
        channels=first.shape[0],
        generator_layers=_count(found, r"PG\.conv_fusion\.(\d+)\."),
        refinements=refinements,
        **sizes,
    )
    return config, _renamed(found, _MS_TCN), first.shape[1], found["PG.conv_out.weight"].shape[0]


def _bcn(found: Weights) -> tuple[BaseModel, Weights, int, int]:
    """Poolings leave no trace in names and shapes: those published for a data set of so many classes."""
    found = {name: value for name, value in found.items() if ".bn." not in name}  # never used in that program
    first, classes = found["stage1.conv_1x1.weight"], found["stage1.conv_out.weight"].shape[0]
    barrier = _count(found, r"bgm\.layers\.(\d+)\.")
    width, alpha, passes = {11: (99, 1.0, 0), 48: (159, 0.3, 4)}.get(classes, (99, 0.2, 4))  # GTEA, Breakfast, 50Salads
    config = BCNConfig(
        channels=first.shape[0],
        cascade_stages=1 + _count(found, r"stages\.(\d+)\."),
        layers=_count(found, r"stage1\.layers\.(\d+)\."),
        fusion_channels=found["stageF.conv_1x1.weight"].shape[0],
        barrier=BarrierGeneratorConfig(
            channels=found["bgm.conv_in.weight"].shape[0], dilations=tuple(2 ** (i + 2) for i in range(barrier))
        ),
        output_pooling=PoolingConfig(width=width, alpha=alpha),
        smoothing=PoolingConfig(width=width, alpha=2.0),
        smoothing_passes=passes,
    )
    stages = {re.sub(r"^stages\.(\d+)\.", lambda m: f"stages.{int(m[1]) + 1}.", name): w for name, w in found.items()}
    stages = {re.sub(r"^stage1\.", "stages.0.", name): value for name, value in stages.items()}
    return config, _renamed(stages, _BCN), first.shape[1], classes


_READERS: dict[str, Callable[[Weights], tuple[BaseModel, Weights, int, int]]] = {
    "asformer": _asformer,
    "ms-tcn++": _ms_tcn,
    "bcn": _bcn,
}


def _count(weights: Weights, pattern: str) -> int:
    """How many numbers 0, 1, ... stand at a place of the names. Raises ValueError where one is missing."""
    numbers = {int(match[1]) for name in weights if (match := re.match(pattern, name))}
    if numbers != set(range(len(numbers))):
        place = pattern.replace(r"(\d+)", "N").replace("\\", "")
        raise ValueError(f"{place} stands with the numbers N = {sorted(numbers)}, some are missing")
    return len(numbers)


def _renamed(weights: Weights, patterns: Sequence[tuple[str, str]]) -> Weights:
    """Weights under our names. Raises ValueError where two have one name here."""
    renamed: Weights = {}
    for name, value in weights.items():
        ours = name
        for pattern, replacement in patterns:
            ours = re.sub(pattern, replacement, ours)
        if ours in renamed:
            raise ValueError(f"{name} and another tensor are both {ours} here")
        renamed[ours] = value
    return renamed


def _brief(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no tensor {error}"
    if isinstance(error, IndexError):
        return "a tensor has too few axes"
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())[:240]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2])[:240]
