"""Extractors by name: `motion`, a Hugging Face model, or a local folder with a model."""

from __future__ import annotations

import re
from pathlib import Path

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.video.extractor import Extractor

# Some published models. Others of the same families work too.
SUGGESTED = (
    "facebook/dinov2-small",
    "facebook/dinov2-base",
    "facebook/dinov3-vits16-pretrain-lvd1689m",
    "google/siglip-base-patch16-224",
    "MCG-NJU/videomae-base",
    "facebook/vjepa2-vitl-fpc64-256",
)

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]*\w", re.ASCII)


def make_extractor(
    name: str, *, revision: str | None = None, sample_rate: int | None = None, device: str | None = None
) -> Extractor:
    """The extractor with a name: `motion`, a Hugging Face model (`facebook/dinov2-small`) or a local folder.

    revision: branch, tag or commit of a Hugging Face model. sample_rate: frames between two rows of a pretrained model.
    device: `cuda` or `cpu`, for pretrained models; `motion` always runs on the CPU. Raises ConfigError on a wrong name
    or option, DataError on a model that cannot be fetched or read.

    >>> make_extractor("motion").dimension
    376
    """
    if name == "motion":
        from keyseg.video.motion import Motion

        if revision or sample_rate is not None:
            given = "revision" if revision else "sample_rate"
            raise ConfigError(f"motion takes no {given}; it has one version, and one row per frame")
        return Motion()
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        if revision:
            raise ConfigError(f"{name}: a local folder has no revision; it is identified by its content")
        return _pretrained(str(folder.resolve()), sample_rate, device, folder=folder.resolve())
    if not _HUB_NAME.fullmatch(name):
        known = ("motion", *SUGGESTED)
        raise ConfigError(
            f"no extractor {name!r}{nearest(name, known)}; possible: motion, an existing folder with a model, or a"
            f" Hugging Face model such as {', '.join(SUGGESTED)}"
        )
    return _pretrained(name, sample_rate, device, revision=revision)


def extractor_of(origin: FeatureOrigin, device: str | None = None, folder: Path | None = None) -> Extractor:
    """The extractor that made some features, to make more of the same.

    folder: where a local model is now, or None if it has not moved; its content must be the same, not its place. Raises
    ConfigError if the extra is not installed, DataError if the model is not available or would make other features.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; it should hold the model of {origin.extractor}")
    if origin.extractor == "motion":
        from keyseg.video.motion import Motion

        extractor: Extractor = Motion()
    elif "revision" in origin.options:
        extractor = _pretrained(origin.extractor, origin.sample_rate, device, revision=origin.options["revision"])
    elif (folder or Path(origin.extractor)).is_dir():
        folder = folder or Path(origin.extractor)
        extractor = _pretrained(origin.extractor, origin.sample_rate, device, folder=folder)
    else:
        raise DataError(
            f"the features were made with {origin}: there is no such folder on this machine; put the model's folder"
            " there or give its new place (--extractor FOLDER), or extract the features of all videos with another"
            " model and train again"
        )
    here, wanted = _described(extractor), _described(origin)
    differences = [f"{key} {here[key]}, not {wanted[key]}" for key in here if here[key] != wanted[key]]
    if differences:
        raise DataError(
            f"the features were made with {origin}; here {origin.extractor} has {'; '.join(differences)}: use the"
            " keyseg and the model that made them, or extract the features of all videos and train again"
        )
    return extractor


def _described(source: Extractor | FeatureOrigin) -> dict[str, object]:
    """Everything that decides the features, except the frame rate."""
    numbers = {key: getattr(source, key) for key in ("version", "dimension", "clip_length", "sample_rate")}
    return numbers | {"options": dict(source.options)}


def _pretrained(
    name: str,
    sample_rate: int | None,
    device: str | None,
    *,
    folder: Path | None = None,
    revision: str | None = None,
) -> Extractor:
    """The model in a folder, or else the published one."""
    from keyseg.video.model_folder import hub_folder, local_folder
    from keyseg.video.pretrained import PretrainedExtractor

    model = local_folder(folder) if folder else hub_folder(name, revision)
    return PretrainedExtractor(name, model, sample_rate=sample_rate, device=device)
