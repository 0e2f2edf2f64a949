"""Extractors by name: `motion`, a model of Hugging Face, or a local folder with one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.video.extractor import Extractor

# Published models of each family. Others of the same families work too.
SUGGESTED = (
    "facebook/dinov2-small",
    "facebook/dinov2-base",
    "facebook/dinov3-vits16-pretrain-lvd1689m",
    "google/siglip-base-patch16-224",
    "MCG-NJU/videomae-base",
    "facebook/vjepa2-vitl-fpc64-256",
)

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]*\w", re.ASCII)
_OPTIONS = ("sample_rate",)


def make_extractor(
    name: str, *, revision: str | None = None, device: str | None = None, options: Mapping[str, str] = {}
) -> Extractor:
    """The extractor of a name: `motion`, a Hugging Face model (`facebook/dinov2-small`) or a local folder.

    revision: branch, tag or commit of a Hugging Face model. device: of pretrained models, `cuda` or `cpu`; `motion`
    runs on the CPU anyway. options: `sample_rate`, frames a row of pretrained models. Raises ConfigError on what is not
    possible, DataError on a model that cannot be fetched or read.
    """
    if name == "motion":
        from keyseg.video.motion import Motion

        told = [*(["revision"] if revision else []), *options]
        if told:
            raise ConfigError(f"motion takes no {told[0]}; it has one version, and a row a frame")
        return Motion()
    sample_rate = _sample_rate(options)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        if revision:
            raise ConfigError(f"{name}: a local folder has no revision; its content says which one it is")
        return _local(folder.resolve(), sample_rate, device)
    if not _HUB_NAME.fullmatch(name):
        known = ("motion", *SUGGESTED)
        raise ConfigError(
            f"no extractor {name!r}{nearest(name, known)}; possible: motion, an existing folder with a model, or a"
            f" model of Hugging Face such as {', '.join(SUGGESTED)}"
        )
    return _published(name, revision, sample_rate, device)


def extractor_of(origin: FeatureOrigin, device: str | None = None, folder: Path | None = None) -> Extractor:
    """The extractor that made some features, to make more of the same.

    folder: where a local model lies now, None for the place where it lay; its content decides, not its place. Raises
    ConfigError where the extra is not installed, DataError where the model is not at hand or what this keyseg computes
    is not the same.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; it should hold the model of {origin.extractor}")
    if origin.extractor == "motion":
        from keyseg.video.motion import Motion

        extractor: Extractor = Motion()
    elif "revision" in origin.options:
        extractor = _published(origin.extractor, origin.options["revision"], origin.sample_rate, device)
    elif (folder or Path(origin.extractor)).is_dir():
        extractor = _local(folder or Path(origin.extractor), origin.sample_rate, device, origin.extractor)
    else:
        raise DataError(
            f"the features were made with {origin}: there is no such folder on this machine; put the model's folder"
            " there or say where it is (--extractor FOLDER), or extract the features of all videos with a model that is"
            " at hand and train again"
        )
    made, wanted = _described(extractor), _described(origin)
    differences = [f"{what} {made[what]}, not {wanted[what]}" for what in made if made[what] != wanted[what]]
    if differences:
        raise DataError(
            f"the features were made with {origin}; here {origin.extractor} has {'; '.join(differences)}: use the"
            " keyseg and the model that made them, or extract the features of all videos and train again"
        )
    return extractor


def _described(what: Extractor | FeatureOrigin) -> dict[str, object]:
    """All that decides features but the frame rate."""
    numbers = {key: getattr(what, key) for key in ("version", "dimension", "clip_length", "sample_rate")}
    return numbers | {"options": dict(what.options)}


def _local(folder: Path, sample_rate: int | None, device: str | None, name: str | None = None) -> Extractor:
    from keyseg.video.model_folder import local_folder
    from keyseg.video.pretrained import PretrainedExtractor

    return PretrainedExtractor(name or str(folder), local_folder(folder), sample_rate=sample_rate, device=device)


def _published(name: str, revision: str | None, sample_rate: int | None, device: str | None) -> Extractor:
    from keyseg.video.model_folder import hub_folder
    from keyseg.video.pretrained import PretrainedExtractor

    return PretrainedExtractor(name, hub_folder(name, revision), sample_rate=sample_rate, device=device)


def _sample_rate(options: Mapping[str, str]) -> int | None:
    for key in options:
        if key not in _OPTIONS:
            raise ConfigError(f"unknown option {key!r}{nearest(key, _OPTIONS)}; possible: {', '.join(_OPTIONS)}")
    value = options.get("sample_rate")
    if value is not None and not (value.isascii() and value.isdecimal() and int(value) >= 1):
        raise ConfigError(f"sample_rate is a whole number of frames, 1 or more, got {value!r}")
    return None if value is None else int(value)
