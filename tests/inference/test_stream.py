"""A stream against the prediction of the whole video, and what it promises: final labels, in time, in little memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg import Interval, LabelMap, Predictor, Stream, TimeBase
from keyseg.inference.decoders import FrameDecoder, Match
from keyseg.inference.decoding import NetworkOutput
from keyseg.inference.systems import SYSTEMS
from keyseg.matching.alignment import MatchWeights
from keyseg.timeline import ConfigError, DataError, Segmentation, TimelineError

DIMENSION = 11
LABELS = LabelMap(("background", "cut", "pour"), ("background",))


def small(**options: Any) -> Predictor:
    system = SYSTEMS["ms-tcn++"]
    config = system.config(channels=8, generator_layers=2, refinements=1, refinement_layers=2)
    values = {"labels": LABELS, "timebase": TimeBase(10), "decoder": system.decoder(), **options}
    return Predictor(system="ms-tcn++", model=system.network(config, DIMENSION, 3).eval(), **values)


class Shown(Predictor):
    """A predictor whose network says what its features show: the first three channels are the classes' scores."""

    def run(self, features: Any, *, refine: bool = True) -> NetworkOutput:
        """Scores of the steps; a trace of the windows is kept."""
        frames = np.ascontiguousarray(np.asarray(features, np.float32)[:, :3].T)
        WINDOWS.append(len(features))
        return NetworkOutput(frames / frames.sum(0), frames[None])


class Undecided(Shown):
    """One that sees the newest two steps as background, whatever they are."""

    def run(self, features: Any, *, refine: bool = True) -> NetworkOutput:
        """Scores of the steps."""
        changed = np.array(features)
        changed[-2:] = steps_of([0] * len(changed[-2:]))
        return super().run(changed)


WINDOWS: list[int] = []


def shown(kind: type[Predictor] = Shown, **options: Any) -> Predictor:
    one = small(**options)
    return kind(**{name: getattr(one, name) for name in one.__dataclass_fields__})


def steps_of(labels: list[int]) -> np.ndarray:
    """Steps that show these classes, each with a score of 0.8."""
    steps = np.full((len(labels), DIMENSION), 0.1, np.float32)
    steps[np.arange(len(labels)), labels] = 0.8
    return steps


def all_of(stream: Stream, steps: np.ndarray, block: int = 1, frames: int | None = None) -> list[Interval]:
    closed = [found for at in range(0, len(steps), block) for found in stream.push(steps[at : at + block])]
    return closed + stream.finish(frames=frames)


def texts(found: Any) -> list[str]:
    return [f"{interval} {interval.score:.6f}" for interval in found]


@pytest.mark.parametrize("name", ["rtk", "ms-tcn++"])
@pytest.mark.parametrize("matched", [False, True])
def test_with_the_delay_of_the_whole_video_it_is_the_prediction(
    name: str, matched: bool, make_small: Callable[[str], Predictor], features: np.ndarray
) -> None:
    predictor = make_small(name)
    if matched:
        seen = [Segmentation([0, 9, 21, 40], [0, 2, 1]), Segmentation([0, 12, 30], [2, 1])]
        decoder = predictor.decoder.changed(match=Match.to(seen, 3, MatchWeights()))
        predictor = replace(predictor, decoder=decoder)
    found = all_of(Stream(predictor, delay=4.7, window=4.8), features)
    assert texts(found) == texts(predictor.predict(features).segments)


@pytest.mark.parametrize("frames", [185, 186, 187, 188])
def test_several_frames_per_step(frames: int, make_predictor: Any, features: np.ndarray) -> None:
    predictor = make_predictor(sample_rate=4, presampled=True)
    found = all_of(Stream(predictor, delay=60), features, frames=frames)
    assert texts(found) == texts(predictor.predict(features, frames=frames).segments)
    short = all_of(Stream(predictor, delay=0), features, frames=frames)
    assert short[-1].end_seconds == Fraction(frames) * 1001 / 30000
    with pytest.raises(TimelineError, match="make 46 steps"):
        all_of(Stream(predictor, delay=60), features, frames=184)


@settings(max_examples=40)
@given(
    labels=st.lists(st.integers(0, 2), min_size=1, max_size=40),
    delay=st.integers(0, 8),
    hop=st.integers(1, 8),
    window=st.integers(1, 20),
    block=st.integers(1, 9),
)
def test_committed_labels_tile_the_video_in_time_and_never_change(
    labels: list[int], delay: int, hop: int, window: int, block: int
) -> None:
    delay, window = max(delay, hop - 1), max(window, delay + 1, hop)
    stream = Stream(shown(Undecided), delay=delay / 10, window=window / 10, hop=hop / 10)
    final: list[int] = []
    steps = steps_of(labels)
    for at in range(len(steps)):
        for interval in stream.push(steps[at]):
            assert interval.start_seconds == Fraction(len(final), 10)
            assert interval.end_seconds <= stream.committed_seconds
            final += [LABELS.id(interval.label)] * round(interval.end_seconds * 10 - len(final))
        assert stream.committed_seconds * 10 >= min(at + 1 - delay, at + 1)
        if stream.provisional:
            assert stream.provisional[0].start_seconds == stream.committed_seconds
            assert all(a.end_seconds == b.start_seconds for a, b in pairwise(stream.provisional))
    for interval in stream.finish():
        assert interval.start_seconds == Fraction(len(final), 10)
        final += [LABELS.id(interval.label)] * round(interval.end_seconds * 10 - len(final))
    assert len(final) == len(labels)
    if delay - hop + 1 >= 2:  # then no label is committed before the network sees it
        assert final[:-2] == labels[:-2]
    same = Stream(shown(Undecided), delay=delay / 10, window=window / 10, hop=hop / 10)
    assert texts(all_of(same, steps, block)) == texts(
        all_of(Stream(shown(Undecided), delay=delay / 10, window=window / 10, hop=hop / 10), steps)
    )


def test_what_is_provisional_may_change_and_what_is_committed_not() -> None:
    stream = Stream(shown(Undecided), delay=0.4, hop=0.1)
    assert stream.push(steps_of([1] * 10)) == []
    assert [str(part) for part in stream.provisional] == ["'cut' from 0.6 s to 0.8 s", "'background' from 0.8 s to 1 s"]
    assert stream.push(steps_of([2])) == []
    assert [str(part) for part in stream.provisional] == [
        "'cut' from 0.7 s to 0.9 s",
        "'background' from 0.9 s to 1.1 s",
    ]
    closed = stream.push(steps_of([2, 2, 2, 2]))
    assert [str(part) for part in closed] == ["'cut' from 0 s to 1 s"]
    assert [str(part) for part in stream.finish()] == ["'pour' from 1 s to 1.3 s", "'background' from 1.3 s to 1.5 s"]
    assert stream.provisional == ()


def test_an_earlier_decision_stays_where_a_later_window_says_something_else() -> None:
    stream = Stream(shown(Undecided), delay=0, hop=0.1)  # all is committed as background, since it is the newest
    assert texts(all_of(stream, steps_of([1] * 9))) == ["'background' from 0 s to 0.9 s 0.800000"]


def test_confidence_is_the_mean_over_the_frames_as_they_were_decided() -> None:
    steps = steps_of([1] * 6)
    steps[3:, 1] = 0.2  # of 0.4: a half
    found = all_of(Stream(shown(), delay=0, hop=0.1, window=0.1), steps)
    assert found[0].score == pytest.approx((0.8 + 0.5) / 2)


def test_the_network_sees_the_window_every_hop_and_no_more() -> None:
    WINDOWS.clear()
    all_of(Stream(shown(), delay=0.5, window=1.2, hop=0.5), steps_of([0] * 32))
    assert WINDOWS == [1, 6, 11, 12, 12, 12, 12, 12]
    WINDOWS.clear()
    all_of(Stream(shown(), delay=4), steps_of([0] * 32))
    assert WINDOWS == [1, 11, 21, 31, 32]  # at most a second between two


def test_a_segment_that_was_open_is_kept_when_it_stops() -> None:
    stream = Stream(shown(), delay=0.4, hop=0.1)
    stream.push(steps_of([0, 0, 0, 1, 1, 1, 1, 1, 1]))
    assert [str(part) for part in stream.stop()] == ["'cut' from 0.3 s to 0.5 s"]
    assert stream.stop() == stream.finish() == []
    with pytest.raises(ConfigError, match="has ended"):
        stream.push(steps_of([0]))


def test_a_stream_without_steps_has_no_segments() -> None:
    assert Stream(shown(), delay=1).finish() == []
    assert Stream(shown(), delay=1).push(np.zeros((0, DIMENSION))) == []


def test_only_a_window_at_the_begin_or_end_begins_or_ends_with_an_annotation() -> None:
    weights = MatchWeights(opening=0.5, closing=0.25)
    whole = FrameDecoder(match=Match.to([Segmentation([0, 3], [1])], 3, weights))
    assert FrameDecoder().of_a_part(begins=False, ends=False).match is None

    def chances(begins: bool, ends: bool) -> tuple[float, float]:
        match = whole.of_a_part(begins=begins, ends=ends).match
        assert match is not None
        assert match.annotations == whole.match.annotations  # type: ignore[union-attr]
        return match.weights.opening, match.weights.closing

    assert chances(True, True) == (0.5, 0.25)
    assert chances(True, False) == (0.5, 0)
    assert chances(False, True) == (0, 0.25)
    assert chances(False, False) == (0, 0)
    asked: list[tuple[float, float]] = []

    class Asked(Shown):
        def run(self, features: Any, *, refine: bool = True) -> NetworkOutput:
            match = self.decoder.match
            assert match is not None
            asked.append((match.weights.opening, match.weights.closing))
            return super().run(features)

    all_of(Stream(shown(Asked, decoder=whole), delay=0.5, hop=0.5, window=0.8), steps_of([0] * 12))
    assert asked == [(0.5, 0), (0.5, 0), (0, 0), (0, 0.25)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delay": -1}, "the delay is a number of seconds up to 86,400, got -1"),
        ({"delay": float("nan")}, "the delay is a number of seconds up to 86,400, got nan"),
        ({"delay": float("inf")}, "got inf"),
        ({"delay": 1e300}, "the delay is a number of seconds up to 86,400, got 1e"),
        ({"delay": 1, "window": 0}, "the window is a number of seconds above 0 and up to 86,400, got 0"),
        ({"delay": 1, "window": 1e30}, "the window is a number of seconds above 0 and up to 86,400, got 1e"),
        ({"delay": 1, "hop": -2}, "the hop is a number of seconds above 0"),
        ({"delay": 2, "window": 2}, "the window, 2 s, must be longer than the delay, 2 s"),
        ({"delay": 1, "hop": 1.3}, "the hop, 1.3 s, must not be longer than the delay, 1 s"),
    ],
)
def test_options_out_of_range(options: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Stream(shown(), **options)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (
            np.zeros((2, DIMENSION + 1)),
            r"of 11 real numbers, \(n, 11\), got float64 of shape \(2, 12\) at step 3",
        ),
        (np.zeros((1, 2, DIMENSION)), "of shape"),
        (np.zeros((1, DIMENSION), complex), "complex128"),
        (np.array([[1.0] * DIMENSION, [np.nan] * DIMENSION]), "NaN or infinite values at step 4"),
        (np.full(DIMENSION, 1e300), "infinite values at step 3"),
    ],
)
def test_wrong_steps_are_refused_and_change_nothing(steps: np.ndarray, words: str) -> None:
    stream = Stream(shown(), delay=1)
    stream.push(steps_of([1, 1, 1]))
    with pytest.raises(DataError, match=words):
        stream.push(steps)
    assert [str(part) for part in stream.finish()] == ["'cut' from 0 s to 0.3 s"]


def test_steps_that_the_caller_overwrites_are_kept_as_they_were() -> None:
    stream, row = Stream(shown(), delay=1, hop=1), np.zeros(DIMENSION, np.float32)
    for label in (1, 1, 2):
        row[:] = steps_of([label])[0]
        stream.push(row)
    assert [part.label for part in stream.finish()] == ["cut", "pour"]


@pytest.mark.slow
def test_memory_is_that_of_one_window() -> None:
    stream = Stream(shown(), delay=5, window=10, hop=5)
    block = steps_of([number // 7 % 3 for number in range(1000)])
    stream.push(block)
    gc.collect()
    tracemalloc.start()
    try:
        stream.push(block)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            stream.push(block)
            WINDOWS.clear()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert float(stream.committed_seconds) > 10_000
    assert grown < 40_000  # a single kept float32 per step would be 400,000, a kept segment of each over 1,000,000
