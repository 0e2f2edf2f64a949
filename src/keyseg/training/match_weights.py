"""Learning what the match weighs, and whether to match at all, from the outputs of inner folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from keyseg.inference.decoders import Decoder
from keyseg.inference.decoding import lattice_of
from keyseg.matching.alignment import MatchWeights, align
from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.matching.lattice import Lattice
from keyseg.metrics import Report, evaluate_labels
from keyseg.timeline import FloatArray, Segmentation
from keyseg.timeline.validation import Section
from keyseg.training.inner_folds import HeldOutVideo, first_videos

_GENERATIONS, _POPULATION, _ELITE = 6, 24, 6
_SPREAD = (1.0, 0.7, 0.5, 0.5, 0.5, 0.5, 1.2)  # of the first generation, in the order of `_moved`
_LEAST_GAIN = 0.5  # points of the mean of F1@50, Edit and Acc; less is not worth a match
MOST_LOSS = 0.3
"""Points of F1@50, Edit or Acc that a change may cost; on so few videos less is noise."""
_CHANCE = 0.025  # how often videos may show such a gain where there is none; for many videos, two standard errors
_NODES = 1000  # most nodes to learn with
_STEPS = 20_000  # most steps of held-out videos of one fold to learn with

OutputsOfFold = tuple[Mapping[str, HeldOutVideo], Sequence[Segmentation]]
"""The held-out videos of an inner fold, and the annotations in steps that its network was trained on."""


def measures(report: Report) -> tuple[float, float, float]:
    """What inner folds choose by: F1@50, Edit and Acc, in percent."""
    return report.f1[0.5], report.edit, report.acc


def helps(plain: FloatArray, changed: FloatArray, least_gain: float) -> bool:
    """Whether a change is worth it, from what `measures` gives without and with it: the mean rises by `least_gain`
    points, and none of the three falls by more than 0.3."""
    return bool(changed.mean() >= plain.mean() + least_gain and (changed >= plain - MOST_LOSS).all())


def beyond_chance(before: FloatArray, after: FloatArray) -> bool:
    """Whether videos score more after a change than before, each (N,): a paired t test, one-sided, at 2.5 %. One video
    never shows it."""
    gain, videos = after - before, len(before)
    return videos > 1 and bool(gain.mean() > stdtrit(videos - 1, 1 - _CHANCE) * gain.std(ddof=1) / videos**0.5)


class LearntMatch(Section):
    """What the inner folds say about matching.

    weights: None where matching does not help. plain, matched: F1@50, Edit and Acc of the held-out videos without and
    with it, by weights learnt from the other folds, in percent. videos: how many there were.
    """

    weights: MatchWeights | None
    plain: tuple[float, float, float]
    matched: tuple[float, float, float]
    videos: int


@dataclass(frozen=True)
class _Fold:
    lattices: Mapping[str, Lattice]
    plain: Mapping[str, Segmentation]
    reference: Mapping[str, Segmentation]

    def segments(self, weights: MatchWeights | None) -> Mapping[str, Segmentation]:
        """By video, without a match if there are no weights."""
        if weights is None:
            return self.plain
        return {name: align(lattice, weights).segmentation for name, lattice in self.lattices.items()}

    def score(self, weights: MatchWeights | None, background: tuple[int, ...]) -> FloatArray:
        """F1@50, Edit and Acc, in percent."""
        found = self.segments(weights)
        return np.array(measures(evaluate_labels(self.reference, found, background=background)))


def learn_match(
    folds: Sequence[OutputsOfFold],
    decoder: Decoder,
    classes: int,
    background: tuple[int, ...],
    seed: int = 0,
) -> LearntMatch:
    """Weights by the cross-entropy method (Rubinstein 1999), for the mean of F1@50, Edit and Acc of held-out videos.

    folds: the held-out videos of each inner fold with the annotations of the videos that its network was trained on.
    decoder: without a match; it gives the segments to compare with. Whether to match is decided by cross-fitting: each
    fold is scored with weights learnt from the others, and by its own only if there is no other. It is not matched if
    that does not raise the mean by half a point, or lowers one of the three by more than 0.3.
    """
    graphs = [AnnotationGraph.of(annotations, classes, _NODES) for _, annotations in folds]
    every = [(videos, graph) for (videos, _), graph in zip(folds, graphs, strict=True)]
    prepared = [_prepare(videos, graph, decoder) for videos, graph in every]
    parts = [_prepare(first_videos(videos, _STEPS), graph, decoder) for videos, graph in every]
    without, matched = [], []
    for number, fold in enumerate(prepared):
        others = parts[:number] + parts[number + 1 :] or parts
        without.append(fold.score(None, background))
        matched.append(fold.score(_learn(others, background, seed), background))
    plain, crossed = np.mean(without, 0), np.mean(matched, 0)
    return LearntMatch(
        weights=_learn(parts, background, seed) if helps(plain, crossed, _LEAST_GAIN) else None,
        plain=tuple(plain.round(2).tolist()),
        matched=tuple(crossed.round(2).tolist()),
        videos=sum(len(fold.reference) for fold in prepared),
    )


def _learn(folds: Sequence[_Fold], background: tuple[int, ...], seed: int) -> MatchWeights:
    random = np.random.default_rng(seed)

    def score(weights: MatchWeights | None) -> float:
        return float(np.mean([fold.score(weights, background) for fold in folds]))

    plain, mean, spread = score(None), np.zeros(len(_SPREAD)), np.array(_SPREAD)
    for generation in range(_GENERATIONS):
        tried = np.vstack((mean, mean + spread * random.standard_normal((_POPULATION - 1, len(mean)))))
        values = [score(_moved(point)) for point in tried]
        if generation > 0 and max(values) < plain:  # no order to match to
            break
        elite = tried[np.argsort(values, kind="stable")[-_ELITE:]]
        mean, spread = elite.mean(0), 0.9 * elite.std(0) + 0.1 * spread
    return _moved(mean)


def _moved(point: FloatArray) -> MatchWeights:
    """The default weights, changed: frames, mean, both keypoint terms, duration and boundary by factors e^x, the cut by
    an addend, and the odds of leaving the order by a factor."""
    start = MatchWeights()
    factor = np.exp(point)
    shares = np.array((*start.moves, start.switch, start.jump)) * (1, 1, 1, 1, factor[6], factor[6])
    *moves, switch, jump = (shares / shares.sum()).tolist()
    return start.changed(
        frames=start.frames * factor[0],
        mean=start.mean * factor[1],
        action=start.action * factor[2],
        rivals=start.rivals * factor[2],
        duration=start.duration * factor[3],
        boundary=start.boundary * factor[4],
        cut=start.cut + point[5],
        moves=tuple(moves),
        switch=switch,
        jump=jump,
    )


def _prepare(videos: Mapping[str, HeldOutVideo], graph: AnnotationGraph, decoder: Decoder) -> _Fold:
    return _Fold(
        {name: lattice_of(video.output, graph) for name, video in videos.items()},
        {name: decoder.segments(video.output).segmentation for name, video in videos.items()},
        {name: video.reference for name, video in videos.items()},
    )
