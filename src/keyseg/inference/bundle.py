"""What a training leaves to share: safetensors weights and a JSON config in one folder; nothing pickled."""

from __future__ import annotations

import json
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.inference.decoders import FrameDecoder, KeypointDecoder
from keyseg.inference.decoding import ProposalConfig, Rules
from keyseg.inference.predictor import Predictor
from keyseg.matching.memory import AnnotationMemory
from keyseg.models.catalog import CONFIGS, build
from keyseg.timeline import BundleError, LabelMap, OutputExistsError, Segmentation, TimeBase, TimelineError, nearest
from keyseg.timeline.version import __version__

CONFIG, WEIGHTS = "config.json", "weights.safetensors"


class RememberedAnnotation(BaseModel):
    """The annotation of one training video: class ids and lengths in steps of its segments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: tuple[NonNegativeInt, ...] = Field(min_length=1)
    lengths: tuple[PositiveInt, ...]

    @classmethod
    def of(cls, segmentation: Segmentation) -> RememberedAnnotation:
        """The same as plain numbers."""
        return cls(labels=segmentation.labels.tolist(), lengths=np.diff(segmentation.boundaries).tolist())

    def segmentation(self) -> Segmentation:
        """The same as a segmentation. Raises TimelineError where it is none."""
        return Segmentation(np.cumsum((0, *self.lengths)), np.array(self.labels))


class BundleConfig(BaseModel):
    """Everything of a bundle but the weights. provenance: where it comes from, free text by key.

    features: what made the features of training, if that is known. proposals, rules, plain_rules, refine and memory are
    those of RTK's decoder; no other system has them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["keyseg-bundle"] = "keyseg-bundle"
    version: Literal[1] = 1
    keyseg: str = __version__
    model: str = "rtk"
    network: SerializeAsAny[BaseModel]
    input_dim: int = Field(ge=1, le=1_000_000)
    orientation: Literal["DT", "TD"]
    presampled: bool
    features: FeatureOrigin | None = None
    classes: tuple[str, ...] = Field(min_length=1)
    background: tuple[str, ...]
    fps: str
    sample_rate: int = Field(ge=1, le=1_000_000)
    proposals: ProposalConfig | None = None
    rules: Rules | None = None
    plain_rules: Rules | None = None
    refine: bool | None = None
    memory: tuple[RememberedAnnotation, ...] | None = None
    provenance: dict[str, str]

    @field_validator("model")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in CONFIGS:
            raise ValueError(f"no system {value!r}{nearest(value, CONFIGS)}; known: {', '.join(CONFIGS)}")
        return value

    @field_validator("network", mode="before")
    @classmethod
    def _of_model(cls, value: Any, info: ValidationInfo) -> Any:
        config = CONFIGS.get(info.data.get("model", ""))
        return value if config is None or isinstance(value, config) else config.model_validate(value)

    @model_validator(mode="after")
    def _decoder_fits(self) -> Self:
        self.decoder()
        return self

    def decoder(self) -> KeypointDecoder | FrameDecoder:
        """What turns the network's output into segments."""
        given = (self.proposals, self.rules, self.plain_rules, self.refine, self.memory)
        if self.model != "rtk":
            if given != (None,) * 5:
                raise ValueError(f"proposals, rules, plain_rules, refine and memory go with rtk, not with {self.model}")
            return FrameDecoder(self.model)
        if self.proposals is None or self.rules is None or self.plain_rules is None or self.refine is None:
            raise ValueError("rtk needs proposals, rules, plain_rules and refine")
        return KeypointDecoder(self.proposals, self.rules, self.plain_rules, self.refine, self._memory())

    def _memory(self) -> AnnotationMemory | None:
        if self.memory is None:
            return None
        known = range(len(self.classes))
        if any(label not in known for annotation in self.memory for label in annotation.labels):
            raise ValueError(f"memory speaks of a class that is none of the {len(self.classes)}")
        try:
            return AnnotationMemory.of(annotation.segmentation() for annotation in self.memory)
        except TimelineError as error:
            raise ValueError(f"memory: {error}") from None


def save_bundle(predictor: Predictor, folder: Path, provenance: dict[str, str], *, force: bool = False) -> Path:
    """Write a bundle folder whole or not at all. Raises OutputExistsError unless `force`."""
    if folder.exists() and not force:
        raise OutputExistsError(f"{folder} exists; choose another folder or use --force")
    decoder = predictor.decoder
    config = BundleConfig(
        model=predictor.variants[0],
        network=predictor.model.config,
        input_dim=predictor.input_dim,
        orientation=predictor.orientation,
        presampled=predictor.presampled,
        features=predictor.origin,
        classes=predictor.labels.names,
        background=predictor.labels.background,
        fps=str(predictor.timebase.fps),
        sample_rate=predictor.timebase.sample_rate,
        provenance=provenance,
        **(_keypoint_settings(decoder) if isinstance(decoder, KeypointDecoder) else {}),
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        weights = {name: value.detach().cpu().contiguous() for name, value in predictor.model.state_dict().items()}
        save_file(weights, partial / WEIGHTS)
        (partial / CONFIG).write_text(config.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
        partial.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _keypoint_settings(decoder: KeypointDecoder) -> dict[str, Any]:
    memory = decoder.memory
    remembered = None if memory is None else tuple(map(RememberedAnnotation.of, memory.segmentations))
    return vars(decoder) | {"memory": remembered}


def find_bundle(path: Path) -> Path:
    """The bundle folder that `path` is, or that the run folder `path` holds. Raises BundleError naming the choices."""
    if (path / CONFIG).is_file():
        return path
    places = ("bundle", "seed*/bundle", "split*/seed*/bundle")
    found = sorted(file.parent for place in places for file in path.glob(f"{place}/{CONFIG}"))
    if len(found) == 1:
        return found[0]
    if found:
        raise BundleError(f"{path} holds {len(found)} bundles, name one of them: {', '.join(map(str, found))}")
    raise BundleError(
        f"{path}: no bundle here; expected a folder with {CONFIG} and {WEIGHTS}, or a finished run of keyseg train"
    )


def read_config(path: Path) -> BundleConfig:
    """Config of a bundle or of a run with one. Raises BundleError if it is missing, damaged or of another version."""
    file = find_bundle(path) / CONFIG
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{file}: not a bundle's config ({error}); copy the bundle again") from error
    try:
        return BundleConfig.model_validate(content)
    except ValidationError as error:
        found = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
        problems = "; ".join(f"{key}: {message}" if key else message for key, message in found)
        raise BundleError(f"{file}: not a bundle that keyseg {__version__} can read: {problems}") from None


def load(path: Path | str, *, device: torch.device | str = "cpu") -> Predictor:
    """Predictor of a bundle, or of a run folder that holds one. Raises BundleError."""
    path = Path(path)
    config, file = read_config(path), find_bundle(path) / WEIGHTS
    with torch.device("meta"):  # sizes only: a config takes no memory before the weights bear it out
        model = build(config.network, config.input_dim, len(config.classes))
    try:
        model.load_state_dict(load_file(file), assign=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        lines = str(error).splitlines()
        reason = lines[min(1, len(lines) - 1)].strip()[:200]  # torch says on the second line what it found
        message = f"{file}: not the weights that {CONFIG} speaks of ({reason}); copy the bundle again"
        raise BundleError(message) from error
    try:
        labels = LabelMap(config.classes, config.background)
        timebase = TimeBase(Fraction(config.fps), config.sample_rate)
    except (TimelineError, ValueError, ZeroDivisionError) as error:
        raise BundleError(f"{find_bundle(path) / CONFIG}: {error}") from error
    return Predictor(
        model.to(device, torch.float32).eval(),
        labels,
        timebase,
        config.input_dim,
        config.decoder(),
        config.orientation,
        config.presampled,
        config.features,
    )
