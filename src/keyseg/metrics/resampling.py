"""Bootstrap over videos: scores of sets of videos drawn with replacement, and the interval that they span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from keyseg.metrics.scoring import ScoredVideos
from keyseg.timeline import FloatArray, IntArray

_BLOCK = 2**22  # numbers that are drawn at once, so that memory stays bounded


def resampled(systems: Sequence[Sequence[ScoredVideos]], resamplings: int, seed: int) -> FloatArray:
    """(systems, resamplings, 5): the scores of each system on the same sets of videos; columns as in SCORE_KEYS.

    A system is one or more trainings, each with the videos that it was tested on. A set is drawn from the videos of all
    trainings, as many as there are. A score is computed for each training from the videos of the set that it was tested
    on, however often each was drawn, and averaged over trainings: each counts in proportion to the share of its videos
    that was drawn, so the set of all videos has the plain mean.
    """
    videos = sorted({video for trainings in systems for training in trainings for video in training.pairs})
    blocks = [
        np.stack([_mean_score(trainings, videos, weights) for trainings in systems])
        for weights in _draws(len(videos), resamplings, seed)
    ]
    return np.concatenate(blocks, axis=1)


def mean_score(trainings: Sequence[ScoredVideos]) -> FloatArray:
    """(5,): the mean of the scores of some trainings, columns as in SCORE_KEYS."""
    once = (training.together(np.ones((1, len(training.pairs)), np.int64))[0] for training in trainings)
    return np.asarray(np.mean(list(once), axis=0), np.float64)


def confidence_interval(samples: FloatArray) -> FloatArray:
    """(2, ...): 2.5 and 97.5 percentiles over the first axis."""
    return np.asarray(np.percentile(samples, [2.5, 97.5], axis=0), np.float64)


def _draws(videos: int, resamplings: int, seed: int) -> Iterator[IntArray]:
    """How often each video is in each set, (sets, videos) in blocks."""
    random, equal = np.random.default_rng(seed), np.full(videos, 1 / videos)
    block = max(1, _BLOCK // videos)
    for start in range(0, resamplings, block):
        yield random.multinomial(videos, equal, size=min(block, resamplings - start))


def _mean_score(trainings: Sequence[ScoredVideos], videos: Sequence[str], weights: IntArray) -> FloatArray:
    """(sets, 5): scores averaged over trainings; `weights` (sets, videos)."""
    total, shares = np.zeros((len(weights), 5)), np.zeros((len(weights), 1))
    place = {video: i for i, video in enumerate(videos)}
    for training in trainings:
        drawn = weights[:, [place[video] for video in training.pairs]]
        share = drawn.mean(axis=1, keepdims=True)
        total += share * training.together(drawn)
        shares += share
    return total / shares
