"""Features in, a labelled timeline out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from keyseg.data.feature_files import open_features, stored_shape
from keyseg.data.feature_origin import FeatureOrigin, read_sidecar
from keyseg.inference.confidence import Calibration
from keyseg.inference.decoders import Decoder, KeypointDecoder
from keyseg.inference.decoding import KeypointOutput, NetworkOutput
from keyseg.inference.prediction import KeypointPrediction, Prediction
from keyseg.matching.nodes import keypoint_nodes
from keyseg.models.network import Network
from keyseg.models.rtk import RTK
from keyseg.timeline import ConfigError, DataError, LabelMap, Segmentation, TimeBase, nearest


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A trained network with all it needs to read features and write timelines.

    system: its name in `keyseg.inference.systems`. decoder: turns the output of the network into segments.
    orientation: of the feature files in training, for files whose shape does not tell. presampled: whether those files
    held one column per step, not one per frame. origin: what made those features, where that is known. tier: of ELAN
    and Praat, to which predictions are written, where the data set names one. calibration: of the confidence of
    segments, None where none was learnt.

    >>> from keyseg.inference.systems import SYSTEMS
    >>> system, labels = SYSTEMS["ms-tcn++"], LabelMap(("background", "cut", "pour"))
    >>> network = system.network(system.config(channels=8), input_dim=16, classes=len(labels))
    >>> decoder, timebase = system.decoder(), TimeBase(fps=10)
    >>> predictor = Predictor(system=system.name, model=network, labels=labels, timebase=timebase, decoder=decoder)
    >>> predictor.predict(np.zeros((50, 16))).segmentation.length
    50
    """

    system: str
    model: Network
    labels: LabelMap
    timebase: TimeBase
    decoder: Decoder
    orientation: Literal["DT", "TD"] = "DT"
    presampled: bool = False
    origin: FeatureOrigin | None = None
    tier: str | None = None
    calibration: Calibration | None = None

    @property
    def input_dim(self) -> int:
        """D, channels of the features."""
        return self.model.input_dim

    @property
    def device(self) -> torch.device:
        """Device of the network's weights."""
        return next(self.model.parameters()).device

    @property
    def variants(self) -> tuple[str, ...]:
        """What can be predicted: the full system first, by its name, then its parts."""
        return (self.system, *self.decoder.PARTS)

    def run(self, features: npt.NDArray[np.floating] | Tensor, *, refine: bool = True) -> NetworkOutput:
        """What the network says about one video.

        features: (T, D), T feature steps, as an array that is checked, or as a tensor on the network's device. refine:
        whether the network's refinement takes part, if it has one that was trained.
        """
        with self._evaluation():
            steps = features.T[None] if isinstance(features, Tensor) else self._tensor(features)
            output = self.model(steps, torch.ones(1, steps.shape[2], dtype=torch.bool, device=steps.device))
            result = self.decoder.read(output)
            trained = isinstance(self.decoder, KeypointDecoder) and self.decoder.refine
            if not (refine and trained and isinstance(self.model, RTK) and isinstance(result, KeypointOutput)):
                return result
            nodes = keypoint_nodes([(result.actions, result.boundaries)], steps.device)
            return result.refined(self.model.refiner(output.maps(), nodes), nodes)

    def run_keypoints(self, features: npt.NDArray[np.floating]) -> KeypointOutput:
        """As `run`. Raises ConfigError if the system has no keypoints."""
        output = self.run(features)
        if not isinstance(output, KeypointOutput):
            raise ConfigError(f"{self.system} has no heatmaps and keypoints; name a bundle of rtk")
        return output

    @contextmanager
    def _evaluation(self) -> Iterator[None]:
        """The network in evaluation mode and without gradients; afterwards in the mode that it was in."""
        training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            self.model.train(training)

    def predict(
        self, features: npt.NDArray[np.floating] | str | Path, *, frames: int | None = None, variant: str | None = None
    ) -> Prediction:
        """Segment one video.

        features: a `.npy` file or an array, (D, T) or (T, D), made as those of training were. The axis of length D
        holds the channels; if both have that length, the orientation of training decides. There is one step per
        annotation frame or, if `presampled`, one per `sample_rate` frames. frames: length of the timeline; None follows
        from the features and their sidecar. variant: one of `variants`; None is the full system. Raises DataError on
        features of another kind. For a video file see `keyseg.inference.videos.predict_video`.
        """
        steps, length = self.read(features, frames=frames)
        return self.decode(self.run(steps), frames=length, variant=variant)

    def read(
        self, features: npt.NDArray[np.floating] | str | Path, *, frames: int | None = None
    ) -> tuple[npt.NDArray[np.floating], int]:
        """Features per step, (T, D), and the number of frames of their timeline, of what `predict` takes."""
        if isinstance(features, str | Path):
            frames = self._checked_frames(Path(features)) if frames is None else frames
        steps = self._by_step(features)
        if self.presampled:
            return steps, len(steps) * self.timebase.sample_rate if frames is None else frames
        return steps[:: self.timebase.sample_rate], len(steps) if frames is None else frames

    def _checked_frames(self, features: Path) -> int | None:
        """Frames of the video by the sidecar of its features. Raises DataError if these were made in another way."""
        sidecar = read_sidecar(features)
        if sidecar is None or self.origin is None:
            return None
        self.check_origin(sidecar.origin, features)
        return sidecar.frames

    def check_origin(self, origin: FeatureOrigin, where: Path) -> None:
        """Raise DataError naming the differences if features were not made as those of training."""
        if self.origin is None or origin == self.origin:
            return
        differing = "; ".join(self.origin.differences(origin))
        raise DataError(
            f"{where}: features by {origin}, but the model was trained on features by {self.origin} ({differing});"
            f" extract them again: keyseg features VIDEO --extractor {self.origin.extractor} --fps {self.origin.fps}"
            " --out FOLDER"
        )

    def _by_step(self, features: npt.NDArray[np.floating] | str | Path) -> npt.NDArray[np.floating]:
        """Features in the order (T, D)."""
        if isinstance(features, str | Path):
            path = Path(features)
            shape = stored_shape(path)
            if self.input_dim not in shape:
                raise DataError(
                    f"{path}: the model reads features of {self.input_dim} dimensions, got shape {shape}; were"
                    " they made by another extractor?"
                )
            square = shape == (self.input_dim, self.input_dim)
            return open_features(path, dimension=self.input_dim, orientation=self.orientation if square else "auto")
        array = np.asarray(features)
        if array.ndim == 2 and array.shape[0] == self.input_dim:
            square = array.shape[1] == self.input_dim
            return array if square and self.orientation == "TD" else array.T
        return array

    def decode(self, output: NetworkOutput, *, frames: int | None = None, variant: str | None = None) -> Prediction:
        """Turn the network's output into a timeline of `frames` frames by the full system (None) or a part of it.

        Raises ConfigError if there is no such variant.
        """
        variant = self.system if variant is None else variant
        if variant not in self.variants:
            known = ", ".join(self.variants)
            raise ConfigError(f"unknown variant {variant!r}{nearest(variant, self.variants)}; there are {known}")
        decoded = self.decoder.segments(output, None if variant == self.system else variant)
        length = output.steps * self.timebase.sample_rate if frames is None else frames
        labels = self.timebase.steps_to_frames(decoded.segmentation.to_frames(), length)
        segmentation = Segmentation.from_frames(labels)
        common = (segmentation, output.frames, output.stages, self.labels, self.timebase, decoded.alignment)
        calibration = self.calibration if variant == self.system else None  # it was learnt with the full system
        if not isinstance(output, KeypointOutput):
            return Prediction(*common, calibration=calibration)
        return KeypointPrediction(
            *common,
            proposals=(output.actions, output.boundaries),
            refined=(decoded.actions, decoded.boundaries),
            action_heatmap=output.action,
            boundary_heatmap=output.boundary,
            calibration=calibration,
        )

    def _tensor(self, features: npt.NDArray[np.floating]) -> torch.Tensor:
        """(T, D) features as a (1, D, T) float tensor on the model's device; after the checks of what users bring."""
        if features.ndim != 2 or features.shape[1] != self.input_dim:
            raise DataError(
                f"the model reads features of {self.input_dim} dimensions, (T, {self.input_dim}),"
                f" got shape {features.shape}; were they made by another extractor?"
            )
        if features.shape[0] == 0:
            raise DataError("the features have no steps; a timeline needs at least one")
        array = np.array(features.T, dtype=np.float32, order="C")
        if not np.isfinite(array).all():
            step = int(np.flatnonzero(~np.isfinite(array).all(0))[0])
            raise DataError(f"the features contain NaN or infinite values, first at step {step}; extract them again")
        return torch.from_numpy(array)[None].to(self.device)
