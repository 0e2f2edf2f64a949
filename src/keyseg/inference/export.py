"""Networks for other programs: as ONNX in a bundle, or as programs of torch.export, checked against torch."""

from __future__ import annotations

import json
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbolic

from keyseg.inference.bundle import CARD, CONFIG, config_text, find_bundle, load, member_prefixes, read_config
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.onnx_network import (
    FRAME_OUTPUTS,
    INPUTS,
    KEYPOINT_OUTPUTS,
    NETWORK,
    REFINER,
    REFINER_OUTPUTS,
    SUFFIX,
    OnnxNetwork,
)
from keyseg.inference.predictor import Predictor
from keyseg.inference.weight_files import brief_reason
from keyseg.matching.nodes import KeypointNodes
from keyseg.models.attention import LocalAttention
from keyseg.models.network import Network
from keyseg.models.refinement import KeypointMaps
from keyseg.models.rtk import RTK, RTKOutput
from keyseg.models.stages import FrameOutput
from keyseg.timeline import BundleError, OutputExistsError
from keyseg.timeline.extras import extra
from keyseg.timeline.files import file_sha256, read_text, whole_folder, write_bytes, write_text

TOLERANCE = 1e-4
"""Largest difference from torch, in any number of any output."""

_OPSET = 18
_STEPS = (1, 2, 37, 500, 3000)  # lengths at which the two are compared
_DESCRIBING = {"keyseg", "model", "model_version", "licence", "classes", "background", "fps", "sample_rate"}
_DESCRIBING |= {"input_dim", "orientation", "presampled", "features"}


def export(
    bundle: Path | str,
    *,
    to: Literal["onnx", "torch"] = "onnx",
    out: Path | str,
    force: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write the network of a bundle as ONNX or as a program of torch.export, for videos of any length.

    With `onnx`, OUT is a bundle that `load` and every verb open like others; onnxruntime runs it. With `torch`, OUT
    holds `model.pt2` for other programs; keyseg does not open it. RTK's refinement, if it was trained, is a file of its
    own beside the network; of an ensemble, every network has its files. Each file names classes, time base and features
    of the model. What was written is compared with torch on random features of several lengths, and refused if a
    number differs by more than 0.0001. Needs the extra `export`.

    Args:
        bundle: Folder of a bundle, or of a run that holds one; or owner/name on the Hugging Face Hub.
        to: onnx, for onnxruntime and others; or torch, for torch.export.load.
        out: New folder.
        force: Replace what an earlier export wrote to OUT.
        report: Called with a line about each file.

    Returns:
        The folder.

    Raises BundleError on a damaged bundle, on one that is in ONNX already, and if the results differ; OutputExistsError
    if the folder exists.

    >>> export("kitchen", out="kitchen-onnx")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    keyseg.timeline.errors.BundleError: kitchen: no bundle here; expected a folder with config.json and ...
    """
    out = Path(out)
    _refuse_existing(out, force)
    folder = find_bundle(Path(bundle))
    config = read_config(folder)
    if config.is_onnx:
        raise BundleError(f"{folder} is in ONNX already; export the bundle that it was made from")
    if to == "onnx":
        with extra("export", "ONNX"):
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
            import onnxscript  # noqa: F401
    public = config.model_copy(update={"features": config.features and config.features.without_folders()})
    described = public.model_dump(mode="json", include=_DESCRIBING, exclude_none=True)
    parts = _parts(load(folder), member_prefixes(config.members), report)
    with whole_folder(out) as partial, torch.no_grad():
        if to == "torch":
            for name, part in parts.items():
                program, file, content = _program(part), f"{name}.pt2", BytesIO()
                with _silent():
                    torch.export.save(program, content, extra_files={"keyseg.json": json.dumps(described)})
                write_bytes(partial / file, content.getvalue())
                report(f"{file}: torch {torch.__version__}; {_compare(file, part, program.module(check_guards=False))}")
            return out
        for name, part in parts.items():
            write_bytes(partial / f"{name}{SUFFIX}", _onnx(_program(part), part, described))
        sha256 = {file.name: file_sha256(file) for file in sorted(partial.iterdir())}
        write_text(partial / CONFIG, config_text(config.model_copy(update={"sha256": sha256})))
        if (folder / CARD).is_file():
            write_text(partial / CARD, read_text(folder / CARD, "a model card"))
        for (name, part), run in zip(parts.items(), _runners(load(partial)), strict=True):
            report(f"{name}{SUFFIX}: opset {_OPSET}; {_compare(name + SUFFIX, part, run)}")
    return out


class _Part(nn.Module, ABC):
    """What becomes one file: tensors in by name, tensors out as a tuple."""

    inputs: Mapping[str, str]  # with their axes, as the outputs
    outputs: Mapping[str, str]

    @abstractmethod
    def example(self, steps: int) -> tuple[Tensor, ...]:
        """Random inputs for a video of T steps."""


class _WholeNetwork(_Part):
    inputs = INPUTS[NETWORK]

    def __init__(self, network: Network, outputs: Mapping[str, str]) -> None:
        super().__init__()
        self.network, self.outputs = network, outputs

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        output = self.network(features)
        return tuple(getattr(output, field.name) for field in fields(output) if field.name != "mask")

    def example(self, steps: int) -> tuple[Tensor, ...]:
        return (torch.randn(1, self.network.input_dim, steps),)


class _Refinement(_Part):
    inputs, outputs = INPUTS[REFINER], REFINER_OUTPUTS

    def __init__(self, network: RTK) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        features: Tensor,
        action: Tensor,
        boundary: Tensor,
        frames: Tensor,
        time: Tensor,
        kind: Tensor,
        label: Tensor,
        confidence: Tensor,
    ) -> tuple[Tensor, ...]:
        maps = KeypointMaps(features, action, boundary, frames, torch.ones_like(boundary, dtype=torch.bool))
        nodes = KeypointNodes(time, kind, label, confidence, torch.ones_like(kind, dtype=torch.bool))
        scores = self.network.refiner(maps, nodes)
        return scores.graph.nodes, scores.keep, scores.classes, scores.shift

    def example(self, steps: int) -> tuple[Tensor, ...]:
        shape = 1, steps // 3 + 1
        maps = self.network(torch.randn(1, self.network.input_dim, steps)).maps()
        time = torch.randint(steps, shape).sort().values.float()
        kind, label = torch.randint(2, shape), torch.randint(self.network.classes, shape)
        return maps.features, maps.action, maps.boundary, maps.frames, time, kind, label, torch.rand(shape)


def _parts(predictor: Predictor, prefixes: Sequence[str], report: Callable[[str], None]) -> dict[str, _Part]:
    """What is exported, by the names of the files. Raises BundleError on networks whose output keyseg does not know."""
    decoder, parts = predictor.decoder, dict[str, _Part]()
    keypoints = isinstance(decoder, KeypointDecoder)
    if isinstance(decoder, KeypointDecoder) and not decoder.refine:
        report("the refinement was not trained, so it takes no part and is not exported")
    for prefix, network in zip(prefixes, predictor.networks, strict=True):
        output = predictor.model(torch.zeros(1, predictor.input_dim, 2))
        if not isinstance(output, RTKOutput if keypoints else FrameOutput):
            raise BundleError(f"networks of {predictor.system} cannot be exported: they give {type(output).__name__}")
        parts[prefix + NETWORK] = _WholeNetwork(network, KEYPOINT_OUTPUTS if keypoints else FRAME_OUTPUTS)
        if isinstance(decoder, KeypointDecoder) and decoder.refine and isinstance(network, RTK):
            parts[prefix + REFINER] = _Refinement(network)
    return parts


def _runners(predictor: Predictor) -> Iterator[Callable[..., tuple[Tensor, ...]]]:
    """The same parts as the bundle in ONNX has them."""
    for network in predictor.networks:
        assert isinstance(network, OnnxNetwork)
        yield network.model.run
        if network.refinement is not None:
            yield network.refinement.run


def _longest(part: _Part) -> int:
    """Steps of the longest video: it has two windows of the widest attention, so that their number is not constant."""
    widest = max((layer.window for layer in part.modules() if isinstance(layer, LocalAttention)), default=1)
    return max(_STEPS[-1], 2 * widest + 1)


def _program(part: _Part) -> ExportedProgram:
    """The part as a program whose T and M are open. Raises BundleError if torch cannot make one.

    `backed_size_oblivious` makes a length of 1 one like others.
    """
    shapes = {
        name: {place: Dim.DYNAMIC for place, axis in enumerate(axes) if axis in "TM"}
        for name, axes in part.inputs.items()
    }
    try:
        with _silent(), symbolic.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
            return torch.export.export(part, part.example(_longest(part)), dynamic_shapes=shapes)
    except Exception as error:  # torch has many kinds
        raise BundleError(f"torch cannot export this network ({brief_reason(error)})") from error


def _onnx(program: ExportedProgram, part: _Part, described: Mapping[str, Any]) -> bytes:
    """The content of an ONNX file. Raises BundleError if torch cannot make one."""
    shapes = {
        name: {place: axis for place, axis in enumerate(axes) if axis in "TM"} for name, axes in part.inputs.items()
    }
    try:
        with _silent():
            made = torch.onnx.export(
                program,
                input_names=list(part.inputs),
                output_names=list(part.outputs),
                dynamic_shapes=shapes,
                opset_version=_OPSET,
                verbose=False,
            )
    except Exception as error:
        raise BundleError(f"torch cannot write this network as ONNX ({brief_reason(error)})") from error
    assert made is not None
    model = made.model_proto
    for name, value in described.items():
        model.metadata_props.add(key=name, value=value if isinstance(value, str) else json.dumps(value))
    content: bytes = model.SerializeToString()
    return content


def _compare(file: str, part: _Part, run: Callable[..., Sequence[Tensor]]) -> str:
    """How far the outputs of a file are from those of torch, in words. Raises BundleError above `TOLERANCE`."""
    lengths = sorted({*_STEPS, _longest(part)})
    largest = dict.fromkeys(part.outputs, 0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for steps in lengths:
            inputs = part.example(steps)
            for name, ours, theirs in zip(part.outputs, part(*inputs), run(*inputs), strict=True):
                largest[name] = max(largest[name], difference := float((ours - theirs).abs().max()))
                if not difference <= TOLERANCE:  # nor NaN
                    raise BundleError(
                        f"{file}: {name} differs from torch by {difference:.2g} at {steps} steps, and {TOLERANCE:g} is"
                        " the most; nothing was written"
                    )
    differences = ", ".join(f"{name} {value:.1e}" for name, value in largest.items())
    return f"at {', '.join(f'{steps:,}' for steps in lengths)} steps it differs from torch by at most {differences}"


def _refuse_existing(out: Path, force: bool) -> None:
    """Raise OutputExistsError unless `out` is new, or by force if it holds an export and nothing else."""
    if out.exists() and not force:
        raise OutputExistsError(f"{out} exists; choose another --out or use --force")
    ours = (CONFIG, CARD, f"*{SUFFIX}", "*.pt2")
    if out.exists() and not (out.is_dir() and all(any(map(file.match, ours)) for file in out.iterdir())):
        raise OutputExistsError(f"{out} exists and is not just an export; choose another --out")


@contextmanager
def _silent() -> Iterator[None]:
    """Inside this context exporters neither log nor warn: what was written is checked."""
    levels = {logger: logger.level for logger in map(logging.getLogger, ("torch", "onnxscript"))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in levels:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in levels.items():
                logger.setLevel(level)
