"""Extractors by name: one of the table, a Hugging Face model, or a local folder with a model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.video.extraction import origin_of
from keyseg.video.extractor import Extractor
from keyseg.video.find_videos import find_videos
from keyseg.video.model_folder import hub_folder, local_folder
from keyseg.video.poses import Poses
from keyseg.video.pretrained import PretrainedExtractor
from keyseg.video.table_of_extractors import EXTRACTORS, extractor_named

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


def inputs_and_extractor(
    paths: Iterable[Path], extractor: str, track_fps: Fraction | None
) -> tuple[list[Path], str | Poses]:
    """The files to make features of, and what makes them: for `poses` tracks and the extractor, else videos and a name.

    track_fps: frames per second of tracks. Raises ConfigError if it is missing or has no use, DataError as
    `find_videos` does and on tracks that cannot be read.
    """
    if extractor == "poses":
        tracks = find_videos(paths, tracks=True)
        return tracks, Poses.of_files(tracks, track_fps)
    if track_fps is not None:
        raise ConfigError(f"--track-fps is the frame rate of tracks, and {extractor} reads videos; use poses")
    return find_videos(paths), extractor


def make_extractor(
    name: str | Poses,
    *,
    revision: str | None = None,
    sample_rate: int | None = None,
    device: str | None = None,
) -> Extractor:
    """The extractor with a name: `motion`, one that an installed package adds, a Hugging Face model
    (`facebook/dinov2-small`) or a local folder.

    name: or `Poses`, which cannot be made from their name alone. revision: branch, tag or commit of a Hugging Face
    model. sample_rate: frames between two rows of a pretrained model. device: `cuda` or `cpu`, for pretrained models;
    `motion` and `poses` always run on the CPU. Raises ConfigError on a wrong name or option, DataError on a model that
    cannot be fetched or read.

    >>> make_extractor("motion").dimension
    376
    """
    if isinstance(name, Poses) or name in EXTRACTORS:
        extractor = name if isinstance(name, Poses) else extractor_named(name, device)
        if revision or sample_rate is not None:
            given = "revision" if revision else "sample_rate"
            every = "frame" if extractor.sample_rate == 1 else f"{extractor.sample_rate} frames"
            raise ConfigError(f"{extractor.name} takes no {given}; it has one version, and one row per {every}")
        return extractor
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        if revision:
            raise ConfigError(f"{name}: a local folder has no revision; it is identified by its content")
        name = str(folder.resolve())
        model = local_folder(folder.resolve())
    elif _HUB_NAME.fullmatch(name):
        model = hub_folder(name, revision)
    else:
        known = (*EXTRACTORS, *SUGGESTED)
        raise ConfigError(
            f"no extractor {name!r}{nearest(name, known)}; possible: {', '.join(EXTRACTORS)}, an existing folder with a"
            f" model, or a Hugging Face model such as {', '.join(SUGGESTED)}"
        )
    return PretrainedExtractor(name, model, sample_rate=sample_rate, device=device)


def extractor_of(
    origin: FeatureOrigin, device: str | None = None, folder: Path | None = None, batch: int | None = None
) -> Extractor:
    """The extractor that made some features, to make more of the same.

    folder: where a local model is now, or None if it has not moved; its content must be the same, not its place. batch:
    clips at once, for pretrained models. Raises
    ConfigError if the extra is not installed, DataError if the model is not available or would make other features.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; it should hold the model of {origin.extractor}")
    place = folder or Path(origin.extractor)
    extractor: Extractor
    if origin.extractor == "poses":
        extractor = Poses.of_options(origin.options)
    elif origin.extractor in EXTRACTORS:
        extractor = extractor_named(origin.extractor, device)
    elif package := origin.options.get("package"):
        raise DataError(
            f"the features were made with {origin}: the package {package!r}, which adds this extractor, is not"
            " installed; install it here if you trust its authors"
        )
    else:
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
        extractor = PretrainedExtractor(
            origin.extractor, model, sample_rate=origin.sample_rate, device=device, batch=batch
        )
    made_here = origin_of(extractor, origin.fps)
    here, wanted = (made.model_dump(exclude={"extractor"}) for made in (made_here, origin))
    differences = [f"{key} {here[key]}, not {wanted[key]}" for key in here if here[key] != wanted[key]]
    if differences:
        raise DataError(
            f"the features were made with {origin}; here {origin.extractor} has {'; '.join(differences)}: use the"
            " keyseg and the model that made them, or extract the features of all videos and train again"
        )
    return extractor
