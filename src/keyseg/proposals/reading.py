"""Features of videos that nobody has labelled, from the videos, from files, or with the cuts of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keyseg.data.feature_files import detect_axes, open_features, stored_shape
from keyseg.data.feature_origin import read_sidecar
from keyseg.data.input_names import is_feature_file
from keyseg.proposals.drafts import VideoFeatures
from keyseg.timeline import ConfigError, DataError, IntArray, TimeBase
from keyseg.video.extraction import FeatureCache, ReportFrames
from keyseg.video.extractor import Extractor
from keyseg.video.extractors import make_extractor

if TYPE_CHECKING:  # needs torch
    from keyseg.inference.predictor import Predictor


@dataclass(frozen=True)
class FeatureReader:
    """Reads one file after the other.

    fps: of videos, and of feature files without a sidecar. extractor: what makes features of videos; None if there are
    no videos. dimension: D of feature files without a sidecar. predictor: of the bundle whose boundary keypoints are
    the cuts.
    """

    fps: Fraction
    extractor: Extractor | None
    cache: FeatureCache
    damaged: bool
    dimension: int | None
    predictor: Predictor | None

    def read(self, file: Path, progress: ReportFrames, *, segments: int | None = None) -> VideoFeatures:
        """The features of a video file or of a feature file. segments: as in `boundary_cuts`. Raises DataError."""
        path, sidecar = file, read_sidecar(file) if is_feature_file(file) else None
        if not is_feature_file(file):
            assert self.extractor is not None
            made = self.cache.features(file, self.extractor, self.fps, damaged=self.damaged, progress=progress)
            path, sidecar = made.path, made.sidecar
        frames = None if sidecar is None else sidecar.frames
        if self.predictor is not None:
            if sidecar is not None:
                self.predictor.check_origin(sidecar.origin, file)
            steps, length = self.predictor.read(path, frames=frames)
            return VideoFeatures(steps, self.predictor.timebase, length, boundary_cuts(self.predictor, steps, segments))
        if sidecar is not None:
            features = open_features(path, dimension=sidecar.origin.dimension, orientation="TD")
            return VideoFeatures(features, sidecar.origin.timebase, sidecar.frames)
        return array_features(open_features(path, dimension=self.dimension), self.fps)


def feature_reader(
    files: Sequence[Path],
    *,
    bundle: Path | str | None = None,
    extractor: str = "motion",
    fps: Fraction = Fraction(15),
    device: str | None = None,
    cache: Path | str | None = None,
    damaged: bool = False,
) -> FeatureReader:
    """What reads these files; the parameters are those of `propose`. Raises BundleError, ConfigError, DataError."""
    videos = any(not is_feature_file(file) for file in files)
    kept = FeatureCache(None if cache is None else Path(cache))  # raises if a file is in its place
    if bundle is None:
        made_by = make_extractor(extractor, device=device) if videos else None
        return FeatureReader(fps, made_by, kept, damaged, common_dimension(files), None)
    from keyseg.inference.bundle import load
    from keyseg.inference.decoders import KeypointDecoder

    predictor = load(bundle)
    if not isinstance(predictor.decoder, KeypointDecoder):
        raise ConfigError(f"{bundle}: {predictor.system} has no boundary keypoints; name a bundle of rtk")
    made_by = predictor.extractor(device=device) if videos else None
    rate = predictor.origin.fps if predictor.origin is not None else fps
    return FeatureReader(rate, made_by, kept, damaged, None, predictor)


def boundary_cuts(predictor: Predictor, steps: npt.NDArray[np.floating], segments: int | None = None) -> IntArray:
    """The steps at which segments begin by the boundary keypoints of a network, which know no classes.

    steps: (T, D). segments: keep the cuts between so many, the most confident ones. Raises ConfigError if the system
    has no keypoints.
    """
    from keyseg.inference.decoders import KeypointDecoder

    boundaries = predictor.run_keypoints(steps).boundaries
    assert isinstance(predictor.decoder, KeypointDecoder)
    kept = boundaries.select(boundaries.confidence >= predictor.decoder.rules.boundary_threshold)
    if segments is not None:
        kept = kept.select(np.sort(np.argsort(-kept.confidence, kind="stable")[: segments - 1]))
    return np.unique(np.round(kept.time).astype(np.int64))


def common_dimension(files: Sequence[Path]) -> int | None:
    """D of feature files without a sidecar, by their shapes; None if all have one.

    Raises DataError if the shapes do not show it.
    """
    shapes = {}
    for file in filter(is_feature_file, files):
        with suppress(DataError):  # reported where the file is read
            if read_sidecar(file) is None:
                shapes[file] = stored_shape(file)
    found = detect_axes((shape, None) for shape in shapes.values())
    if not shapes:
        return None
    if found is None:
        file, shape = next(iter(shapes.items()))
        raise DataError(
            f"{file}: shape {shape} does not show which axis is time, and there is no sidecar; give"
            " several files of different lengths, or in Python an array (T, D)"
        )
    return found[1]


def array_features(array: npt.NDArray[np.floating], fps: Fraction) -> VideoFeatures:
    """Of an array (T, D), one row per frame."""
    return VideoFeatures(np.asarray(array), TimeBase(fps), len(array))
