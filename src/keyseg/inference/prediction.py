"""What a predictor says about one video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keyseg.inference.decoding import FloatMap
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.alignment import Alignment
from keyseg.timeline import LabelMap, Segmentation, TimeBase


@dataclass(frozen=True)
class Prediction:
    """The timeline of one video and what it was made from.

    segmentation: in annotation frames. frame_scores: (C, T) class probabilities per feature step. stages: (stages, C,
    T) outputs of the network's stages, the last one last. alignment: the training annotations that the segments were
    matched to, in steps; None where nothing is matched.
    """

    segmentation: Segmentation
    frame_scores: FloatMap
    stages: FloatMap
    labels: LabelMap
    timebase: TimeBase
    alignment: Alignment | None

    @property
    def frame_labels(self) -> list[str]:
        """One class name per frame."""
        return self.labels.decode(self.segmentation.to_frames())

    @property
    def confidence(self) -> list[float]:
        """Mean probability of each segment's class over its feature steps, from 0 to 1."""
        rate = self.timebase.sample_rate
        return [
            float(np.mean(self.frame_scores[span.label, span.start_frame // rate : -(-span.end_frame // rate)]))
            for span in self.segmentation
        ]


@dataclass(frozen=True)
class KeypointPrediction(Prediction):
    """RTK's prediction. proposals: keypoints as decoded; refined: those that made the segments, chosen by the match or
    going into Algorithm 1. Times of keypoints are feature steps; timebase converts."""

    proposals: tuple[ActionKeypoints, BoundaryKeypoints]
    refined: tuple[ActionKeypoints, BoundaryKeypoints]
    action_heatmap: FloatMap
    boundary_heatmap: FloatMap
