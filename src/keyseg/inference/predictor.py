"""Features in, a labelled timeline out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from keyseg.data.feature_origin import FeatureOrigin, read_sidecar
from keyseg.data.features import open_features, stored_shape
from keyseg.inference.decoders import FrameDecoder, KeypointDecoder
from keyseg.inference.decoding import FloatMap, FrameReading, Reading
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.models.catalog import Network
from keyseg.models.refinement import KeypointMaps
from keyseg.models.rtk import RTK
from keyseg.timeline import ConfigError, DataError, LabelMap, Segmentation, TimeBase

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Prediction:
    """The timeline of one video and what it was made from.

    segmentation: in annotation frames. frame_scores: (C, T) class probabilities a feature step. stages: (stages, C, T)
    outputs of the network's stages, the last one last.
    """

    segmentation: Segmentation
    frame_scores: FloatMap
    stages: FloatMap
    labels: LabelMap
    timebase: TimeBase

    @property
    def frame_labels(self) -> list[str]:
        """A class name a frame."""
        return self.labels.decode(self.segmentation.to_frames())


@dataclass(frozen=True)
class KeypointPrediction(Prediction):
    """RTK's prediction. proposals: keypoints as decoded; refined: keypoints as they went into the re-assembly,
    confidences after refinement. Times of keypoints are feature steps; timebase converts."""

    proposals: tuple[ActionKeypoints, BoundaryKeypoints]
    refined: tuple[ActionKeypoints, BoundaryKeypoints]
    action_heatmap: FloatMap
    boundary_heatmap: FloatMap


@dataclass
class Predictor:
    """A trained network with all it needs to read features and write timelines.

    decoder: what turns the network's output into segments. orientation: of the feature files in training, for files
    whose shape leaves it open. presampled: whether those files held a column a step, not one a frame. origin: what made
    those features, where that is known.
    """

    model: Network
    labels: LabelMap
    timebase: TimeBase
    input_dim: int
    decoder: KeypointDecoder | FrameDecoder
    orientation: Literal["DT", "TD"] = "DT"
    presampled: bool = False
    origin: FeatureOrigin | None = None

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return next(self.model.parameters()).device

    @property
    def variants(self) -> tuple[str, ...]:
        """What can be predicted: the full system first, then its parts."""
        return self.decoder.variants

    def read(self, features: npt.NDArray[np.floating]) -> FrameReading:
        """All that the network says of one video: features (T, D), T feature steps."""
        return self._evaluate(features, self.decoder.read)

    def maps(self, features: npt.NDArray[np.floating]) -> KeypointMaps:
        """RTK's maps over features (T, D) of one video, as a batch of one. Raises ConfigError if there are none."""
        if not isinstance(self.model, RTK):
            raise ConfigError("heatmaps, keypoints and their graph are RTK's; this bundle holds another network")
        maps: KeypointMaps = self._evaluate(features, lambda network, steps, mask: network(steps, mask).maps())
        return maps

    @torch.inference_mode()
    def _evaluate(self, features: npt.NDArray[np.floating], call: Callable[[Any, Tensor, Tensor], _Result]) -> _Result:
        """Call with the network in evaluation mode, the features of one video (1, D, T) and their mask."""
        steps = self._tensor(features)
        training = self.model.training
        self.model.eval()
        try:
            return call(self.model, steps, torch.ones(1, steps.shape[2], dtype=torch.bool, device=steps.device))
        finally:
            self.model.train(training)

    def predict(
        self, features: npt.NDArray[np.floating] | str | Path, *, frames: int | None = None, variant: str | None = None
    ) -> Prediction:
        """Segment one video.

        features: a `.npy` file or an array, (D, T) or (T, D), made as those of training were: the axis of length D
        is the channels, and where both are, the training's orientation holds. A step an annotation frame, unless
        `presampled`: then a step a sample_rate. frames: length of the timeline; None follows from the features and their
        sidecar. variant: one of `variants`; None is the full system.
        Raises DataError on features of another kind. For a video file see `keyseg.inference.videos.predict_video`.
        """
        if isinstance(features, str | Path):
            frames = self._checked_frames(Path(features)) if frames is None else frames
        steps = self._by_step(features)
        if self.presampled:
            length = len(steps) * self.timebase.sample_rate if frames is None else frames
        else:
            length = len(steps) if frames is None else frames
            steps = steps[:: self.timebase.sample_rate]
        return self.interpret(self.read(steps), frames=length, variant=variant)

    def _checked_frames(self, features: Path) -> int | None:
        """Frames of the video by the sidecar of its features. Raises DataError where they were made in another way."""
        sidecar = read_sidecar(features)
        if sidecar is None or self.origin is None:
            return None
        self.check_origin(sidecar.origin, features)
        return sidecar.frames

    def check_origin(self, origin: FeatureOrigin, where: Path) -> None:
        """Raise DataError unless features were made as those of training; say what differs."""
        if self.origin is None or origin == self.origin:
            return
        differing = "; ".join(self.origin.differences(origin))
        raise DataError(
            f"{where}: features by {origin}, but the model was trained on features by {self.origin} ({differing});"
            f" extract them again: keyseg features VIDEO --extractor {self.origin.extractor} --fps {self.origin.fps}"
            " --out FOLDER"
        )

    def _by_step(self, features: npt.NDArray[np.floating] | str | Path) -> npt.NDArray[np.floating]:
        """Features as (T, D)."""
        if isinstance(features, str | Path):
            path = Path(features)
            shape = stored_shape(path)
            if self.input_dim not in shape:
                raise DataError(
                    f"{path}: the model reads features of {self.input_dim} dimensions a step, got shape {shape}; were"
                    " they made by another extractor?"
                )
            square = shape == (self.input_dim, self.input_dim)
            return open_features(path, dimension=self.input_dim, orientation=self.orientation if square else "auto")
        array = np.asarray(features)
        if array.ndim == 2 and array.shape[0] == self.input_dim:
            square = array.shape[1] == self.input_dim
            return array if square and self.orientation == "TD" else array.T
        return array

    def interpret(self, reading: FrameReading, *, frames: int | None = None, variant: str | None = None) -> Prediction:
        """Turn a reading into a timeline by one of the variants: the full system (None) or a part of it."""
        decoded = self.decoder.segment(reading, self.variants[0] if variant is None else variant)  # type: ignore[arg-type]
        length = reading.steps * self.timebase.sample_rate if frames is None else frames
        labels = self.timebase.steps_to_frames(decoded.segmentation.to_frames(), length)
        common = (Segmentation.from_frames(labels), reading.frames, reading.stages, self.labels, self.timebase)
        if not isinstance(reading, Reading):
            return Prediction(*common)
        return KeypointPrediction(
            *common,
            proposals=(reading.actions, reading.boundaries),
            refined=(decoded.actions, decoded.boundaries),
            action_heatmap=reading.action,
            boundary_heatmap=reading.boundary,
        )

    def _tensor(self, features: npt.NDArray[np.floating]) -> torch.Tensor:
        """(T, D) features as a (1, D, T) float tensor on the model's device; the checks of what a stranger brings."""
        if features.ndim != 2 or features.shape[1] != self.input_dim:
            raise DataError(
                f"the model reads features of {self.input_dim} dimensions a step, (T, {self.input_dim}),"
                f" got shape {features.shape}; were they made by another extractor?"
            )
        if features.shape[0] == 0:
            raise DataError("the features hold no step; a timeline needs at least one")
        array = np.array(features.T, dtype=np.float32, order="C")
        if not np.isfinite(array).all():
            step = int(np.flatnonzero(~np.isfinite(array).all(0))[0])
            raise DataError(f"the features hold NaN or infinite values, first at step {step}; extract them again")
        return torch.from_numpy(array)[None].to(self.device)
