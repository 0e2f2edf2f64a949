"""Features in, a labelled timeline out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from keyseg.data.features import open_features, stored_shape
from keyseg.inference.decoding import Judgement, ProposalConfig, Reading, Rules, decode, propose
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.graph import ACTION, BOUNDARY
from keyseg.matching.nodes import keypoint_nodes
from keyseg.models.refinement import KeypointMaps
from keyseg.models.rtk import RTK
from keyseg.timeline import DataError, LabelMap, Segmentation, TimeBase

Variant = Literal["rtk", "rtk-no-refinement", "rtk-no-rules", "frame-wise"]
VARIANTS: tuple[Variant, ...] = ("rtk", "rtk-no-refinement", "rtk-no-rules", "frame-wise")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The timeline of one video and what it was made from.

    segmentation: in annotation frames. frame_scores: (C, T) class probabilities a feature step. proposals: keypoints as
    decoded; refined: keypoints as they went into the re-assembly, confidences after refinement. Times of keypoints are
    feature steps; timebase converts.
    """

    segmentation: Segmentation
    proposals: tuple[ActionKeypoints, BoundaryKeypoints]
    refined: tuple[ActionKeypoints, BoundaryKeypoints]
    frame_scores: npt.NDArray[np.float32]
    action_heatmap: npt.NDArray[np.float32]
    boundary_heatmap: npt.NDArray[np.float32]
    labels: LabelMap
    timebase: TimeBase

    @property
    def frame_labels(self) -> list[str]:
        """A class name a frame."""
        return self.labels.decode(self.segmentation.to_frames())


@dataclass
class Predictor:
    """A trained network with all it needs to read features and write timelines.

    rules: for the refined keypoints; plain_rules: for the same network without refinement. refine: False if matching
    never joined the training, so that there is nothing to refine with. orientation: of the feature files in training,
    for files whose shape leaves it open. presampled: whether those files held a column a step, not one a frame.
    """

    model: RTK
    labels: LabelMap
    timebase: TimeBase
    input_dim: int
    proposals: ProposalConfig
    rules: Rules
    plain_rules: Rules
    refine: bool = True
    orientation: Literal["DT", "TD"] = "DT"
    presampled: bool = False

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return next(self.model.parameters()).device

    @torch.inference_mode()
    def maps(self, features: npt.NDArray[np.floating]) -> KeypointMaps:
        """Run the network, as in evaluation, over features (T, D) of one video: its maps, as a batch of one."""
        steps = self._tensor(features)
        training = self.model.training
        self.model.eval()
        try:
            return self.model(steps, torch.ones(1, steps.shape[2], dtype=torch.bool, device=steps.device)).maps()
        finally:
            self.model.train(training)

    @torch.inference_mode()
    def read(self, features: npt.NDArray[np.floating]) -> Reading:
        """All that the network says of one video: features (T, D), T feature steps."""
        maps = self.maps(features)
        action, boundary, frames = (m[0].float().cpu().numpy() for m in (maps.action, maps.boundary, maps.frames))
        actions, boundaries = propose(action, boundary, self.proposals)
        judgement = self._judge(maps, actions, boundaries) if self.refine else None
        return Reading(action, boundary, frames, actions, boundaries, judgement)

    def _judge(self, maps: KeypointMaps, actions: ActionKeypoints, boundaries: BoundaryKeypoints) -> Judgement:
        """Refine the keypoints; nodes of one kind stand in the order of the keypoints."""
        training = self.model.training
        self.model.eval()
        try:
            nodes = keypoint_nodes([(actions, boundaries)], maps.mask.device)
            result = self.model.refine(maps, nodes)
        finally:
            self.model.train(training)
        is_action, is_boundary = nodes.kind[0] == ACTION, nodes.kind[0] == BOUNDARY
        keep, classes = result.keep[0].float().sigmoid(), result.classes[0].float().softmax(1)
        return Judgement(
            keep_action=keep[is_action].cpu().numpy(),
            keep_boundary=keep[is_boundary].cpu().numpy(),
            classes=classes[is_action].cpu().numpy(),
            boundary_time=boundaries.time + result.shift[0].float()[is_boundary].cpu().numpy(),
        )

    def predict(
        self, features: npt.NDArray[np.floating] | str | Path, *, frames: int | None = None, variant: Variant = "rtk"
    ) -> Prediction:
        """Segment one video.

        features: a `.npy` file or an array, (D, T) or (T, D), made as those of training were: the axis of length D
        is the channels, and where both are, the training's orientation holds. A step an annotation frame, unless
        `presampled`: then a step a stride. frames: length of the timeline; None follows from the features.
        Raises DataError on features of another kind.
        """
        steps = self._by_step(features)
        if self.presampled:
            length = len(steps) * self.timebase.stride if frames is None else frames
        else:
            length = len(steps) if frames is None else frames
            steps = steps[:: self.timebase.stride]
        return self.interpret(self.read(steps), frames=length, variant=variant)

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

    def interpret(self, reading: Reading, *, frames: int | None = None, variant: Variant = "rtk") -> Prediction:
        """Turn a reading into a timeline by one of the variants: the full system or a part of it.

        `rtk-no-refinement` skips the refinement, `rtk-no-rules` is the step-wise argmax of the action heatmaps,
        `frame-wise` the argmax of the backbone's frame classifier.
        """
        refined = (reading.actions, reading.boundaries)
        if variant in ("rtk", "rtk-no-refinement"):
            use = variant == "rtk" and reading.judgement is not None
            decoded = decode(reading, self.rules if use else self.plain_rules, refine=use)
            segmentation, refined = decoded.segmentation, (decoded.actions, decoded.boundaries)
        else:
            scores = reading.action if variant == "rtk-no-rules" else reading.frames
            segmentation = Segmentation.from_frames(scores.argmax(0) if reading.steps else np.zeros(0, np.int64))
        length = reading.steps * self.timebase.stride if frames is None else frames
        return Prediction(
            segmentation=Segmentation.from_frames(self.timebase.steps_to_frames(segmentation.to_frames(), length)),
            proposals=(reading.actions, reading.boundaries),
            refined=refined,
            frame_scores=reading.frames,
            action_heatmap=reading.action,
            boundary_heatmap=reading.boundary,
            labels=self.labels,
            timebase=self.timebase,
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
