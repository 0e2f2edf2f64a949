"""What a predictor says about one video."""

from __future__ import annotations

from dataclasses import dataclass, field

from keyseg.inference.confidence import Calibration, second_labels, segment_confidence
from keyseg.inference.decoding import FloatMap
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.alignment import Alignment
from keyseg.timeline import LabelMap, Segmentation, TimeBase


@dataclass(frozen=True)
class Prediction:
    """The timeline of one video and what it was made from.

    segmentation: in annotation frames. frame_scores: (C, T) class probabilities per feature step. stages: (stages, C,
    T) outputs of the network's stages, the last one last. alignment: the training annotations that the segments were
    matched to, in steps; None where nothing is matched. calibration: of the confidence; None where none was learnt.
    """

    segmentation: Segmentation
    frame_scores: FloatMap
    stages: FloatMap
    labels: LabelMap
    timebase: TimeBase
    alignment: Alignment | None
    calibration: Calibration | None = field(default=None, kw_only=True)

    @property
    def frame_labels(self) -> list[str]:
        """One class name per frame."""
        return self.labels.decode(self.segmentation.to_frames())

    @property
    def confidence(self) -> list[float]:
        """Of each segment, the probability that it is right, from 0 to 1; see `keyseg.inference.confidence`.

        Without a calibration it is the mean probability of the segment's class over its feature steps.
        """
        rate = self.timebase.sample_rate
        sure = segment_confidence(self.frame_scores, self.segmentation, rate, self.calibration)
        return [float(value) for value in sure]

    @property
    def second_labels(self) -> list[int | None]:
        """Of each segment, the most probable other class; None where there is one class only."""
        return second_labels(self.frame_scores, self.segmentation, self.timebase.sample_rate)


@dataclass(frozen=True)
class KeypointPrediction(Prediction):
    """RTK's prediction. proposals: keypoints as decoded; refined: those that made the segments, chosen by the match or
    going into Algorithm 1. Times of keypoints are feature steps; timebase converts."""

    proposals: tuple[ActionKeypoints, BoundaryKeypoints]
    refined: tuple[ActionKeypoints, BoundaryKeypoints]
    action_heatmap: FloatMap
    boundary_heatmap: FloatMap
