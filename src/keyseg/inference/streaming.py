"""A camera, an address, a video file or features from a pipe in; segments out, as they are committed."""

from __future__ import annotations

import csv
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
import numpy.typing as npt

from keyseg.data.input_names import is_feature_file
from keyseg.formats.segment_table import segment_row
from keyseg.timeline import ConfigError, DataError, Interval, OutputExistsError, TimeBase
from keyseg.timeline.files import naming, refuse_file
from keyseg.video.extraction import stored_rows
from keyseg.video.extractor import Image
from keyseg.video.live import open_pictures
from keyseg.video.motion import Motion
from keyseg.video.poses import Poses
from keyseg.video.protocol import without_password

if TYPE_CHECKING:  # what needs torch is imported by the work itself, so that the help is shown at once
    from keyseg.inference.predictor import Predictor

STANDARD_INPUT = "-"
_LONGEST_NUMBER = 40  # characters of a number in a row of features
_BLOCK = 64  # steps of a feature file that are read at once

Arrived = tuple[npt.NDArray[np.floating], int]
"""Feature steps that came, (n, D), and the number of frames so far."""


def stream(
    bundle: Path | str,
    source: str,
    *,
    delay: float = 2.0,
    window: float | None = None,
    hop: float | None = None,
    out: Path | str | None = None,
    extractor: Path | str | None = None,
    device: str | None = None,
    force: bool = False,
    notify: Callable[[Interval], None] = lambda segment: None,
    progress: Callable[[Interval], None] = lambda newest: None,
) -> int:
    """Label a camera, an address, a video file or features from a pipe while they run, each frame after a fixed delay.

    Labels older than the delay are committed and never change. A committed segment is reported when it is closed:
    another label follows, or the source ends. Memory does not grow with the length.

    Args:
        bundle: Bundle that keyseg train wrote, or a run folder that holds one.
        source: A video file; an address (rtsp://, rtsps://, http://, https://); camera:0 or camera:NAME; a .npy file of
            features; or - for features on standard input, one row of D numbers per line, separated by spaces, made as
            those of training were.
        delay: Seconds after which a label is committed, counted from its feature row. The shorter, the worse.
        window: Seconds that the network sees at once. Default: 60, or twice the delay if that is more.
        hop: Seconds between two runs of the network. Default: half of the delay, at most 1.
        out: CSV file to append each committed segment to, as soon as it is closed.
        extractor: Folder of the feature extractor's model, if it is a local one that has moved since training.
        device: Where the feature extractor's network and the model run, such as cpu or cuda. Default: the extractor on
            a GPU if there is one, the model on the CPU.
        force: Overwrite an existing file.
        notify: Called with each committed segment when it is closed.
        progress: Called with the newest provisional segment after each arrival.

    Returns the number of committed segments. Where the source breaks off, what came is committed, and then DataError is
    raised; an interruption keeps what was committed until then.

    >>> import keyseg
    >>> keyseg.stream("runs/mine", "rtsp://camera.local/live", delay=2, notify=print)  # doctest: +SKIP
    'take cup' from 0 s to 3.2 s
    """
    from keyseg.inference.bundle import load
    from keyseg.inference.stream import Stream

    predictor = load(bundle)
    if device is not None:
        predictor.move(device)
    running, committed, frames = Stream(predictor, delay=delay, window=window, hop=hop), 0, 0
    waiting = deque[Interval]()  # closed, and neither written nor notified yet
    with ExitStack() as stack:
        write = None if out is None else stack.enter_context(SegmentLog(Path(out), predictor.timebase, force=force))

        def keep(closed: list[Interval]) -> None:
            nonlocal committed
            waiting.extend(closed)
            while waiting:  # an interruption leaves the rest for the next call
                if write is not None:
                    write(waiting[0])
                committed += 1
                notify(waiting.popleft())

        try:
            for steps, so_far in _arriving(predictor, source, extractor, device):
                frames = so_far
                keep(running.push(steps))
                for newest in running.provisional[-1:]:
                    progress(newest)
        except KeyboardInterrupt:
            keep(running.stop())
            raise
        except DataError:
            keep(running.finish())
            raise
        if not frames:
            raise DataError(f"{without_password(source)}: no features came; a timeline needs at least one step")
        keep(running.finish(frames=frames))
    return committed


class SegmentLog:
    """A CSV file that gets a row per segment as it comes, so that whatever ends the program loses none.

    Its columns are those of the format `csv`. Raises OutputExistsError if the file exists, unless `force`, and
    ConfigError unless it is called .csv.
    """

    def __init__(self, path: Path, timebase: TimeBase, *, force: bool = False) -> None:
        self._path, self._timebase = path, timebase
        if path.suffix.lower() != ".csv":
            raise ConfigError(f"{path}: a stream is written as .csv; keyseg convert makes other formats of it")
        if path.exists() and not force:
            raise OutputExistsError(f"{path} exists; choose another file, or use --force to overwrite it")
        refuse_file(path.parent, "output")
        path.parent.mkdir(parents=True, exist_ok=True)
        with naming(path):
            self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._row(segment_row(0, 1, "", timebase, 0.0).keys())

    def __enter__(self) -> SegmentLog:
        return self

    def __exit__(self, *_: object) -> None:
        with naming(self._path):
            self._file.close()

    def __call__(self, segment: Interval) -> None:
        """Append a segment."""
        first, end = (self._timebase.frame_at(at) for at in (segment.start_seconds, segment.end_seconds))
        confidence = None if segment.score is None else round(segment.score, 3)
        self._row(segment_row(first, end, segment.label, self._timebase, confidence).values())

    def _row(self, cells: Iterable[object]) -> None:
        with naming(self._path):
            csv.writer(self._file, lineterminator="\n").writerow(cells)
            self._file.flush()


def _arriving(predictor: Predictor, source: str, extractor: Path | str | None, device: str | None) -> Iterator[Arrived]:
    """The steps of a source, as they come."""
    if source != STANDARD_INPUT and is_feature_file(Path(source)):
        steps, frames = predictor.read(source)
        for at in range(0, len(steps), _BLOCK):
            yield steps[at : at + _BLOCK], frames
        return
    from_lines = source == STANDARD_INPUT
    arrived = _of_lines(predictor, sys.stdin) if from_lines else _of_pictures(predictor, source, extractor, device)
    rate, count = 1 if predictor.presampled else predictor.timebase.sample_rate, 0
    for rows, frames in arrived:
        yield rows[-count % rate :: rate], frames  # as `Predictor.read`
        count += len(rows)


def _of_pictures(predictor: Predictor, source: str, folder: Path | str | None, device: str | None) -> Iterator[Arrived]:
    """Features of pictures, made and rounded as `keyseg features` does, but one row at a time."""
    made_by = predictor.extractor(device=device, folder=folder, batch=1)
    if isinstance(made_by, Poses):
        raise ConfigError("this bundle reads tracks of poses, which cannot be streamed; pipe their features in, with -")
    if isinstance(made_by, Motion):
        made_by = Motion(block=1)
    assert predictor.origin is not None  # otherwise there would be no extractor
    frames = 0
    with open_pictures(source, predictor.origin.fps, made_by.image_size) as reader:

        def shown() -> Iterator[Image]:
            nonlocal frames
            for frame in reader:
                frames += 1
                yield frame.image

        for block in stored_rows(made_by, shown(), without_password(source)):
            yield block, frames


def _of_lines(predictor: Predictor, lines: TextIO) -> Iterator[Arrived]:
    """Features of text, one row per line. Raises DataError on anything else."""
    number, channels = 0, predictor.input_dim
    frames_per_row = predictor.timebase.sample_rate if predictor.presampled else 1
    while line := lines.readline(_LONGEST_NUMBER * channels):
        number += 1
        try:
            row = np.array([line.split()], np.float64)
        except ValueError:
            row = np.zeros((1, 0))
        if row.shape[1] != channels:
            what = f"{channels} numbers, separated by spaces"
            raise DataError(f"standard input, line {number}: expected {what}, got {line[:60]!r}")
        yield row, number * frames_per_row
