"""A video or its features in, a labelled timeline out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from keyseg.data.feature_files import open_features, stored_shape
from keyseg.data.feature_origin import FeatureOrigin, FeatureSidecar, read_sidecar
from keyseg.data.input_names import input_name, is_feature_file
from keyseg.inference.confidence import Calibration
from keyseg.inference.decoders import Decoder, KeypointDecoder
from keyseg.inference.decoding import KeypointOutput, NetworkOutput
from keyseg.inference.onnx_network import OnnxNetwork
from keyseg.inference.prediction import KeypointPrediction, Prediction
from keyseg.inference.weight_files import refuse_overflow
from keyseg.matching.nodes import keypoint_nodes
from keyseg.models.network import Network
from keyseg.models.rtk import RTK
from keyseg.timeline import ConfigError, DataError, LabelMap, TimeBase, nearest

if TYPE_CHECKING:  # decoders of videos are imported for videos alone
    from keyseg.video.extraction import CachedFeatures, ReportFrames
    from keyseg.video.extractor import Extractor


@dataclass(frozen=True, kw_only=True, repr=False)
class Predictor:
    """A trained network with all it needs to read features and write timelines.

    system: its name in `keyseg.inference.systems`. decoder: turns the output of the network into segments.
    orientation: of the feature files in training, for files whose shape does not tell. presampled: whether those files
    held one column per step, not one per frame. origin: what made those features, where that is known. tier: of ELAN
    and Praat, to which predictions are written, where the data set names one. others: further networks of the same
    kind, in an ensemble; what they say is averaged with what `model` says. calibration: of the confidence of segments,
    None where none was learnt. folder: of the bundle that it was loaded from, if any.

    >>> from keyseg.inference.systems import SYSTEMS
    >>> system, labels = SYSTEMS["ms-tcn++"], LabelMap(("background", "cut", "pour"))
    >>> network = system.network(system.config(channels=8), input_dim=16, classes=len(labels))
    >>> decoder, timebase = system.decoder(), TimeBase(fps=10)
    >>> predictor = Predictor(system=system.name, model=network, labels=labels, timebase=timebase, decoder=decoder)
    >>> predictor
    Predictor(ms-tcn++, 3 classes, 16 channels at 10 fps)
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
    others: tuple[Network, ...] = ()
    calibration: Calibration | None = None
    folder: Path | None = None

    @property
    def networks(self) -> tuple[Network, ...]:
        """All networks that are averaged; usually one."""
        return (self.model, *self.others)

    def __repr__(self) -> str:
        rate = float(self.timebase.fps)
        return f"Predictor({self.system}, {len(self.labels)} classes, {self.input_dim} channels at {rate:g} fps)"

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

        Raises BundleError or DataError, as `refuse_overflow` does, if a score is not finite.
        """
        with self._evaluation():
            steps = features.T[None] if isinstance(features, Tensor) else self._tensor(features)
            try:
                return self._run(steps, refine)
            except FloatingPointError:
                refuse_overflow(self.networks, steps, self.folder)

    def _run(self, steps: Tensor, refine: bool) -> NetworkOutput:
        """What the network says about a tensor (1, D, T). Raises FloatingPointError if a score is not finite."""
        outputs = [network(steps) for network in self.networks]
        read = [self.decoder.read(output) for output in outputs]
        result = self.decoder.average(read) if self.others else read[0]
        trained = isinstance(self.decoder, KeypointDecoder) and self.decoder.refine
        if not (refine and trained and isinstance(result, KeypointOutput)):
            return result
        nodes = keypoint_nodes([(result.actions, result.boundaries)], steps.device)
        refiners = [network.refiner for network in self.networks if isinstance(network, RTK | OnnxNetwork)]
        refined = [refiner(output.maps(), nodes) for refiner, output in zip(refiners, outputs, strict=True)]
        return result.refined(refined, nodes)

    def run_keypoints(self, features: npt.NDArray[np.floating]) -> KeypointOutput:
        """As `run`. Raises ConfigError if the system has no keypoints."""
        output = self.run(features)
        if not isinstance(output, KeypointOutput):
            raise ConfigError(f"{self.system} has no heatmaps and keypoints; name a bundle of rtk")
        return output

    @contextmanager
    def _evaluation(self) -> Iterator[None]:
        """The networks in evaluation mode and without gradients; afterwards in the mode that they were in."""
        modes = [network.training for network in self.networks]
        try:
            for network in self.networks:
                network.eval()
            with torch.inference_mode():
                yield
        finally:
            for network, training in zip(self.networks, modes, strict=True):
                network.train(training)

    def predict(
        self,
        video: npt.NDArray[np.floating] | Tensor | str | Path,
        *,
        frames: int | None = None,
        variant: str | None = None,
        device: str | torch.device | None = None,
        batch: int | None = None,
        extractor: Extractor | Path | str | None = None,
        cache: Path | str | None = None,
        damaged: bool = False,
        progress: ReportFrames = lambda *_: None,
    ) -> Prediction:
        """Segment one video.

        video: a video file, if the network was trained on features of `keyseg features`, or a file of tracks, if those
        were poses; frame i of the timeline is the picture on screen at i / fps seconds. Or the features: a `.npy` file,
        an array or a tensor, (D, T) or (T, D), made as those of training were. If both axes have length D, the
        orientation of training decides. There is one step per annotation frame or, if `presampled`, one per
        `sample_rate` frames.

        frames: length of the timeline; None follows from the video, or from the features and their sidecar. variant:
        one of `variants`; None is the full system. device: where extractor and network run, such as cuda; the network
        stays there. None: the network where it is, the extractor on a GPU if there is one.

        For videos. batch: clips of pictures that the extractor's network sees at once; fewer need less memory.
        extractor: folder of its model, if it is a local one that has moved, or what `Predictor.extractor` returns, so
        that many videos load it once. cache: folder that keeps features by the content of the video. damaged: continue
        after damage; the prediction's notes say where. progress: called with the number of frames that are read and the
        number expected, None if unknown.

        Raises DataError on a file that cannot be read, features of another kind, and a video if the bundle does not
        know its extractor; ConfigError on anything else and on a wrong option.
        """
        self._check_variant(variant)
        if device is not None:
            self.move(device)
        if isinstance(video, str | Path):
            file = Path(video)
            if is_feature_file(file):
                return self.of_features(file, file, read_sidecar(file), frames, variant)
            if not file.is_file():
                raise DataError(f"{file}: {'a folder; predict one file' if file.is_dir() else 'no such file'}")
            if extractor is None or isinstance(extractor, str | Path):
                extractor = self.extractor(device=device, folder=extractor, batch=batch)
            found = self.video_features(file, extractor, cache, damaged, progress)
            return self.of_features(file, found.path, found.sidecar, frames or found.sidecar.frames, variant)
        if isinstance(video, Tensor):
            video = video.detach().float().cpu().numpy()
        if not isinstance(video, np.ndarray):
            raise ConfigError(
                "expected a video file, a .npy file of features, or features as an array or tensor, (T, D) or (D, T);"
                f" got {type(video).__name__}"
            )
        steps, length = self.read(video, frames=frames)
        return self.decode(self.run(steps), frames=length, variant=variant)

    def extractor(
        self, *, device: str | torch.device | None = None, folder: Path | str | None = None, batch: int | None = None
    ) -> Extractor:
        """The extractor that made the features of training.

        folder: of its model, if that is a local one that moved. Raises DataError if the bundle does not know the
        extractor, or if it is not available; ConfigError on a wrong option.
        """
        from keyseg.video.extractors import extractor_of

        if self.origin is None:
            raise DataError(
                f"this bundle does not know what made its features ({self.input_dim} numbers per frame), so it cannot"
                " read a video file; predict from features (.npy), or train on features that keyseg features wrote"
            )
        place = None if folder is None else Path(folder)
        return extractor_of(self.origin, None if device is None else str(device), place, batch)

    def video_features(
        self, video: Path, extractor: Extractor, cache: Path | str | None, damaged: bool, progress: ReportFrames
    ) -> CachedFeatures:
        """The features of a video file, from the cache if they are there; with the arguments of `predict`."""
        from keyseg.video.extraction import FeatureCache

        assert self.origin is not None  # otherwise there would be no extractor
        folder = None if cache is None else Path(cache)
        found = FeatureCache(folder).features(video, extractor, self.origin.fps, damaged=damaged, progress=progress)
        self.check_origin(found.sidecar.origin, video)
        return found

    def of_features(
        self, file: Path, features: Path, sidecar: FeatureSidecar | None, frames: int | None, variant: str | None
    ) -> Prediction:
        """The prediction of a video file or a file of features, with its name and what its sidecar notes."""
        steps, length = self.read(features, frames=frames)
        gaps = [f"damaged from {text}" for text in sidecar.gap_texts()] if sidecar else []
        return replace(
            self.decode(self.run(steps), frames=length, variant=variant),
            name=input_name(file),
            media="" if file == features else str(file.absolute()),
            notes=(*gaps, *(sidecar.notes if sidecar else ())),
        )

    def move(self, device: str | torch.device) -> None:
        """Move the networks to a device, such as cuda. Raises ConfigError if it cannot be used here."""
        try:
            for network in self.networks:
                network.to(device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"device {str(device)!r} cannot be used here ({reason}); try cpu") from error

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
        if self.origin is None or origin.without_folders() == self.origin.without_folders():
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
        self._check_variant(variant)
        decoded = self.decoder.segments(output, None if variant == self.system else variant)
        length = output.steps * self.timebase.sample_rate if frames is None else frames
        segmentation = self.timebase.segments_to_frames(decoded.segmentation, length)
        common = (segmentation, output.frames, output.stages, self.labels, self.timebase, decoded.alignment)
        calibration = self.calibration if variant in (None, self.system) else None  # it was learnt with the full system
        tier = self.tier or "actions"
        if not isinstance(output, KeypointOutput):
            return Prediction(*common, tier=tier, calibration=calibration)
        return KeypointPrediction(
            *common,
            tier=tier,
            proposals=(output.actions, output.boundaries),
            refined=(decoded.actions, decoded.boundaries),
            action_heatmap=output.action,
            boundary_heatmap=output.boundary,
            calibration=calibration,
        )

    def _check_variant(self, variant: str | None) -> None:
        if variant is not None and variant not in self.variants:
            known = ", ".join(self.variants)
            raise ConfigError(f"unknown variant {variant!r}{nearest(variant, self.variants)}; there are {known}")

    def _tensor(self, features: npt.NDArray[np.floating]) -> torch.Tensor:
        """(T, D) features as a (1, D, T) float tensor on the model's device; after the checks of what users bring."""
        if features.ndim != 2 or features.shape[1] != self.input_dim:
            raise DataError(
                f"the model reads features of {self.input_dim} dimensions, (T, {self.input_dim}),"
                f" got shape {features.shape}; were they made by another extractor?"
            )
        if features.shape[0] == 0:
            raise DataError("the features have no steps; a timeline needs at least one")
        if features.dtype.kind not in "biuf":
            raise DataError(
                f"the features are to be real numbers, got an array of {features.dtype}; save them as float32"
            )
        with np.errstate(over="ignore"):  # to infinity, which is reported below
            array = np.require(features.T, np.float32, ["C", "A", "W"])  # copied only if it has to be
        tensor = torch.from_numpy(array)[None].to(self.device)
        if not tensor.sum().isfinite():  # much faster than to look at every number
            wrong = (~tensor[0].isfinite()).any(0).nonzero()
            if len(wrong):
                where = f"first at step {int(wrong[0])}"
                raise DataError(f"the features contain NaN or infinite values, {where}; extract them again")
        return tensor
