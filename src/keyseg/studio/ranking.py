"""What to label next: the videos from which a model is expected to learn most per minute of labelling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
import numpy.typing as npt

from keyseg.timeline import ConfigError, FloatArray


@dataclass(frozen=True)
class RankedVideo:
    """What is known about a video.

    seconds: its length. labelled: whether a person has corrected or checked it. segments: of its prediction, each with
    its length in seconds and its confidence, the probability that it is right; () without a prediction. features: a
    summary such as that of `feature_summary`, of the same length for all videos; () without features. disagreement:
    share of the time in which two models name different classes, where there are two.
    """

    id: str
    seconds: float
    labelled: bool = False
    segments: tuple[tuple[float, float], ...] = ()
    features: Sequence[float] = field(default=(), repr=False)
    disagreement: float | None = None

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ConfigError(f"video {self.id!r}: a length of {self.seconds} seconds; it is to be above 0")

    @property
    def wrong(self) -> float:
        """Share of the video that is expected to be predicted wrongly, from 0 to 1; 1 without a prediction.

        Where two models disagree, at most one of them is right: half of that time is wrong on average, at least.
        """
        total = sum(seconds for seconds, _ in self.segments)
        unsure = sum(seconds * (1 - confidence) for seconds, confidence in self.segments) / total if total else 1.0
        return max(unsure, (self.disagreement or 0.0) / 2)


def feature_summary(features: npt.NDArray[np.floating]) -> FloatArray:
    """Mean and standard deviation over time, (2 D,), of the features of a video, (T, D).

    >>> feature_summary(np.array([[0.0, 2.0], [4.0, 2.0]]))
    array([2., 2., 2., 0.])
    """
    values = np.asarray(features, np.float64)
    return np.concatenate((values.mean(0), values.std(0)))


def rank(videos: Sequence[RankedVideo]) -> list[dict[str, Any]]:
    """The videos that are not labelled, the one to label next first: `{id, priority, why}`, priority from 1.

    Labelling a video is expected to mend errors in the videos that are like it. Of each video, that is the time that
    is expected to be wrong, times how much closer it gets to a labelled one (similarity from 0 to 1, by features).
    The first is the one with the largest sum for its own length. The next ones follow in the same way, with the ones
    before them counted as labelled; therefore near copies do not follow one another (facility location, greedily).

    >>> sure = RankedVideo("sure", 60.0, segments=((60.0, 0.95),))
    >>> unsure = RankedVideo("unsure", 60.0, segments=((60.0, 0.4),))
    >>> [(video["id"], video["priority"]) for video in rank([sure, unsure])]
    [('unsure', 1), ('sure', 2)]
    """
    _check(videos)
    similarity = _similarities(videos)
    wrong = np.array([video.wrong * video.seconds for video in videos])
    seconds = np.array([video.seconds for video in videos])
    labelled = np.array([video.labelled for video in videos], bool)
    covered = similarity[:, labelled].max(1, initial=0.0)

    def gain(index: int) -> float:
        return float((wrong * np.maximum(similarity[index] - covered, 0)).sum() / seconds[index])

    # Gains only fall, so that of an earlier round is a bound, and few are computed anew in each (Minoux 1978).
    bounds = [(-gain(index), index) for index in np.flatnonzero(~labelled).tolist()]
    heapify(bounds)
    order: list[dict[str, Any]] = []
    while bounds:
        best = heappop(bounds)[1]
        now = -gain(best), best
        if bounds and bounds[0] < now:
            heappush(bounds, now)
            continue
        order.append({"id": videos[best].id, "priority": len(order) + 1, "why": _why(videos[best], 1 - covered[best])})
        covered = np.maximum(covered, similarity[:, best])
    return order


def _check(videos: Sequence[RankedVideo]) -> None:
    if len({video.id for video in videos}) < len(videos):
        raise ConfigError("two videos have the same id; give each its own")
    lengths = {video.id: len(video.features) for video in videos if len(video.features)}
    for name, length in lengths.items():
        if length != (first := next(iter(lengths.values()))):
            raise ConfigError(f"video {name!r}: a summary of {length} numbers, those before have {first}")


def _similarities(videos: Sequence[RankedVideo]) -> FloatArray:
    """(V, V) from 0 to 1: a Gaussian of the distance of features, as wide as their median distance."""
    with_features = [index for index, video in enumerate(videos) if len(video.features)]
    similarity = np.eye(len(videos))
    if len(with_features) > 1:
        values = np.array([videos[index].features for index in with_features], np.float64)
        scale = values.std(0)
        values = (values - values.mean(0)) / np.where(scale > 0, scale, 1)
        squares = ((values[:, None] - values[None]) ** 2).sum(-1)
        middle = np.median(squares[np.triu_indices(len(values), 1)])
        similarity[np.ix_(with_features, with_features)] = np.exp(-squares / (middle or 1.0))
    return similarity


def _why(video: RankedVideo, novelty: float) -> str:
    """For the person who labels."""
    reasons = [f"about {video.wrong:.0%} expected to be wrong" if video.segments else "no prediction yet"]
    if video.disagreement:
        reasons.append(f"models disagree on {video.disagreement:.0%}")
    if len(video.features):
        reasons.append(f"{novelty:.0%} unlike the labelled ones")
    return ", ".join(reasons)
