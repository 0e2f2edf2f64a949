"""Labels of a video that has not ended: committed after a delay, provisional before, in memory that does not grow."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from keyseg.inference.prediction import Prediction
from keyseg.inference.predictor import Predictor
from keyseg.timeline import ConfigError, DataError, Interval

WINDOW_SECONDS = 60
"""Seconds that the network sees at once, unless the delay needs more."""
_LONGEST_HOP = 1  # seconds between two runs, unless the caller says otherwise
_LONGEST = 24 * 3600  # seconds of a delay, a window or a hop


@dataclass
class _Part:
    """Frames with one label. confidence: the mean over the frames of what it was when they were labelled."""

    start_frame: int
    end_frame: int
    label: int
    confidence: float

    def take(self, other: _Part) -> None:
        """Join the next part, of the same label."""
        self.end_frame, frames = other.end_frame, other.end_frame - other.start_frame
        self.confidence += (other.confidence - self.confidence) * frames / (self.end_frame - self.start_frame)


class Stream:
    """Segments one video while it runs: feature steps in, committed segments out.

    When steps up to time t have come, every frame that is older than t - `delay` is committed, and its label never
    changes. Every `hop` seconds the network runs on the last `window` seconds; what it says of the frames that are due
    is committed, and the rest, `provisional`, may still change. So a label is decided with between `delay` - `hop` and
    `delay` seconds of what follows it. Neighbours of one label are one segment, which is returned once it is closed:
    when another label follows, or at the end.

    Memory is that of one window. Where the window holds the whole video and the delay is as long, the result is that of
    `Predictor.predict`. A predictor that matches to annotations does so within the window; that a video begins or ends
    where annotations do counts only where the window holds its begin or its end.

    predictor: as `keyseg.load` returns it. delay, window, hop: seconds. window: None is 60, or twice the delay if that
    is more. hop: None is half of the delay, at most 1; fewer than a step count as one step. Raises ConfigError if one
    of them is out of range.

    >>> import keyseg
    >>> from keyseg.inference.systems import SYSTEMS
    >>> system, labels = SYSTEMS["ms-tcn++"], keyseg.LabelMap(("rest", "pour"))
    >>> network = system.network(system.config(channels=8), input_dim=16, classes=2)
    >>> timebase, decoder = keyseg.TimeBase(10), system.decoder()
    >>> predictor = keyseg.Predictor(
    ...     system=system.name, model=network, labels=labels, timebase=timebase, decoder=decoder
    ... )
    >>> stream = keyseg.Stream(predictor, delay=0.5)
    >>> closed = [segment for step in np.zeros((40, 16)) for segment in stream.push(step)]
    >>> float(stream.committed_seconds)
    3.6
    >>> float((closed + stream.finish())[-1].end_seconds)
    4.0
    """

    def __init__(
        self, predictor: Predictor, *, delay: float, window: float | None = None, hop: float | None = None
    ) -> None:
        time = predictor.timebase
        step = time.sample_rate / time.fps
        self._rate = time.sample_rate
        wait = _seconds("delay", delay, least=0)
        longest = max(Fraction(WINDOW_SECONDS), 2 * wait) if window is None else _seconds("window", window)
        between = min(wait / 2, Fraction(_LONGEST_HOP)) if hop is None else _seconds("hop", hop)
        self._delay, self._window = math.floor(wait / step), math.ceil(longest / step)
        self._hop = max(1, math.floor(between / step))
        if self._window <= self._delay:
            raise ConfigError(f"the window, {window:g} s, must be longer than the delay, {delay:g} s")
        if self._hop > self._delay + 1:
            raise ConfigError(f"the hop, {hop:g} s, must not be longer than the delay, {delay:g} s")
        self._predictor = predictor
        self._parts_of_a_video = {
            (begins, ends): replace(predictor, decoder=predictor.decoder.of_a_part(begins=begins, ends=ends))
            for begins in (True, False)
            for ends in (True, False)
        }
        self._kept: deque[npt.NDArray[np.float32]] = deque(maxlen=self._window)
        self._steps = 0  # all that have come
        self._committed = 0  # frames
        self._open: _Part | None = None
        self._closed: list[Interval] = []
        self._provisional: list[_Part] = []
        self._ended = False

    @property
    def committed_seconds(self) -> Fraction:
        """Up to where labels are committed, in seconds from the start of the video."""
        return self._predictor.timebase.start_seconds(self._committed)

    @property
    def provisional(self) -> tuple[Interval, ...]:
        """What the last run of the network says after `committed_seconds`; the last one reaches that run's time."""
        return tuple(map(self._interval, self._provisional))

    def push(self, steps: npt.ArrayLike) -> list[Interval]:
        """Take the next feature steps, (n, D) or one (D,), and return the segments that they close, in order.

        A step is a row of what the network was trained on. The result does not depend on how many come at once. Raises
        DataError on another number of channels or a number that is not finite, ConfigError after the end.
        """
        if self._ended:
            raise ConfigError("the stream has ended; make a new one for the next video")
        for row in self._checked(steps):
            self._kept.append(row.copy())  # neither the caller's array nor a view that keeps its whole block
            self._steps += 1
            late = self._steps - self._delay  # steps before this one are too old to wait for more
            if (late - 1) % self._hop == 0:
                due = late - 1 + self._hop  # those that are too old before the next run
                self._commit(self._run(self._steps * self._rate, ends=False), due * self._rate)
        return self._taken()

    def finish(self, *, frames: int | None = None) -> list[Interval]:
        """The video has ended: commit the rest, and return the segments that were not returned yet.

        frames: length of the timeline; None is all frames of the steps. Raises TimelineError if the steps are those of
        another number of frames.
        """
        if self._steps and not self._ended:
            length = self._steps * self._rate if frames is None else frames
            self._commit(self._run(length, ends=True), length)
            if self._open is not None:  # of the last step, frames may be committed that did not come
                self._open.end_frame = self._committed = min(self._committed, length)
        return self.stop()

    def stop(self) -> list[Interval]:
        """End here without deciding more: close the open segment where labels are committed, and return what was not
        returned yet, also by a `push` that did not return."""
        self._close()
        self._provisional, self._ended = [], True
        return self._taken()

    def _run(self, length: int, *, ends: bool) -> list[_Part]:
        """What the network says about the frames of the window, up to `length`, that are not committed."""
        first = self._steps - len(self._kept)
        predictor, offset = self._parts_of_a_video[first == 0, ends], first * self._rate
        found: Prediction = predictor.decode(predictor.run(np.stack(self._kept)), frames=length - offset)
        return [
            _Part(max(offset + segment.start_frame, self._committed), offset + segment.end_frame, segment.label, sure)
            for segment, sure in zip(found.segmentation, found.confidence, strict=True)
            if offset + segment.end_frame > self._committed
        ]

    def _commit(self, parts: list[_Part], until: int) -> None:
        """Commit what of these parts is before the frame `until`."""
        self._provisional = [part for part in parts if part.end_frame > until]
        for part in parts:
            if part.start_frame >= until:
                break
            done = replace(part, end_frame=min(part.end_frame, until))
            self._committed = done.end_frame
            if self._open is not None and self._open.label == done.label:
                self._open.take(done)
            else:
                self._close()
                self._open = done
        if self._provisional:
            self._provisional[0] = replace(self._provisional[0], start_frame=self._committed)

    def _close(self) -> None:
        if self._open is not None:
            self._closed.append(self._interval(self._open))
            self._open = None

    def _taken(self) -> list[Interval]:
        """The closed segments, which are the caller's from now on."""
        taken, self._closed = self._closed, []
        return taken

    def _interval(self, part: _Part) -> Interval:
        at, names = self._predictor.timebase.start_seconds, self._predictor.labels.names
        return Interval(at(part.start_frame), at(part.end_frame), names[part.label], float(part.confidence))

    def _checked(self, steps: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(n, D) finite float32. Raises DataError."""
        rows, channels = np.atleast_2d(np.asarray(steps)), self._predictor.input_dim
        if rows.ndim != 2 or rows.shape[1] != channels or rows.dtype.kind not in "biuf":
            raise DataError(
                f"the model reads steps of {channels} real numbers, (n, {channels}), got {rows.dtype} of shape"
                f" {np.shape(steps)} at step {self._steps}; were they made by another extractor?"
            )
        with np.errstate(over="ignore"):  # to infinity, which is reported below
            rows = rows.astype(np.float32, copy=False)
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            where = self._steps + int(np.argmin(finite))
            raise DataError(f"the features contain NaN or infinite values at step {where}; extract them again")
        return rows


def _seconds(name: str, value: float, *, least: float | None = None) -> Fraction:
    """Seconds, above 0 unless there is a least number, and at most a day. Raises ConfigError."""
    if not value <= _LONGEST or (value <= 0 if least is None else value < least):
        above = " above 0 and" if least is None else ""
        raise ConfigError(f"the {name} is a number of seconds{above} up to {_LONGEST:,}, got {value:g}")
    return Fraction(str(value))
