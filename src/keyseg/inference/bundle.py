"""What a training leaves to share: safetensors weights and a JSON config in one folder, nothing pickled."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator, model_validator
from safetensors import SafetensorError
from safetensors.torch import save as weights_bytes

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.inference.confidence import Calibration
from keyseg.inference.decoders import Decoder
from keyseg.inference.hub import is_hub_name, snapshot
from keyseg.inference.onnx_network import SUFFIX, OnnxNetwork, open_networks
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS, system_named
from keyseg.inference.weight_files import give_weights, read_stored
from keyseg.models.network import Network
from keyseg.timeline import BundleError, KeysegError, LabelMap, OutputExistsError, TimeBase, TimelineError
from keyseg.timeline.files import file_sha256, whole_folder, write_bytes, write_text
from keyseg.timeline.json_text import read_object
from keyseg.timeline.rates import Rate
from keyseg.timeline.validation import Section
from keyseg.timeline.version import __version__

CONFIG, WEIGHTS, CARD = "config.json", "weights.safetensors", "README.md"
VERSION: Literal[3] = 3
UNKNOWN_LICENCE = "unknown"
ALL_VIDEOS = "all videos"
"""The split in the provenance of a model that no video was left to test."""


class BundleConfig(Section):
    """Everything in a bundle but the weights.

    version: of this format. model_version: of the model, free text. licence: an SPDX expression. sha256: of the
    weights, by the name of their file; none in bundles of 0.1.0. features: what made the features of training, if
    known. tier: to which predictions are written. seen: `name_digest` of each video that it was trained on and of each
    group of these, if known. members: number of networks that are averaged; None for a single one. confidence: the
    calibration of the confidence of segments; None if none was learnt. provenance: where the bundle comes from, free
    text by key; `package` is the one that adds the system, if it is not keyseg's.
    """

    format: Literal["keyseg-bundle"] = "keyseg-bundle"
    version: Literal[3] = VERSION
    keyseg: str = __version__
    model_version: str = Field(default="1", min_length=1)
    licence: str = Field(default=UNKNOWN_LICENCE, min_length=1)
    sha256: dict[str, str] = Field(default={})
    model: str
    network: SerializeAsAny[BaseModel]
    decoder: SerializeAsAny[Decoder]
    input_dim: int = Field(ge=1, le=1_000_000)
    orientation: Literal["DT", "TD"]
    presampled: bool
    features: FeatureOrigin | None = None
    tier: str | None = None
    seen: tuple[str, ...] | None = None
    members: int | None = Field(None, ge=2, le=1000)
    classes: tuple[str, ...] = Field(min_length=1)
    background: tuple[str, ...]
    fps: Rate
    sample_rate: int = Field(ge=1, le=1_000_000)
    confidence: Calibration | None = None
    provenance: dict[str, str]

    @field_validator("model")
    @classmethod
    def _known(cls, value: str) -> str:
        return system_named(value).name

    @field_validator("network", "decoder", mode="before")
    @classmethod
    def _of_system(cls, value: Any, info: ValidationInfo) -> Any:
        system = SYSTEMS.get(info.data.get("model", ""))
        if system is None:
            raise ValueError("belongs to a system that is not known")
        section: type[BaseModel] = system.config if info.field_name == "network" else system.decoder
        return section.model_validate(value)

    @property
    def is_onnx(self) -> bool:
        """Whether onnxruntime runs its networks, which are in files of ONNX in place of the weights."""
        return any(name.endswith(SUFFIX) for name in self.sha256)

    @model_validator(mode="after")
    def _match_has_these_classes(self) -> Self:
        if self.decoder.match is not None and self.decoder.match.classes != len(self.classes):
            raise ValueError(f"match is for {self.decoder.match.classes} classes, and there are {len(self.classes)}")
        return self


def name_digest(name: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a name in Unicode's form NFC.

    Bundles hold it in place of names of videos: whoever has a name can check whether it is meant, and nobody reads it.

    >>> name_digest("tea_028")
    'f5185cc2d0a07b68'
    """
    return hashlib.sha256(unicodedata.normalize("NFC", name).encode()).hexdigest()[:16]


def save_bundle(
    predictor: Predictor,
    folder: Path,
    provenance: dict[str, str],
    *,
    seen: Iterable[str] | None = None,
    card: str | None = None,
    force: bool = False,
) -> Path:
    """Write a bundle folder, whole or not at all. seen: as in `BundleConfig`. card: text of its model card, if any.

    Raises OutputExistsError unless `force`, and BundleError on a network in ONNX, which has no weights.
    """
    if any(isinstance(network, OnnxNetwork) for network in predictor.networks):
        raise BundleError("a network in ONNX has no weights to save; take the bundle that it was exported from")
    if folder.exists() and not force:
        raise OutputExistsError(f"{folder} exists; choose another folder or use --force")
    prefixes = member_prefixes(_members(predictor))
    weights = {
        prefix + name: value.detach().cpu().contiguous()
        for prefix, network in zip(prefixes, predictor.networks, strict=True)
        for name, value in network.state_dict().items()
    }
    with whole_folder(folder) as partial:
        write_bytes(partial / WEIGHTS, weights_bytes(weights))
        config = _config(predictor, {WEIGHTS: file_sha256(partial / WEIGHTS)}, provenance, seen)
        write_text(partial / CONFIG, config_text(config))
        if card is not None:
            write_text(partial / CARD, card)
    return folder


def _config(
    predictor: Predictor, sha256: dict[str, str], provenance: dict[str, str], seen: Iterable[str] | None
) -> BundleConfig:
    package = SYSTEMS.package(predictor.system)
    return BundleConfig(
        sha256=sha256,
        model=predictor.system,
        network=predictor.model.config,
        decoder=predictor.decoder,
        input_dim=predictor.input_dim,
        orientation=predictor.orientation,
        presampled=predictor.presampled,
        features=predictor.origin,
        tier=predictor.tier,
        seen=None if seen is None else tuple(sorted(seen)),
        members=_members(predictor),
        classes=predictor.labels.names,
        background=predictor.labels.background,
        fps=predictor.timebase.fps,
        sample_rate=predictor.timebase.sample_rate,
        confidence=predictor.calibration,
        provenance=provenance | ({"package": package} if package else {}),
    )


def config_text(config: BundleConfig) -> str:
    """The content of a bundle's config file."""
    return config.model_dump_json(indent=1, exclude_none=True) + "\n"


def _members(predictor: Predictor) -> int | None:
    return len(predictor.networks) if predictor.others else None


def member_prefixes(members: int | None) -> list[str]:
    """What the names of each network's weights begin with, or those of its files in ONNX."""
    return [f"member{number}." for number in range(1, members + 1)] if members else [""]


def find_bundle(path: Path) -> Path:
    """The bundle at `path`, that of the run folder `path`, or `owner/name@revision` of the Hugging Face Hub.

    Of a run: the model of all videos, else the ensemble, else its only bundle. Raises BundleError naming the choices,
    or what was looked for on the hub.
    """
    elsewhere = ""
    if is_hub_name(path.as_posix()):
        try:
            return snapshot(path.as_posix())[0]
        except KeysegError as error:
            elsewhere = f"; nor on the Hugging Face Hub: {error}"
    if (path / CONFIG).is_file():
        return path
    for places in (("bundle", "final/seed*/bundle"), ("ensemble/bundle",), ("seed*/bundle", "split*/seed*/bundle")):
        found = sorted(file.parent for place in places for file in path.glob(f"{place}/{CONFIG}"))
        if len(found) == 1:
            return found[0]
        if found:
            raise BundleError(f"{path} holds {len(found)} bundles; name one of them: {', '.join(map(str, found))}")
    raise BundleError(
        f"{path}: no bundle here; expected a folder with {CONFIG} and {WEIGHTS}, or a finished run of keyseg train"
        f"{elsewhere}"
    )


def read_config(path: Path) -> BundleConfig:
    """Config of a bundle, or of the one in a run. Raises BundleError if it is missing, damaged or of another format."""
    file = find_bundle(path) / CONFIG
    content = read_object(file, "the config of a bundle", advice="copy the bundle again", refuse=BundleError)
    of_this_kind = content.get("format") == "keyseg-bundle"
    if of_this_kind and content.get("version") != VERSION:
        version = repr(content.get("version"))[:80]
        raise BundleError(
            f"{file}: a bundle of format version {version}, and keyseg {__version__} reads version"
            f" {VERSION}; train again, or use the version of keyseg that wrote it"
        )
    if of_this_kind:
        _refuse_missing_package(file, content)
    try:
        return BundleConfig.model_validate(content)
    except ValidationError as error:
        found = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
        problems = "; ".join(f"{key}: {message[:300]}" if key else message[:300] for key, message in found[:5])
        raise BundleError(f"{file}: not a bundle that keyseg {__version__} can read: {problems}") from None


def _refuse_missing_package(file: Path, content: dict[str, Any]) -> None:
    model, provenance = content.get("model"), content.get("provenance")
    package = provenance.get("package") if isinstance(provenance, dict) else None
    if isinstance(model, str) and isinstance(package, str) and model not in SYSTEMS:
        raise BundleError(
            f"{file}: the network is of the system {model!r}, which the package {package!r} adds, and that is not"
            " installed; install it here if you trust its authors"
        )


def load(path: Path | str, *, device: torch.device | str = "cpu") -> Predictor:
    """Predictor of a bundle, of a run folder that holds one, or of a bundle on the Hugging Face Hub.

    path: a folder, or `owner/name` or `owner/name@revision` if there is no local folder `owner`; a bundle of the hub is
    kept in the hub's cache. Raises BundleError if there is none, or a damaged one.

    >>> load("kitchen")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    keyseg.timeline.errors.BundleError: kitchen: no bundle here; expected a folder with config.json and ...
    """
    folder = find_bundle(Path(path))
    config = read_config(folder)
    if config.is_onnx:
        networks = open_networks(folder, config, member_prefixes(config.members))
    else:
        networks = _networks(folder / WEIGHTS, config)
    networks = [network.to(device, torch.float32).eval() for network in networks]
    try:
        labels = LabelMap(config.classes, config.background)
    except TimelineError as error:
        raise BundleError(f"{folder / CONFIG}: {error}") from error
    return Predictor(
        system=config.model,
        model=networks[0],
        others=tuple(networks[1:]),
        labels=labels,
        timebase=TimeBase(config.fps, config.sample_rate),
        decoder=config.decoder,
        orientation=config.orientation,
        presampled=config.presampled,
        origin=config.features,
        tier=config.tier,
        calibration=config.confidence,
        folder=folder,
    )


def _networks(file: Path, config: BundleConfig) -> list[Network]:
    """The networks of a file of weights."""
    system, networks = SYSTEMS[config.model], []
    try:
        tensors, sha256 = read_stored(file)
        for prefix in member_prefixes(config.members):
            with torch.device("meta"):  # sizes only: no memory is taken before the weights confirm them
                network = system.network(config.network, config.input_dim, len(config.classes))
            names = [name for name in tensors if name.startswith(prefix)]
            give_weights(network, {name.removeprefix(prefix): tensors.pop(name) for name in names}, file, prefix)
            networks.append(network)
        if config.sha256 and sha256 != config.sha256.get(WEIGHTS):
            raise RuntimeError("they fit, but are of another training: their SHA-256 differs")
        if tensors:
            raise RuntimeError(f"weights of no network: {', '.join(sorted(tensors)[:3])}")
    except (OSError, SafetensorError, RuntimeError) as error:
        lines = str(error).splitlines()
        reason = lines[min(1, len(lines) - 1)].strip()[:200]  # torch says on the second line what is wrong
        raise BundleError(
            f"{file}: not the weights that {CONFIG} describes ({reason}); copy the bundle again"
        ) from error
    return networks
