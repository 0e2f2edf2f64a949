"""What to label next: the videos that bring most of what is little labelled so far, per minute of labelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keyseg.timeline import ConfigError, FloatArray

_ONE_BY_ONE = 100  # videos that are chosen with regard to all before them; nobody labels more before the next ranking
_NAMED = 2  # classes named in a reason
_BETWEEN = "what is between actions"


@dataclass(frozen=True)
class RankedVideo:
    """What is known about a video.

    seconds: its length. labelled: whether a person has corrected or checked it. classes: seconds of each class, by the
    correction if it is labelled, else by the prediction; None without a prediction. The time outside the segments
    counts as a class of its own.
    """

    id: str
    seconds: float
    labelled: bool = False
    classes: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ConfigError(f"video {self.id!r}: a length of {self.seconds} seconds; it is to be above 0")


def rank(videos: Sequence[RankedVideo]) -> list[dict[str, Any]]:
    """The videos that are not labelled, the one to label next first: `{id, priority, why}`, priority from 1.

    What is labelled is worth the sum over classes of p log(n + a): p is the class's share of the time of all videos, n
    its labelled seconds, a its seconds in the average video. So a class counts as much as it occurs, what there is
    much of already counts little, and for the same minutes it is worth most if the shares are those of all videos. The
    first is the video that adds most for its length; the next ones follow in the same way, with those before them
    counted as labelled, so near copies do not follow one another. A video without a prediction counts as an average
    one.

    >>> stir = RankedVideo("more stir", 60.0, classes={"stir": 60.0})
    >>> pour = RankedVideo("pour", 60.0, classes={"pour": 60.0})
    >>> done = RankedVideo("done", 60.0, True, {"stir": 60.0})
    >>> [(video["id"], video["priority"]) for video in rank([stir, pour, done])]
    [('pour', 1), ('more stir', 2)]
    """
    if len({video.id for video in videos}) < len(videos):
        raise ConfigError("two videos have the same id; give each its own")
    if not videos:
        return []
    names, times = _times(videos)
    seconds, labelled = (np.array([getattr(video, key) for video in videos]) for key in ("seconds", "labelled"))
    total, left = times.sum(0), np.flatnonzero(~labelled)
    have = times[labelled].sum(0) + total / len(videos)
    order: list[dict[str, Any]] = []
    while len(left):
        gains = total / total.sum() * np.log1p(times[left] / have)
        best = np.argsort(-gains.sum(1) / seconds[left], kind="stable")
        best = best[:1] if len(order) < _ONE_BY_ONE else best
        for index, gain in zip(left[best], gains[best], strict=True):
            order.append({"id": videos[index].id, "priority": len(order) + 1, "why": _why(videos[index], names, gain)})
        have = have + times[left[best]].sum(0)
        left = np.delete(left, best)
    return order


def _times(videos: Sequence[RankedVideo]) -> tuple[list[str], FloatArray]:
    """Names of the classes that occur, what lies outside segments being one, and (V, C) the seconds of each."""
    names = sorted({name for video in videos for name in video.classes or ()})
    seconds = np.array([video.seconds for video in videos])
    times = np.array([[(video.classes or {}).get(name, 0.0) for name in names] for video in videos])
    times = np.column_stack((times, np.maximum(seconds - times.sum(1), 0)))
    known = np.array([video.classes is not None for video in videos])
    if known.any():
        times[~known] = seconds[~known, None] * times[known].sum(0) / times[known].sum()
    occurs = times.sum(0) > 0
    return [name for name, there in zip([*names, _BETWEEN], occurs, strict=True) if there], times[:, occurs]


def _why(video: RankedVideo, names: Sequence[str], gains: FloatArray) -> str:
    """For the person who labels: the classes whose gain is the largest."""
    if video.classes is None:
        return "no prediction yet"
    best = np.argsort(-gains, kind="stable")[:_NAMED]
    return f"adds to {' and '.join(names[index] for index in best if gains[index] > 0)}"
