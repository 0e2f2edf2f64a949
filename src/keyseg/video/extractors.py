"""Extractors by name: `motion`, a Hugging Face model, or a local folder with a model."""

from __future__ import annotations

import re
from pathlib import Path

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.video.extraction import origin_of
from keyseg.video.extractor import Extractor
from keyseg.video.model_folder import hub_folder, local_folder
from keyseg.video.motion import Motion
from keyseg.video.pretrained import PretrainedExtractor

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
        if revision or sample_rate is not None:
            given = "revision" if revision else "sample_rate"
            raise ConfigError(f"motion takes no {given}; it has one version, and one row per frame")
        return Motion()
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        if revision:
            raise ConfigError(f"{name}: a local folder has no revision; it is identified by its content")
        name = str(folder.resolve())
        model = local_folder(folder.resolve())
    elif _HUB_NAME.fullmatch(name):
        model = hub_folder(name, revision)
    else:
        known = ("motion", *SUGGESTED)
        raise ConfigError(
            f"no extractor {name!r}{nearest(name, known)}; possible: motion, an existing folder with a model, or a"
            f" Hugging Face model such as {', '.join(SUGGESTED)}"
        )
    return PretrainedExtractor(name, model, sample_rate=sample_rate, device=device)


def extractor_of(origin: FeatureOrigin, device: str | None = None, folder: Path | None = None) -> Extractor:
    """The extractor that made some features, to make more of the same.

    folder: where a local model is now, or None if it has not moved; its content must be the same, not its place. Raises
    ConfigError if the extra is not installed, DataError if the model is not available or would make other features.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; it should hold the model of {origin.extractor}")
    place = folder or Path(origin.extractor)
    extractor: Extractor = Motion()
    if origin.extractor != "motion":
        if "revision" in origin.options:
            model = hub_folder(origin.extractor, origin.options["revision"])
        elif place.is_dir():
            model = local_folder(place)
        else:
            raise DataError(
                f"the features were made with {origin}: there is no such folder on this machine; put the model's folder"
                " there or give its new place (--extractor FOLDER), or extract the features of all videos with another"
                " model and train again"
            )
        extractor = PretrainedExtractor(origin.extractor, model, sample_rate=origin.sample_rate, device=device)
    made_here = origin_of(extractor, origin.fps)
    here, wanted = (made.model_dump(exclude={"extractor"}) for made in (made_here, origin))
    differences = [f"{key} {here[key]}, not {wanted[key]}" for key in here if here[key] != wanted[key]]
    if differences:
        raise DataError(
            f"the features were made with {origin}; here {origin.extractor} has {'; '.join(differences)}: use the"
            " keyseg and the model that made them, or extract the features of all videos and train again"
        )
    return extractor
