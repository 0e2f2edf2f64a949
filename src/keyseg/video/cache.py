"""A cache of features by the content of the video: a renamed video is not extracted again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from filelock import FileLock

from keyseg.data.feature_files import stored_shape
from keyseg.data.feature_origin import FeatureOrigin, FeatureSidecar, read_sidecar, sidecar_path
from keyseg.data.folders import cache_folder
from keyseg.timeline import DataError
from keyseg.timeline.files import file_sha256, refuse_file, whole_file, write_text
from keyseg.video.extraction import ReportFrames, extract_features, origin_of
from keyseg.video.extractor import Extractor


@dataclass(frozen=True)
class CachedFeatures:
    """A feature file in the cache. fresh: it was extracted just now."""

    path: Path
    sidecar: FeatureSidecar
    fresh: bool

    def copy_to(self, out: Path) -> None:
        """Copy the feature file to `out` and its sidecar beside it, each whole or not at all, the sidecar last."""
        sidecar_path(out).unlink(missing_ok=True)
        with whole_file(out) as partial:
            shutil.copyfile(self.path, partial)
        write_text(sidecar_path(out), self.sidecar.model_dump_json() + "\n")


class FeatureCache:
    """A folder of feature files, named by the video's content, the extractor with its version, and the frame rate."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "features"
        refuse_file(self.folder, "cache")

    def features(
        self,
        video: Path,
        extractor: Extractor,
        fps: Fraction,
        *,
        damaged: bool = False,
        progress: ReportFrames = lambda *_: None,
        remade: Callable[[str], None] = lambda _: None,
    ) -> CachedFeatures:
        """The features of a video, extracted unless an intact entry exists.

        One process at a time works on an entry; another one waits and then finds it. remade: called with the reason if
        a damaged entry is made again. Raises DataError if the video cannot be read, or has gaps without `damaged`.
        """
        digest = file_sha256(video)
        origin = origin_of(extractor, fps)
        path = self.folder / f"{_key(digest, origin)}.npy"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            try:
                sidecar = checked_sidecar(path, digest, origin)
            except DataError as error:
                sidecar = None
                remade(str(error))
            if sidecar is not None and (damaged or not sidecar.gaps):
                return CachedFeatures(path, sidecar.model_copy(update={"video": video.name}), fresh=False)
            sidecar = extract_features(
                video, extractor, fps, path, video_sha256=digest, damaged=damaged, progress=progress
            )
            return CachedFeatures(path, sidecar, fresh=True)


def checked_sidecar(path: Path, video_sha256: str, origin: FeatureOrigin) -> FeatureSidecar | None:
    """The sidecar of a feature file that was made from this video in this way; None if there is no such file.

    Raises DataError if the file or its sidecar is damaged.
    """
    if not path.exists():
        return None
    sidecar = read_sidecar(path)
    if sidecar is None or sidecar.video_sha256 != video_sha256 or sidecar.origin != origin:
        return None
    shape = stored_shape(path)
    wanted = (origin.timebase.steps(sidecar.frames), origin.dimension)
    if shape != wanted:
        raise DataError(f"{path}: shape {shape}, expected {wanted}; extract these features again")
    if file_sha256(path) != sidecar.features_sha256:
        raise DataError(f"{path}: its content does not match its sidecar; extract these features again")
    return sidecar


def _key(video_sha256: str, origin: FeatureOrigin) -> str:
    """A file name from the video's content and the origin of the features."""
    made_by = hashlib.sha256(json.dumps(origin.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    return f"{video_sha256[:32]}-{made_by[:16]}"
