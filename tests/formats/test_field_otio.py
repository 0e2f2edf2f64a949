"""Timelines of editing programs: what is disabled, trimmed or marked."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import AnnotationOptions, read_annotations
from keyseg.timeline import Annotation, DataError

otio = pytest.importorskip("opentimelineio")
FIELD = Path(__file__).parents[1] / "field" / "formats"


def span(start: float, seconds: float, rate: float = 25) -> Any:
    time = otio.opentime.RationalTime
    return otio.opentime.TimeRange(time(start * rate, rate), time(seconds * rate, rate))


def clip(name: str, seconds: float, source: float = 0, **facts: Any) -> Any:
    made = otio.schema.Clip(name=name, source_range=span(source, seconds))
    for key, value in facts.items():
        setattr(made, key, value)
    return made


def gap(seconds: float) -> Any:
    return otio.schema.Gap(source_range=span(0, seconds))


def track(*children: Any, name: str = "V1", kind: str = "Video", **facts: Any) -> Any:
    made = otio.schema.Track(name, children=list(children), kind=kind)
    for key, value in facts.items():
        setattr(made, key, value)
    return made


def read(
    folder: Path, *tracks: Any, window: Any = None, start: Any = None, **options: Any
) -> tuple[Annotation, list[str]]:
    timeline = otio.schema.Timeline("cut", global_start_time=start)
    timeline.tracks.extend(list(tracks))
    timeline.tracks.source_range = window
    return written(folder, timeline, **options)


def written(folder: Path, timeline: Any, **options: Any) -> tuple[Annotation, list[str]]:
    path = folder / "cut.otio"
    otio.adapters.write_to_file(timeline, str(path))
    notes: list[str] = []
    (found,) = read_annotations(path, options=AnnotationOptions(**options), note=notes.append)
    return found, notes


def rows(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def test_a_disabled_clip_is_a_gap() -> None:
    notes: list[str] = []
    (found,) = read_annotations(FIELD / "disabled.otio", note=notes.append)
    assert rows(found) == [(0, 2, "take"), (4, 6, "stir")]
    assert found.duration_seconds == 6
    assert notes[0].endswith("disabled.otio: disabled and left out: clip 'pour'")


def test_a_disabled_track_is_left_out(tmp_path: Path) -> None:
    tracks = track(clip("take", 2)), track(gap(1), clip("title", 3), name="V2", enabled=False)
    found, notes = read(tmp_path, *tracks)
    assert (rows(found), found.duration_seconds) == ([(0, 2, "take")], 2)
    assert notes == [f"{tmp_path / 'cut.otio'}: disabled and left out: track 'V2'"]
    found, notes = read(tmp_path, track(clip("take", 2, enabled=False)))
    assert (rows(found), found.duration_seconds) == ([], 2)


def test_a_timeline_without_pictures_is_noted(tmp_path: Path) -> None:
    found, notes = read(tmp_path, track(clip("talk", 2), kind="Audio"))
    assert (found.intervals, len(notes)) == ((), 1)
    assert "no clips on a video track that is enabled; tracks of sound are not read" in notes[0]


def test_a_last_clip_that_is_disabled_keeps_the_length(tmp_path: Path) -> None:
    found, _ = read(tmp_path, track(clip("take", 2), clip("pour", 3, enabled=False)))
    assert (rows(found), found.duration_seconds) == ([(0, 2, "take")], 5)


def test_a_trimmed_track_starts_where_it_is_trimmed(tmp_path: Path) -> None:
    children = clip("take", 2), gap(1), clip("pour", 4), clip("stir", 3)
    found, _ = read(tmp_path, track(*children, source_range=span(1, 5)))
    assert (rows(found), found.duration_seconds) == ([(0, 1, "take"), (2, 5, "pour")], 5)


def test_a_trimmed_timeline_cuts_all_tracks(tmp_path: Path) -> None:
    tracks = track(clip("take", 2), clip("pour", 4)), track(gap(5), clip("title", 5), name="V2")
    found, _ = read(tmp_path, *tracks, window=span(1.5, 4))
    assert (rows(found), found.duration_seconds) == ([(0, 0.5, "take"), (0.5, 4, "pour"), (3.5, 4, "title")], 4)


@pytest.mark.parametrize(("start", "expected"), [(0, [(0, 3, "take")]), (1, [(0, 2, "take")])])
def test_a_trimmed_track_in_a_trimmed_timeline(start: float, expected: list[Any], tmp_path: Path) -> None:
    """A track of 3 s of a clip of 10 s, seen from `start` on."""
    found, _ = read(tmp_path, track(clip("take", 10), source_range=span(4, 3)), window=span(start, 9))
    assert (rows(found), found.duration_seconds) == (expected, 9)


@pytest.mark.parametrize("source", [0, 3600, 86_000])
def test_times_count_from_the_start_of_the_timeline(source: float, tmp_path: Path) -> None:
    """Neither the timecode of the timeline nor that of the media shifts them."""
    late = otio.opentime.RationalTime(3600 * 25, 25)
    found, notes = read(tmp_path, track(gap(1), clip("take", 2, source)), start=late)
    assert (rows(found), notes) == ([(1, 3, "take")], [])


def marker(name: str, start: float, seconds: float) -> Any:
    return otio.schema.Marker(name=name, marked_range=span(start, seconds))


def marked(folder: Path, **options: Any) -> tuple[Annotation, list[str]]:
    """The same marker on a clip, its track and the timeline: at 2 s, with 1, 0 and 2 seconds."""
    whole = clip("day1.mp4", 10, source=100)
    whole.markers.extend([marker("take", 102, 1), marker("hidden", 99, 1), marker("hidden too", 110, 1)])
    row = track(whole)
    row.markers.append(marker("click", 2, 0))
    timeline = otio.schema.Timeline("cut")
    timeline.tracks.append(row)
    timeline.tracks.markers.append(marker("pour", 4, 2))
    return written(folder, timeline, **options)


def test_markers_are_noted(tmp_path: Path) -> None:
    found, notes = marked(tmp_path)
    assert rows(found) == [(0, 10, "day1.mp4")]
    assert (
        "3 markers are left out: 'pour', 'click', 'take'; read them in place of the clips with --tier markers"
        in notes[0]
    )


def test_markers_are_read_in_place_of_the_clips(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'click' is a point at 2 s"):
        marked(tmp_path, tier=("markers",))
    found, _ = marked(tmp_path, tier=("markers",), points="drop")
    assert (rows(found), found.duration_seconds) == ([(2, 3, "take"), (4, 6, "pour")], 10)


def test_a_track_of_this_name_goes_before_markers(tmp_path: Path) -> None:
    row = track(clip("take", 2), name="markers")
    row.markers.append(marker("pour", 0, 1))
    found, notes = read(tmp_path, row, tier=("markers",))
    assert (rows(found), len(notes)) == ([(0, 2, "take")], 1)


def test_the_file_of_the_clips_is_kept(tmp_path: Path) -> None:
    one, other = (otio.schema.ExternalReference(target_url=f"file:///videos/{name}.mp4") for name in ("day1", "day2"))
    clips = [clip(name, 2, media_reference=one) for name in ("take", "pour")]
    assert read(tmp_path, track(*clips))[0].media == "file:///videos/day1.mp4"
    assert (
        read(tmp_path, track(clip("take", 2, media_reference=one), clip("x", 2, media_reference=other)))[0].media == ""
    )


def test_clips_of_another_rate_stay_exact(tmp_path: Path) -> None:
    """23.976 frames mean 24000/1001: 24 of them are 1.001 s."""
    time = otio.opentime.RationalTime
    frames = [otio.opentime.TimeRange(time(start, 23.976), time(48, 23.976)) for start in (240, 24)]
    row = track(otio.schema.Clip("take", source_range=frames[0]), clip("pour", 1), source_range=frames[1])
    found, _ = read(tmp_path, row)
    assert [(item.label, item.end_seconds) for item in found.intervals] == [
        ("take", Fraction(1001, 1000)),
        ("pour", Fraction(2001, 1000)),
    ]
