"""Every format reads back to the frame what it writes, at any rate and length, also from one format to another."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyseg.formats import FORMATS, WriteSettings, annotations_text, read_annotations, timeline_text
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, Interval, LabelMap, Segmentation, TimeBase, class_name
from keyseg.timeline.files import write_content

LABELS = LabelMap(("background", "cut,tomato", 'say_"hi"', "a&b<c>", "größe-切る", "--x", "take"), ("background",))
RATES = (*map(Fraction, (15, 25, 30, 60)), Fraction(30000, 1001))
ONE_VIDEO = [name for name, form in FORMATS.items() if not form.several]
SEVERAL = [name for name, form in FORMATS.items() if form.several]
# What a file states besides the intervals; docs/formats.md has the same table.
KEEPS_DURATION = {
    "txt",
    "recog",
    "frames",
    "csv",
    "tsv",
    "json",
    "activitynet",
    "boris",
    "boris-project",
    "textgrid",
    "labelstudio",
    "otio",
    "edl",
    "annot",
    "caltech",
}
KEEPS_RATE = {"csv", "tsv", "json", "activitynet", "boris", "boris-project", "labelstudio", "otio", "edl", "annot"}
MERGES = {"txt", "recog"}  # neighbours of one class

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def segmentations(draw: st.DrawFn) -> tuple[Segmentation, TimeBase]:
    """Up to eight segments, hours long in total; the last is an action, so that every format knows the length."""
    runs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 400_000)), max_size=7))
    runs.append((draw(st.integers(1, 6)), draw(st.integers(1, 9))))
    ends, total = [0], 0
    for _, length in runs:
        total += length
        ends.append(total)
    return Segmentation(ends, [label for label, _ in runs]), TimeBase(draw(st.sampled_from(RATES)))


short = st.tuples(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=6), st.sampled_from(RATES)
)


def saved(folder: Path, fmt: str, content: str | bytes, video: str = "video") -> Path:
    path = folder / f"{video}{FORMATS[fmt].suffix}"
    write_content(path, content)
    return path


def back(path: Path, fmt: str, timebase: TimeBase) -> Annotation:
    """The only annotation of a file; the rate is given if the file does not state it."""
    fps = None if fmt in KEEPS_RATE else timebase.fps
    (annotation,) = read_annotations(path, fps=fps)
    return annotation


@quick
@given(data=segmentations())
@pytest.mark.parametrize("fmt", [name for name in FORMATS if name not in MERGES])
def test_hours_read_back_to_the_frame(fmt: str, data: tuple[Segmentation, TimeBase], tmp_path: Path) -> None:
    segmentation, timebase = data
    path = saved(tmp_path, fmt, timeline_text(fmt, "video", segmentation, LABELS, timebase))
    assert format_of(path) == fmt
    found = back(path, fmt, timebase)
    assert found.video == "video"
    assert found.fps == timebase.fps
    assert found.segmentation(LABELS, timebase.fps).merged() == segmentation.merged()
    actions = [segment for segment in segmentation if segment.label != 0]
    frames = [round(item.start_seconds * timebase.fps) for item in found.actions().intervals]
    assert frames == [segment.start_frame for segment in actions]  # neighbours of one class stay separate


@quick
@given(data=short)
@pytest.mark.parametrize("fmt", list(FORMATS))
def test_short_videos_read_back_to_the_frame(
    fmt: str, data: tuple[list[tuple[int, int]], Fraction], tmp_path: Path
) -> None:
    runs, fps = data
    segmentation = Segmentation.from_frames([label for label, n in runs for _ in range(n)])
    timebase = TimeBase(fps)
    path = saved(tmp_path, fmt, timeline_text(fmt, "video", segmentation, LABELS, timebase))
    if FORMATS[fmt].several and not any(segmentation.labels) and not FORMATS[fmt].tiles:
        assert all(not annotation.intervals for annotation in read_annotations(path, fmt, fps=fps))
        return
    (found,) = read_annotations(path, fmt, fps=fps)
    length = None if fmt in KEEPS_DURATION else segmentation.length
    assert found.segmentation(LABELS, fps, frames=length).merged() == segmentation.merged()
    if fmt in KEEPS_DURATION:
        assert found.duration_seconds is not None
        assert round(found.duration_seconds * fps) == segmentation.length


@pytest.mark.parametrize("fmt", list(FORMATS))
def test_what_a_format_keeps_is_what_the_table_says(fmt: str, tmp_path: Path) -> None:
    segmentation = Segmentation([0, 30, 45, 300], [6, 1, 0])
    timebase = TimeBase(Fraction(30000, 1001))
    path = saved(tmp_path, fmt, timeline_text(fmt, "video", segmentation, LABELS, timebase))
    found = read_annotations(path, fps=None if fmt in KEEPS_RATE else Fraction(25))[0]
    assert (found.fps == timebase.fps) == (fmt in KEEPS_RATE)
    assert (found.duration_seconds is not None) == (fmt in KEEPS_DURATION)
    kept = {item.label for item in found.intervals}
    assert ("background" in kept) == FORMATS[fmt].tiles
    assert (found.background != ()) == FORMATS[fmt].tiles


@pytest.mark.slow
@pytest.mark.parametrize("first", list(FORMATS))
@pytest.mark.parametrize("second", list(FORMATS))
def test_any_format_to_any_other(first: str, second: str, tmp_path: Path) -> None:
    segmentation, timebase = Segmentation([0, 5, 61, 70, 90, 100_000], [0, 6, 6, 0, 4]), TimeBase(Fraction(30000, 1001))
    path = saved(tmp_path, first, timeline_text(first, "video", segmentation, LABELS, timebase))
    between = read_annotations(path, first, fps=timebase.fps)
    text = annotations_text(second, between, WriteSettings(fps=timebase.fps))
    (found,) = read_annotations(saved(tmp_path, second, text), second, fps=timebase.fps)
    assert found.segmentation(LABELS, timebase.fps).merged() == segmentation.merged()


@pytest.mark.parametrize("fmt", SEVERAL)
def test_several_videos_in_a_file(fmt: str, tmp_path: Path) -> None:
    fps = Fraction(25)
    videos = [
        Annotation(video, (Interval(Fraction(1), Fraction(n), "take"),), Fraction(9), fps)
        for n, video in enumerate(("b", "a", "P03-tea"), 3)
    ]
    found = read_annotations(saved(tmp_path, fmt, annotations_text(fmt, videos), "all"))
    assert [annotation.video for annotation in found] == ["b", "a", "P03-tea"]
    assert [annotation.actions().intervals for annotation in found] == [video.intervals for video in videos]


# Without the characters that only some formats can hold; they have their own test.
names = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12).filter(
    lambda text: text == text.strip() != "" and not {*"\ufffe\uffff"} & set(text)
)


@quick
@given(label=names)
@pytest.mark.parametrize("fmt", list(FORMATS))
def test_free_labels_come_back(fmt: str, label: str, tmp_path: Path) -> None:
    fps = Fraction(25)
    written = Annotation("video", (Interval(Fraction(0), Fraction(2), label),), Fraction(2), fps)
    if fmt == "srt" and ("-->" in label or "<" in label or "{" in label):
        return
    path = saved(tmp_path, fmt, annotations_text(fmt, [written]))
    (found,) = read_annotations(path, fmt, fps=fps)
    as_class = FORMATS[fmt].tiles or fmt == "rttm"
    (item,) = found.intervals
    assert item.label == (class_name(label) if as_class else label)
    assert (item.start_seconds, item.end_seconds) == (0, 2)
