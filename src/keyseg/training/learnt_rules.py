"""Learning the rules of Algorithm 1 from the outputs of inner folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from keyseg.inference.decoders import Decoder, KeypointDecoder
from keyseg.inference.decoding import Rules
from keyseg.metrics import evaluate_labels
from keyseg.timeline import FloatArray
from keyseg.training.inner_folds import HeldOutVideo, first_videos
from keyseg.training.match_weights import MOST_LOSS, beyond_chance, helps, measures

_ACTION_THRESHOLDS = (0.1, 0.15, 0.2, 0.3)
_BOUNDARY_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3)
_FRAME_WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
_STEPS = 100_000  # most steps of held-out videos of one fold to learn with


def learn_rules(
    folds: Sequence[Mapping[str, HeldOutVideo]], decoder: KeypointDecoder, background: tuple[int, ...]
) -> Rules:
    """Thresholds of both kinds of keypoints and the weight of the frames: those of a grid with the best mean of F1@50,
    Edit and Acc of held-out videos, among those that lower none of the three by more than 0.3.

    folds: the held-out videos of each inner fold. The decoder's own rules remain unless others, by cross-fitting, raise
    the mean beyond chance and lower none of the three by more than 0.3: each fold is scored with the rules that are
    best for the others, or for itself if there is no other. Beyond chance is a paired t test of the videos, one-sided,
    at 2.5 %. They also remain where they are not the defaults, since a recipe has set them.
    """
    own = decoder.rules
    if own != Rules():
        return own
    folds = [first_videos(fold, _STEPS) for fold in folds]
    tried = [own]
    for action, boundary, frames in product(_ACTION_THRESHOLDS, _BOUNDARY_THRESHOLDS, _FRAME_WEIGHTS):
        tried.append(own.changed(action_threshold=action, boundary_threshold=boundary, frame_weight=frames))
    scores = np.array([[_score(fold, decoder.changed(rules=rules), background) for fold in folds] for rules in tried])
    others = [[other for other in range(len(folds)) if other != fold] or [fold] for fold in range(len(folds))]
    picked = [_best(scores[:, rest]) for rest in others]
    crossed = np.mean([scores[best, fold] for fold, best in enumerate(picked)], 0)
    if not helps(scores[0].mean(0), crossed, 0):
        return own
    used = [decoder.changed(rules=tried[best]) for best in picked]
    before = [video_scores(fold, decoder, background) for fold in folds]
    after = [video_scores(fold, other, background) for fold, other in zip(folds, used, strict=True)]
    return tried[_best(scores)] if beyond_chance(np.concatenate(before), np.concatenate(after)) else own


def video_scores(videos: Mapping[str, HeldOutVideo], decoder: Decoder, background: tuple[int, ...]) -> FloatArray:
    """The mean of F1@50, Edit and Acc of each video by itself, in percent: (N,)."""
    return np.array([np.mean(_score({name: video}, decoder, background)) for name, video in videos.items()])


def _best(scores: FloatArray) -> int:
    """The rules with the best scores (R, F, 3) that are nowhere worse than the first ones."""
    means = scores.mean(1)
    allowed = (means >= means[0] - MOST_LOSS).all(1)
    return int(np.where(allowed, means.mean(1), -np.inf).argmax())


def _score(
    videos: Mapping[str, HeldOutVideo], decoder: Decoder, background: tuple[int, ...]
) -> tuple[float, float, float]:
    """F1@50, Edit and Acc, in percent."""
    reference = {name: video.reference for name, video in videos.items()}
    found = {name: decoder.segments(video.output).segmentation for name, video in videos.items()}
    return measures(evaluate_labels(reference, found, background=background))
