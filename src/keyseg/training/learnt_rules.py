"""Learning the rules of Algorithm 1 from the outputs of inner folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import Rules
from keyseg.metrics import evaluate_labels
from keyseg.timeline import FloatArray
from keyseg.training.inner_folds import HeldOutVideo, first_names
from keyseg.training.match_weights import MOST_LOSS, helps, measures

_ACTION_THRESHOLDS = (0.1, 0.15, 0.2, 0.3)
_BOUNDARY_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3)
_FRAME_WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
_LEAST_GAIN = 2.0  # points of the mean of F1@50, Edit and Acc; less is chance where the defaults suit the data
_STEPS = 100_000  # most steps of held-out videos of one fold to learn with


def learn_rules(
    folds: Sequence[Mapping[str, HeldOutVideo]], decoder: KeypointDecoder, background: tuple[int, ...]
) -> Rules:
    """Thresholds of both kinds of keypoints and the weight of the frames: those of a grid with the best mean of F1@50,
    Edit and Acc of held-out videos, among those that lower none of the three by more than 0.3.

    folds: the held-out videos of each inner fold. The decoder's own rules remain unless others raise the mean by two
    points, and lower none of the three by more than 0.3, by cross-fitting: each fold is scored with the rules that are
    best for the others, or for itself if there is no other. They also remain where they are not the defaults, since a
    recipe has set them.
    """
    own = decoder.rules
    if own != Rules():
        return own
    tried = [own]
    for action, boundary, frames in product(_ACTION_THRESHOLDS, _BOUNDARY_THRESHOLDS, _FRAME_WEIGHTS):
        tried.append(own.changed(action_threshold=action, boundary_threshold=boundary, frame_weight=frames))
    scores = np.array([[_score(fold, decoder.changed(rules=rules), background) for fold in folds] for rules in tried])
    others = [[other for other in range(len(folds)) if other != fold] or [fold] for fold in range(len(folds))]
    crossed = np.mean([scores[_best(scores[:, rest]), fold] for fold, rest in enumerate(others)], 0)
    return tried[_best(scores)] if helps(scores[0].mean(0), crossed, _LEAST_GAIN) else own


def _best(scores: FloatArray) -> int:
    """The rules with the best scores (R, F, 3) that are nowhere worse than the first ones."""
    means = scores.mean(1)
    allowed = (means >= means[0] - MOST_LOSS).all(1)
    return int(np.where(allowed, means.mean(1), -np.inf).argmax())


def _score(
    videos: Mapping[str, HeldOutVideo], decoder: KeypointDecoder, background: tuple[int, ...]
) -> tuple[float, float, float]:
    """F1@50, Edit and Acc, in percent."""
    reference = {name: video.reference for name, video in videos.items()}
    reference = {name: reference[name] for name in first_names(reference, _STEPS)}
    found = {name: decoder.segments(videos[name].output).segmentation for name in reference}
    return measures(evaluate_labels(reference, found, background=background))
