"""Feature files of videos with their sidecars, and a cache of them by the content of the video.

Videos are read as streams: memory does not grow with the length.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from keyseg.data.feature_files import stored_shape
from keyseg.data.feature_origin import FeatureOrigin, FeatureSidecar, read_sidecar, sidecar_path
from keyseg.data.folders import cache_folder
from keyseg.timeline import DataError
from keyseg.timeline.files import file_sha256, refuse_file, whole_file, write_text
from keyseg.video.extractor import Extractor, Image
from keyseg.video.poses import PoseReader, Poses
from keyseg.video.reading import VideoReader
from keyseg.video.table_of_extractors import EXTRACTORS, checked_rows

# Which pictures a frame shows; 1 lost the last ones of files whose first stream is the sound.
READER = 2
# Called with the number of frames so far and the number that the video declares, or None.
ReportFrames = Callable[[int, int | None], None]


def origin_of(extractor: Extractor, fps: Fraction) -> FeatureOrigin:
    """The record, in sidecars and bundles, of the features that an extractor makes at a frame rate.

    Its option `package` names the package that adds the extractor, if it is not one of keyseg.
    """
    package = EXTRACTORS.package(extractor.name)
    return FeatureOrigin(
        extractor=extractor.name,
        version=extractor.version,
        dimension=extractor.dimension,
        clip_length=extractor.clip_length,
        fps=fps,
        sample_rate=extractor.sample_rate,
        options={**extractor.options, **({"package": package.split()[0]} if package else {})},
    )


def extract_features(
    video: Path,
    extractor: Extractor,
    fps: Fraction,
    out: Path,
    *,
    video_sha256: str | None = None,
    damaged: bool = False,
    progress: ReportFrames = lambda *_: None,
) -> FeatureSidecar:
    """Write the features of a video to `out`, (T, D) float16 in .npy, and a sidecar beside it; return the sidecar.

    Frame i is the picture on screen at i / fps seconds (see `VideoReader`); row j describes frames [j * sample_rate,
    (j + 1) * sample_rate). The sidecar is written first, so a new feature file is never without one. damaged: continue
    after damage and record the gaps. Raises DataError if the video cannot be read or the features are not finite.
    """
    digest = video_sha256 or file_sha256(video)
    pts: list[int] = []
    with whole_file(out) as partial:
        with _opened(video, extractor, fps, damaged) as reader:
            seconds = reader.info.declared_seconds
            expected = None if seconds is None else -int(-seconds * fps // 1)

            def shown() -> Iterator[Image]:
                for frame in reader:
                    pts.append(frame.pts)
                    progress(len(pts), expected)
                    yield frame.image

            rows = _write_rows(partial, extractor, shown(), video)
        expected_rows = -(-len(pts) // extractor.sample_rate)
        if rows != expected_rows:
            raise DataError(
                f"{video}: {extractor.name} made {rows} rows from {len(pts)} frames, expected {expected_rows}"
            )
        sidecar = FeatureSidecar(
            origin=origin_of(extractor, fps),
            video=video.name,
            video_sha256=digest,
            features_sha256=file_sha256(partial),
            frames=len(pts),
            time_base=str(reader.info.time_base),
            pts=tuple(pts),
            gaps=reader.gaps,
            reader=READER,
            notes=reader.notes,
        )
        write_text(sidecar_path(out), sidecar.model_dump_json() + "\n")
    return sidecar


def _opened(path: Path, extractor: Extractor, fps: Fraction, damaged: bool) -> VideoReader | PoseReader:
    """The frames of a video, or for `Poses` those of a file of tracks."""
    if isinstance(extractor, Poses):
        return PoseReader(path, extractor, fps)
    return VideoReader(path, fps, extractor.image_size, damaged=damaged)


def _write_rows(path: Path, extractor: Extractor, frames: Iterator[Image], video: Path) -> int:
    """Append rows to a new .npy as they come and return their number. Raises DataError as `stored_rows`."""
    count = 0
    with path.open("wb") as file:
        _write_header(file, 0, extractor.dimension)
        start = file.tell()
        for block in stored_rows(extractor, frames, video):
            file.write(block.tobytes())
            count += len(block)
        file.seek(0)
        # NumPy leaves room in the header for a growing first axis, so the final header is as long.
        _write_header(file, count, extractor.dimension)
        assert file.tell() == start
    return count


def stored_rows(extractor: Extractor, frames: Iterable[Image], video: Path | str) -> Iterator[npt.NDArray[np.float16]]:
    """The blocks of rows as feature files hold them, (n, D) float16. Raises DataError if one is not finite."""
    count = 0
    for block in checked_rows(extractor, frames):
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(block, np.dtype("<f2"))
        finite = np.isfinite(stored).all(axis=1)
        if not finite.all():
            frame = (count + int(np.argmin(finite))) * extractor.sample_rate
            raise DataError(
                f"{video}: {extractor.name} gives NaN or infinite features at frame {frame}; if it is a network,"
                " try it without reduced precision"
            )
        count += len(stored)
        yield stored


def _write_header(file: BinaryIO, rows: int, dimension: int) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": (rows, dimension)})


@dataclass(frozen=True)
class CachedFeatures:
    """A feature file in the cache. fresh: it was extracted just now."""

    path: Path
    sidecar: FeatureSidecar
    fresh: bool

    def copy_to(self, out: Path) -> None:
        """Copy the feature file to `out` and its sidecar beside it, each whole or not at all, the sidecar
        first."""
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
        made_by = hashlib.sha256(json.dumps(origin.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
        path = self.folder / f"{digest[:32]}-{made_by[:16]}.npy"
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
    if sidecar.reader != READER:
        raise DataError(f"{path}: made by a version of keyseg that could lose the last pictures; extract it again")
    shape = stored_shape(path)
    wanted = (origin.timebase.steps(sidecar.frames), origin.dimension)
    if shape != wanted:
        raise DataError(f"{path}: shape {shape}, expected {wanted}; extract these features again")
    if file_sha256(path) != sidecar.features_sha256:
        raise DataError(f"{path}: its content does not match its sidecar; extract these features again")
    return sidecar
