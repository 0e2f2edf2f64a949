"""Weights that the systems' reference programs trained, as predictors and bundles; sizes come from names and shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from pathlib import Path

import torch
from pydantic import BaseModel, ValidationError

from keyseg.data.dataset_file import DatasetFile, read_dataset_file
from keyseg.data.known_datasets import identify
from keyseg.inference.bundle import CONFIG, WEIGHTS, save_bundle
from keyseg.inference.decoders import FrameDecoder
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import system_named
from keyseg.inference.weight_files import Weights, brief_reason, read_weights
from keyseg.models.asformer import ASFormerConfig
from keyseg.models.barrier import BarrierGeneratorConfig, PoolingConfig
from keyseg.models.bcn import BCNConfig
from keyseg.models.ms_tcn import MSTCNConfig
from keyseg.timeline import BundleError, ConfigError, LabelMap, OutputExistsError, TimeBase, nearest
from keyseg.timeline.files import file_sha256

# Patterns in the reference program's names and what replaces them here, applied in order.
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


def import_weights(
    weights: Path,
    *,
    model: str,
    out: Path,
    mapping: Path | None = None,
    background: Collection[str] | None = None,
    fps: Fraction | None = None,
    sample_rate: int | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Make a bundle from weights that a system's reference program trained.

    For example: `keyseg import-weights epoch-120.model --model asformer --out BUNDLE`. All sizes are read from the
    names and shapes of the tensors. Nothing in the file is executed; a file that holds anything but tensors is refused,
    and nothing is written.

    Args:
        weights: State dict as .pth, .pt, .model (torch) or .safetensors.
        model: System that the weights belong to, such as asformer; a wrong name lists those that can be imported.
        out: Folder for the bundle.
        mapping: mapping.txt of the data set, which names the classes; dataset.yaml beside it is read too. Default:
            class0, class1, ...
        background: Names of classes that are not actions; none for no such class. Default: the class 'background'.
        fps: Annotation frames per second, such as 15 or 30000/1001. Default: that of the data set with these classes,
            else 15.
        sample_rate: Annotation frames per feature step. Default: the usual one for the data set with these classes (2
            for 50Salads), else 1.
        force: Overwrite an existing bundle.
        report: Called with a line about the sizes of the network.

    Returns:
        The bundle's folder.
    """
    _reader(model)
    if out.exists() and not force:
        raise OutputExistsError(f"{out} exists; choose another --out or use --force")
    if out.exists() and not (out.is_dir() and {file.name for file in out.iterdir()} <= {CONFIG, WEIGHTS}):
        raise OutputExistsError(f"{out} exists and is not just a bundle; choose another --out")
    if mapping is None and background is not None:
        raise ConfigError("--background names classes, which have no names without --mapping; give both")
    stated = DatasetFile() if mapping is None else read_dataset_file(mapping.parent)
    labels = (
        None if mapping is None else LabelMap.read(mapping, stated.background if background is None else background)
    )
    facts = identify(labels.names) if labels else None
    usual = TimeBase(facts.fps, facts.sample_rate) if facts else TimeBase()
    fps = next(value for value in (fps, stated.fps, usual.fps) if value is not None)
    rates = (sample_rate, stated.sample_rate, usual.sample_rate)
    timebase = TimeBase(fps, next(value for value in rates if value is not None))
    predictor = convert_reference(weights, model, labels, timebase)
    save_bundle(predictor, out, {"converted from": weights.name, "sha256": file_sha256(weights)}, force=force)
    sizes = predictor.model.config.model_dump(exclude_defaults=True)
    described = ", ".join(f"{name} {value}" for name, value in sizes.items()) or "the published sizes"
    parameters = sum(parameter.numel() for parameter in predictor.model.parameters())
    report(
        f"{system_named(model).title}: {predictor.input_dim} channels in, {len(predictor.labels)} classes,"
        f" {parameters:,} parameters; {described}"
    )
    return out


def convert_reference(
    path: Path, system: str, labels: LabelMap | None = None, timebase: TimeBase | None = None
) -> Predictor:
    """Predictor of a reference program's weights, in a .pth, .pt, .model or .safetensors file.

    system: `asformer`, `ms-tcn++` or `bcn`. labels: the classes, None for class0, class1, ... timebase: None for 15
    frames per second and one step per frame. Nothing in the file is executed.
    Raises ConfigError on another system, and BundleError on a file of another kind, on weights of another network, and
    on weights that are not finite.
    """
    read = _reader(system)
    tensors = read_weights(path)
    try:
        config, weights, input_dim, classes = read(tensors)
        with torch.device("meta"):
            network = system_named(system).network(config, input_dim, classes)
        network.load_state_dict(weights, assign=True)
    except (KeyError, IndexError, ValueError, ValidationError, RuntimeError) as error:
        raise BundleError(
            f"{path}: not the weights of {system_named(system).title} as its program names them ({brief_reason(error)})"
        ) from error
    if labels is not None and len(labels) != classes:
        raise BundleError(
            f"{path}: weights for {classes} classes, but the mapping has {len(labels)}; name the one of training"
        )
    names = labels or LabelMap(tuple(f"class{i}" for i in range(classes)))
    return Predictor(
        system=system,
        model=network.float().eval(),
        labels=names,
        timebase=timebase or TimeBase(),
        decoder=FrameDecoder(),
    )


def _asformer(tensors: Weights) -> tuple[BaseModel, Weights, int, int]:
    first, query = tensors["encoder.conv_1x1.weight"], tensors["encoder.layers.0.att_layer.query_conv.weight"]
    value = tensors["encoder.layers.0.att_layer.value_conv.weight"]
    decoders = _count(tensors, r"decoders\.(\d+)\.")
    depth = _count(tensors, r"encoder\.layers\.(\d+)\.")
    config = ASFormerConfig(
        channels=first.shape[0],
        encoder_layers=depth,
        decoders=decoders,
        decoder_layers=_count(tensors, r"decoders\.0\.layers\.(\d+)\.") if decoders else depth,
        kernel_size=tensors["encoder.layers.0.feed_forward.layer.0.weight"].shape[2],
        query_reduction=query.shape[1] // query.shape[0],
        value_reduction=value.shape[1] // value.shape[0],
    )
    classes = tensors["encoder.conv_out.weight"].shape[0]
    return config, _renamed(tensors, _ASFORMER), first.shape[1], classes


def _ms_tcn(tensors: Weights) -> tuple[BaseModel, Weights, int, int]:
    first = tensors["PG.conv_1x1_in.weight"]
    refinements = _count(tensors, r"Rs\.(\d+)\.")
    sizes = {"refinement_layers": _count(tensors, r"Rs\.0\.layers\.(\d+)\.")} if refinements else {}
    config = MSTCNConfig(
        channels=first.shape[0],
        generator_layers=_count(tensors, r"PG\.conv_fusion\.(\d+)\."),
        refinements=refinements,
        **sizes,
    )
    return config, _renamed(tensors, _MS_TCN), first.shape[1], tensors["PG.conv_out.weight"].shape[0]


def _bcn(tensors: Weights) -> tuple[BaseModel, Weights, int, int]:
    """Poolings leave no trace in names and shapes: these are the ones published for a data set of so many classes."""
    tensors = {name: value for name, value in tensors.items() if ".bn." not in name}  # never used in that program
    first, classes = tensors["stage1.conv_1x1.weight"], tensors["stage1.conv_out.weight"].shape[0]
    barrier = _count(tensors, r"bgm\.layers\.(\d+)\.")
    width, alpha, passes = {11: (99, 1.0, 0), 48: (159, 0.3, 4)}.get(classes, (99, 0.2, 4))  # GTEA, Breakfast, 50Salads
    config = BCNConfig(
        channels=first.shape[0],
        cascade_stages=1 + _count(tensors, r"stages\.(\d+)\."),
        layers=_count(tensors, r"stage1\.layers\.(\d+)\."),
        fusion_channels=tensors["stageF.conv_1x1.weight"].shape[0],
        barrier=BarrierGeneratorConfig(
            channels=tensors["bgm.conv_in.weight"].shape[0], dilations=tuple(2 ** (i + 2) for i in range(barrier))
        ),
        output_pooling=PoolingConfig(width=width, alpha=alpha),
        smoothing=PoolingConfig(width=width, alpha=2.0),
        smoothing_passes=passes,
    )
    stages = {re.sub(r"^stages\.(\d+)\.", lambda m: f"stages.{int(m[1]) + 1}.", name): w for name, w in tensors.items()}
    stages = {re.sub(r"^stage1\.", "stages.0.", name): value for name, value in stages.items()}
    return config, _renamed(stages, _BCN), first.shape[1], classes


_Reader = Callable[[Weights], tuple[BaseModel, Weights, int, int]]  # config, weights, input channels, classes
_READERS: dict[str, _Reader] = {"asformer": _asformer, "ms-tcn++": _ms_tcn, "bcn": _bcn}


def _reader(system: str) -> _Reader:
    if system not in _READERS:
        raise ConfigError(
            f"no weights of {system!r} can be imported{nearest(system, _READERS)}; known: {', '.join(_READERS)}"
        )
    return _READERS[system]


def _count(weights: Weights, pattern: str) -> int:
    """How many numbers 0, 1, ... occur at one place of the names. Raises ValueError where one is missing."""
    numbers = {int(match[1]) for name in weights if (match := re.match(pattern, name))}
    if numbers != set(range(len(numbers))):
        place = pattern.replace(r"(\d+)", "N").replace("\\", "")
        raise ValueError(f"{place} occurs with the numbers N = {sorted(numbers)}, some are missing")
    return len(numbers)


def _renamed(weights: Weights, patterns: Sequence[tuple[str, str]]) -> Weights:
    """Weights under our names. Raises ValueError where two get the same name."""
    renamed: Weights = {}
    for name, value in weights.items():
        ours = name
        for pattern, replacement in patterns:
            ours = re.sub(pattern, replacement, ours)
        if ours in renamed:
            raise ValueError(f"{name} and another tensor are both {ours} here")
        renamed[ours] = value
    return renamed
