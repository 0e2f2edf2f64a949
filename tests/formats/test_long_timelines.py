"""A few bytes can spell days of video: memory depends on the number of segments, not on that of frames."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyseg.formats import FORMATS, read_annotations
from keyseg.formats.conversion import convert
from keyseg.metrics.frame_labels import LabelRuns
from keyseg.metrics.label_folders import evaluate_folders
from keyseg.timeline import DataError, KeysegError, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.viz.inline import inline_timeline

MOST = 64 * 2**20
LONG = "label,start_seconds,end_seconds\na,0,9000000\n"  # 90 million frames at 10 per second


def peak(function: Callable[[], object]) -> int:
    """Bytes of memory that a call needs at once."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("fmt", list(FORMATS.ours))
def test_a_long_segment_takes_no_memory_in_any_format(fmt: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(LONG)
    target = tmp_path / f"b{FORMATS[fmt].suffix}"

    def converted() -> None:
        with suppress(KeysegError) if fmt in ("txt", "recog", "edl") else nullcontext():
            convert(tmp_path / "a.csv", target, fps=Fraction(10))

    assert peak(converted) < MOST
    if target.exists():
        assert peak(lambda: convert(target, tmp_path / "c.json", fps=Fraction(10), from_format=fmt)) < MOST


def test_labels_of_too_many_frames_are_refused_with_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(LONG)
    with pytest.raises(TimelineError, match=r"90000000 frames is a file of 171 MiB.*write csv"):
        convert(tmp_path / "a.csv", tmp_path / "b.txt", fps=Fraction(10))
    assert not (tmp_path / "b.txt").exists()


def test_long_timelines_are_scored_by_segments(tmp_path: Path) -> None:
    for side, end in (("truth", 9_000_000), ("predicted", 4_500_000)):
        (tmp_path / side).mkdir()
        rows = f"a,0,{end}\n" + (f"b,{end},9000000\n" if end < 9_000_000 else "")
        (tmp_path / side / "v.csv").write_text(f"label,start_seconds,end_seconds\n{rows}")

    def scored() -> None:
        report = evaluate_folders(tmp_path / "truth", tmp_path / "predicted", fps=Fraction(10))
        assert (report.acc, report.frames) == (50.0, 90_000_000)

    assert peak(scored) < MOST


def test_a_long_timeline_is_drawn_by_segments() -> None:
    long = Segmentation([0, 60_000_000, 90_000_000], [0, 1])
    assert peak(lambda: inline_timeline(long, LabelMap(("a", "b")), TimeBase(Fraction(10)))) < MOST


def test_frames_by_number_and_merging_agree_with_all_frames() -> None:
    random = np.random.default_rng(4)
    for _ in range(50):
        ends = np.append(0, np.cumsum(random.integers(1, 5, random.integers(0, 8))))
        video = Segmentation(ends, random.integers(0, 3, len(ends) - 1))
        frames = video.to_frames()
        asked = random.integers(0, len(frames), 20) if len(frames) else np.zeros(0, np.int64)
        assert video.at(asked).tolist() == frames[asked].tolist()
        assert video.merged() == Segmentation.from_frames(frames)
    with pytest.raises(TimelineError, match="the video has frames 0 to 2, asked for -1 to 3"):
        Segmentation([0, 3], [1]).at([-1, 3])


def test_runs_are_the_sequence_of_their_labels() -> None:
    names = ["rest", "rest", "pour", "rest", "stir", "stir"]
    runs = LabelRuns.of(names)
    assert [*runs] == names == [runs[i] for i in range(6)]
    assert runs[1:5:2] == names[1:5:2]
    assert (len(runs), runs.classes) == (6, set(names))
    assert runs == LabelRuns(Segmentation([0, 1, 2, 3, 4, 6], [1, 1, 2, 1, 0]), LabelMap(("stir", "rest", "pour")))
    assert runs != LabelRuns.of(names[:-1])


def test_missing_memory_is_an_error_about_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(*_: object) -> int:
        raise MemoryError

    monkeypatch.setattr("keyseg.formats.segment_table.number", too_much)
    (tmp_path / "a.csv").write_text(LONG)
    with pytest.raises(DataError, match=r"a\.csv: not enough memory to read it"):
        read_annotations(tmp_path / "a.csv")
