"""A video file in, a labelled timeline out: features as in training, then the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keyseg.data.feature_origin import FeatureSidecar
from keyseg.inference.prediction import Prediction
from keyseg.inference.predictor import Predictor
from keyseg.timeline import DataError
from keyseg.video.extraction import FeatureCache, ReportFrames
from keyseg.video.extractor import Extractor
from keyseg.video.extractors import extractor_of


@dataclass(frozen=True)
class VideoPrediction:
    """A prediction, and what is known about the frames of the video: their times and gaps."""

    prediction: Prediction
    sidecar: FeatureSidecar


def extractor_for(predictor: Predictor, *, device: str | None = None, folder: Path | None = None) -> Extractor:
    """The extractor that made the features of training. folder: of its model, if that is a local one that moved.

    Raises DataError if the bundle does not know the extractor, or if the extractor is not available.
    """
    if predictor.origin is None:
        raise DataError(
            f"this bundle does not know what made its features ({predictor.input_dim} numbers per frame), so it cannot"
            " read a video file; predict from features (.npy), or train on features that keyseg features wrote"
        )
    return extractor_of(predictor.origin, device, folder)


def predict_video(
    predictor: Predictor,
    video: Path,
    *,
    extractor: Extractor | None = None,
    cache: FeatureCache | None = None,
    damaged: bool = False,
    progress: ReportFrames = lambda *_: None,
) -> VideoPrediction:
    """Segment a video file. Frame i of the timeline is the picture on screen at i / fps seconds.

    extractor: from `extractor_for`; None creates it. cache: where features are kept. damaged: continue after damage.
    Raises DataError on a video that cannot be read, and on a bundle that does not know its extractor.
    """
    extractor = extractor or extractor_for(predictor)
    assert predictor.origin is not None  # otherwise there would be no extractor
    found = (cache or FeatureCache()).features(
        video, extractor, predictor.origin.fps, damaged=damaged, progress=progress
    )
    predictor.check_origin(found.sidecar.origin, video)
    return VideoPrediction(predictor.predict(found.path, frames=found.sidecar.frames), found.sidecar)
