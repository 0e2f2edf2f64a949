"""Whether one system is better than another on the same videos: the difference of their scores, with an interval."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keyseg.metrics.frame_labels import FrameLabels
from keyseg.metrics.resampling import confidence_interval, mean_score, resampled
from keyseg.metrics.scoring import SCORE_KEYS, ScoredVideos, score_videos
from keyseg.timeline import ConfigError, DataError

_COLUMNS = {"f1@10": "F1@10", "f1@25": "F1@25", "f1@50": "F1@50", "edit": "Edit", "acc": "Acc"}
RESAMPLINGS = 10_000
"""Sets of videos that a comparison draws."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scores of two systems on the same videos, in percent, by score ("acc", "edit", "f1@10", ...).

    difference: b - a. intervals: its 2.5 and 97.5 percentiles over the resampled sets of videos. b_above: share of
    these sets on which b is better than a; equal is not better. Both are empty with one video, which says nothing about
    others. trainings: how many test sets the scores of a and of b are means of.
    """

    a: Mapping[str, float]
    b: Mapping[str, float]
    difference: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    b_above: Mapping[str, float]
    videos: int
    trainings: tuple[int, int]
    resamplings: int
    seed: int
    protocol: str
    background: tuple[str | int, ...]

    def __repr__(self) -> str:
        cells = ", ".join(f"{title} {self._cell(key)}" for key, title in _COLUMNS.items())
        return f"Comparison(b - a over {self._counted}: {cells})"

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        by_score = ("a", "b", "difference", "intervals", "b_above")
        content: dict[str, Any] = {name: dict(getattr(self, name)) for name in by_score}
        content["intervals"] = {key: list(limits) for key, limits in self.intervals.items()}
        content |= {"videos": self.videos, "trainings": list(self.trainings)}
        content |= {"resamplings": self.resamplings, "seed": self.seed}
        return content | {"protocol": self.protocol, "background": list(self.background)}

    def to_markdown(self, a: str = "A", b: str = "B") -> str:
        """A table with the two systems by name, the differences and their intervals, and how they were computed."""
        a, b = (name.replace("|", "\\|") for name in (a, b))
        interval = ", 95 % interval" if self.intervals else ""
        rows = {
            a: [f"{self.a[key]:.1f}" for key in _COLUMNS],
            b: [f"{self.b[key]:.1f}" for key in _COLUMNS],
            f"{b} - {a}{interval}": [self._cell(key) for key in _COLUMNS],
        }
        if self.b_above:
            rows[f"{b} better"] = [f"{100 * self.b_above[key]:.1f} %" for key in _COLUMNS]
        lines = [f"| | {' | '.join(_COLUMNS.values())} |", "|---" * (len(_COLUMNS) + 1) + "|"]
        lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
        return "\n".join([*lines, "", self._origin()])

    def _cell(self, key: str) -> str:
        difference = f"{self.difference[key]:+.1f}"
        if not self.intervals:
            return difference
        low, high = self.intervals[key]
        return f"{difference} [{low:+.1f}, {high:+.1f}]"

    @property
    def _counted(self) -> str:
        return "1 video" if self.videos == 1 else f"{self.videos} videos"

    def _origin(self) -> str:
        ignored = ", ".join(map(str, self.background)) or "nothing"
        means = f"means of {self.trainings[0]} and {self.trainings[1]} trainings; " if max(self.trainings) > 1 else ""
        drawn = f"Paired bootstrap over {self._counted}, {self.resamplings:,} resamplings, seed {self.seed}"
        return (
            f"{drawn if self.intervals else '1 video, too few for an interval'};"
            f" {means}protocol {self.protocol}; left out of edit and F1: {ignored}."
        )


@dataclass(frozen=True)
class SplitPredictions:
    """Annotations and predictions by video of one training: those that it was tested on in one split."""

    split: int
    reference: Mapping[str, FrameLabels]
    prediction: Mapping[str, FrameLabels]


def compare_labels(
    reference: Mapping[str, FrameLabels],
    a: Mapping[str, FrameLabels],
    b: Mapping[str, FrameLabels],
    *,
    background: Collection[str | int] = ("background",),
    protocol: str = "ms-tcn",
    resamplings: int = RESAMPLINGS,
    seed: int = 0,
) -> Comparison:
    """Score two systems and their difference b - a on the same videos, with a 95 % interval of the difference.

    Paired bootstrap: sets of as many videos are drawn with replacement, with `seed`, and both systems are scored on
    each set as `evaluate_labels` scores the videos, so that F1 comes from the counts of a whole set. reference, a, b:
    video name -> labels, as for `evaluate_labels`, whose errors these are; also ConfigError without resamplings.

    >>> reference = {"tea": ["take"] * 4 + ["pour"] * 6, "milk": ["pour"] * 5}
    >>> a = {"tea": ["take"] * 10, "milk": ["pour"] * 5}
    >>> compare_labels(reference, a, reference, resamplings=1000).difference["acc"]
    40.0
    """
    return compare_trainings(
        [SplitPredictions(1, reference, a)],
        [SplitPredictions(1, reference, b)],
        background,
        protocol,
        resamplings,
        seed,
    )


def compare_trainings(
    a: Sequence[SplitPredictions],
    b: Sequence[SplitPredictions],
    background: Collection[str | int],
    protocol: str,
    resamplings: int = RESAMPLINGS,
    seed: int = 0,
) -> Comparison:
    """As `compare_labels`, for systems trained several times: scores are means over the splits and seeds of each.

    Videos are drawn from all splits at once; each training is scored on those that it was tested on (see `resampled`).
    Seeds are not drawn. Raises DataError if the two differ in splits, in the videos of one or in their annotations.
    """
    if resamplings < 1:
        raise ConfigError(f"resamplings must be a number of sets of videos >= 1, got {resamplings}")
    sides = [
        [score_videos(one.reference, one.prediction, background, protocol) for one in trainings] for trainings in (a, b)
    ]
    _check_pairing(a, b, sides)
    scores = [mean_score(trainings) for trainings in sides]
    videos = len({video for training in sides[0] for video in training.pairs})
    intervals, b_above = _over_videos(sides, resamplings, seed) if videos > 1 else ({}, {})
    return Comparison(
        a=_named(scores[0].tolist()),
        b=_named(scores[1].tolist()),
        difference=_named((scores[1] - scores[0]).tolist()),
        intervals=intervals,
        b_above=b_above,
        videos=videos,
        trainings=(len(a), len(b)),
        resamplings=resamplings,
        seed=seed,
        protocol=protocol,
        background=sides[0][0].background,
    )


def _over_videos(
    sides: Sequence[Sequence[ScoredVideos]], resamplings: int, seed: int
) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """By score, the interval of the difference, and the share of sets on which b is better."""
    samples = resampled(sides, resamplings, seed)
    differences = samples[1] - samples[0]
    low, high = confidence_interval(differences).tolist()
    return _named(zip(low, high, strict=True)), _named((differences > 0).mean(axis=0).tolist())


def _named(values: Any) -> dict[str, Any]:
    return dict(zip(SCORE_KEYS, values, strict=True))


def _check_pairing(
    a: Sequence[SplitPredictions], b: Sequence[SplitPredictions], sides: Sequence[Sequence[ScoredVideos]]
) -> None:
    """Raise DataError, with their names, where splits, test videos or annotations differ."""
    tests_a, tests_b = (_annotations(tested, side) for tested, side in zip((a, b), sides, strict=True))
    where = {
        "only A was tested on": tests_a.keys() - tests_b.keys(),
        "only B was tested on": tests_b.keys() - tests_a.keys(),
        "the annotations differ for": {key for key in tests_a.keys() & tests_b.keys() if tests_a[key] != tests_b[key]},
    }
    several = len({one.split for one in (*a, *b)}) > 1
    problems = [f"{what} {_names(tests, several)}" for what, tests in where.items() if tests]
    if problems:
        raise DataError(f"A and B must be tested on the same videos; {'; '.join(problems)}")


def _annotations(tested: Sequence[SplitPredictions], side: Sequence[ScoredVideos]) -> dict[tuple[int, str], list[Any]]:
    """End and class of each annotated segment, by split and video."""
    return {
        (one.split, video): [(part.end_frame, scored.classes[part.label]) for part in pair.reference]
        for one, scored in zip(tested, side, strict=True)
        for video, pair in scored.pairs.items()
    }


def _names(tests: Collection[tuple[int, str]], several: bool) -> str:
    shown = [f"{video} of split {split}" if several else video for split, video in sorted(tests)[:10]]
    return f"{', '.join(shown)} ({len(tests)} in all)"
