"""Networks in ONNX files, which onnxruntime runs in place of torch's; the files may come from strangers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.weight_files import brief_reason
from keyseg.matching.graph import TemporalGraph
from keyseg.matching.nodes import KeypointNodes
from keyseg.models.layers import mask_of
from keyseg.models.network import Network
from keyseg.models.refinement import KeypointMaps, Refinement
from keyseg.models.rtk import RTKOutput
from keyseg.models.stages import FrameOutput
from keyseg.timeline import BundleError, ConfigError
from keyseg.timeline.extras import extra
from keyseg.timeline.files import refuse_special

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

    from keyseg.inference.bundle import BundleConfig

SUFFIX = ".onnx"
NETWORK, REFINER = "model", "refiner"
"""Names of the files of a network and of its refinement, without their suffix."""

_Axes = Mapping[str, str]
# The axes of each array: one video (B = 1) of T steps and M keypoints; D, F and E are channels, C classes, S stages.
INPUTS = {
    NETWORK: {"features": "BDT"},
    REFINER: {"features": "BFT", "action": "BCT", "boundary": "BT", "frames": "BCT"}
    | dict.fromkeys(("time", "kind", "label", "confidence"), "BM"),
}
FRAME_OUTPUTS = {"stages": "SBCT", "probabilities": "BCT"}
KEYPOINT_OUTPUTS = {"hidden": "BFT", "frame_logits": "SBCT", "action_logits": "BCT", "boundary_logits": "BT"}
REFINER_OUTPUTS = {"nodes": "BME", "keep": "BM", "classes": "BMC", "shift": "BM"}

_PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


class OnnxModel:
    """One ONNX file in onnxruntime.

    inputs, outputs: names of its arrays, with their axes. largest: its largest weight. Raises BundleError on a file
    that is damaged or that refers to others, and on weights that are not finite.
    """

    def __init__(self, path: Path, content: bytes, inputs: _Axes, outputs: _Axes, classes: int) -> None:
        self.path, self.inputs, self.outputs, self.classes = path, inputs, outputs, classes
        self._content, self._device = content, ""
        self._session: InferenceSession | None = None
        self.largest = max((_largest(path, tensor) for tensor in _tensors(_parsed(path, content))), default=0.0)

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs, on the device of the inputs. Raises BundleError if they have other sizes than the network's."""
        session = self._opened(inputs[0].device.type)
        try:
            given = {name: value.cpu().numpy() for name, value in zip(self.inputs, inputs, strict=True)}
            arrays = session.run(list(self.outputs), given)
        except Exception as error:  # onnxruntime has many kinds
            raise _refusal(self.path, brief_reason(error)) from error
        shapes = zip(self.inputs.values(), (value.shape for value in inputs), strict=True)
        sizes = {axis: size for axes, shape in shapes for axis, size in zip(axes, shape, strict=True)}
        sizes["C"] = self.classes
        for (name, axes), array in zip(self.outputs.items(), arrays, strict=True):
            shape = getattr(array, "shape", ())
            right = len(shape) == len(axes) and all(sizes.get(a, n) == n for a, n in zip(axes, shape, strict=True))
            if not right or array.dtype != np.float32:
                raise _refusal(self.path, f"{name} has the shape {shape}, expected {axes} with {sizes}")
        return tuple(torch.from_numpy(array).to(inputs[0].device) for array in arrays)

    def _opened(self, device: str) -> InferenceSession:
        """The session on a kind of device; it is kept. Raises ConfigError if onnxruntime cannot run there."""
        if self._session is not None and self._device == device:
            return self._session
        import onnxruntime

        providers = _PROVIDERS.get(device, [device])
        if providers[0] not in onnxruntime.get_available_providers():
            raise ConfigError(f"onnxruntime cannot run on {device} here; install onnxruntime-gpu for cuda, or use cpu")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # errors are raised
        options.add_session_config_entry("session.load_model_format", "ONNX")  # whatever the first bytes look like
        try:
            session = onnxruntime.InferenceSession(self._content, options, providers=providers)
        except Exception as error:
            raise _refusal(self.path, brief_reason(error)) from error
        if providers[0] not in session.get_providers():
            raise ConfigError(f"onnxruntime could not start on {device} here; use cpu")
        self._session, self._device = session, device
        return session


class OnnxNetwork(Network):
    """A network in ONNX, with its refinement if that was trained.

    largest: the largest weight and the only parameter; the network runs on its device.
    """

    def __init__(self, config: Any, input_dim: int, classes: int, model: OnnxModel, refinement: OnnxModel | None):
        super().__init__(config, input_dim, classes)
        weights = [model.largest] + ([refinement.largest] if refinement else [])
        self.largest = nn.Parameter(torch.tensor(max(weights)), requires_grad=False)
        self.model, self.refinement = model, refinement

    def forward(self, features: Tensor, mask: Tensor | None = None) -> RTKOutput | FrameOutput:
        """features: (1, D, T) float -> as the network that was exported. mask: no video is padded."""
        assert mask is None
        outputs, present = self.model.run(features.float()), mask_of(features, None)
        if self.model.outputs is FRAME_OUTPUTS:
            stages, probabilities = outputs
            return FrameOutput(stages, probabilities, present)
        hidden, frames, action, boundary = outputs
        return RTKOutput(hidden, frames, action, boundary, present)

    def refiner(self, maps: KeypointMaps, nodes: KeypointNodes) -> Refinement:
        """As `Refiner`, of one video."""
        assert self.refinement is not None
        at = (maps.features, maps.action, maps.boundary, maps.frames)
        embedded, *scores = self.refinement.run(*at, nodes.time, nodes.kind, nodes.label, nodes.confidence)
        return Refinement(TemporalGraph(embedded, nodes.time, nodes.kind, nodes.mask), *scores)


def open_networks(folder: Path, config: BundleConfig, prefixes: Sequence[str]) -> list[Network]:
    """The networks of a bundle in ONNX, each run once. Raises BundleError on anything else than `config` describes."""
    classes = len(config.classes)
    keypoints = isinstance(config.decoder, KeypointDecoder)
    refine = isinstance(config.decoder, KeypointDecoder) and config.decoder.refine
    networks: list[Network] = []
    for prefix in prefixes:

        def model(name: str, outputs: _Axes, prefix: str = prefix) -> OnnxModel:
            path = folder / f"{prefix}{name}{SUFFIX}"
            return OnnxModel(path, _read(path, config.sha256.get(path.name)), INPUTS[name], outputs, classes)

        network = OnnxNetwork(
            config.network,
            config.input_dim,
            classes,
            model(NETWORK, KEYPOINT_OUTPUTS if keypoints else FRAME_OUTPUTS),
            model(REFINER, REFINER_OUTPUTS) if refine else None,
        )
        output = network(torch.zeros(1, config.input_dim, 2))
        if refine:
            at = torch.zeros(1, 2, dtype=torch.long)
            network.refiner(output.maps(), KeypointNodes(at.float(), at, at, at + 0.5, at == 0))
        networks.append(network)
    return networks


def _read(path: Path, sha256: str | None) -> bytes:
    """The content of a file with this SHA-256."""
    try:
        refuse_special(path)
        content = path.read_bytes()
    except OSError as error:
        raise _refusal(path, error.strerror or str(error)) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _refusal(path, "its SHA-256 differs")
    return content


def _parsed(path: Path, content: bytes) -> ModelProto:
    """The model in a file that holds all of it, in operators of ONNX alone and without loops and branches."""
    with extra("export", "a bundle in ONNX"):
        import onnx
        import onnxruntime  # noqa: F401
    try:
        model: ModelProto = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf has kinds of its own
        raise _refusal(path, f"it is not ONNX: {brief_reason(error)}") from error
    messages = list(_messages(model))
    foreign = next((m for m in messages if isinstance(m, onnx.NodeProto) and m.domain not in ("", "ai.onnx")), None)
    if foreign is not None or len(model.functions):
        raise _refusal(path, "it has operators that are not ONNX's own")
    if sum(isinstance(message, onnx.GraphProto) for message in messages) != 1:
        raise _refusal(path, "it has loops or branches, or no network")
    if any(t.external_data or t.data_location != onnx.TensorProto.DEFAULT for t in _tensors(model)):
        raise _refusal(path, "it refers to other files")
    return model


def _messages(message: Any) -> Iterator[Any]:
    """A message of protobuf, and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if hasattr(value, "__len__") else (value,):
                yield from _messages(item)


def _tensors(model: ModelProto) -> Iterator[Any]:
    from onnx import TensorProto

    return (message for message in _messages(model) if isinstance(message, TensorProto))


def _largest(path: Path, tensor: Any) -> float:
    """The largest finite number of a tensor. Raises BundleError on NaN, and unless it is a single number, on infinity.

    An infinite number alone is a constant, as in BCN's search for peaks.
    """
    from onnx.numpy_helper import to_array

    try:
        array = to_array(tensor)
    except Exception as error:
        raise _refusal(path, f"{tensor.name[:80]}: {brief_reason(error)}") from error
    if array.dtype.kind != "f" or array.size == 0:
        return 0.0
    finite = np.isfinite(array)
    if np.isnan(array).any() or (array.size > 1 and not finite.all()):
        raise BundleError(
            f"{path}: {tensor.name[:80]} holds NaN or infinite values; take weights from before training failed"
        )
    return float(np.abs(array, where=finite, out=np.zeros_like(array)).max())


def _refusal(path: Path, reason: str) -> BundleError:
    return BundleError(f"{path}: not the network that config.json describes ({reason}); copy the bundle again")
