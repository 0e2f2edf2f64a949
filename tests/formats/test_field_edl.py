"""Edit lists as editing programs write them: drop frames, reels, markers, locators, programmes that start late."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import AnnotationOptions, read_annotations
from keyseg.timeline import Annotation, DataError

FIELD = Path(__file__).parents[1] / "field" / "formats"
NTSC = Fraction(30000, 1001)


def read(path: Path, fps: Fraction = Fraction(25), **options: Any) -> tuple[Annotation, list[str]]:
    notes: list[str] = []
    (found,) = read_annotations(path, fps=fps, options=AnnotationOptions(**options), note=notes.append)
    return found, notes


def rows(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def event(record: str, name: str = "take", reel: str = "AX", channel: str = "V", number: int = 1) -> str:
    line = f"{number:03d}  {reel}  {channel}     C        00:00:00:00 00:00:01:00 {record}\n"
    return line + (f"* FROM CLIP NAME: {name}\n" if name else "")


def edl(folder: Path, body: str, head: str = "TITLE: v\nFCM: NON-DROP FRAME\n\n") -> Path:
    path = folder / "v.edl"
    path.write_text(head + body)
    return path


def frames_of(start: str, end: str, tmp_path: Path, fps: Fraction, fcm: str) -> tuple[int, int]:
    head = f"TITLE: v\n{fcm}\n"
    (item,) = read(edl(tmp_path, event(f"{start} {end}"), head), fps)[0].intervals
    return int(item.start_seconds * fps), int(item.end_seconds * fps)


def test_drop_frames_with_colons() -> None:
    found, notes = read(FIELD / "drop-frame-colons.edl", NTSC)
    (item,) = found.intervals
    assert (item.start_seconds, item.end_seconds) == (Fraction(17982) / NTSC, Fraction(18132) / NTSC)
    assert notes == []


@pytest.mark.parametrize("fcm", ["FCM: DROP FRAME", "FCM: drop frame", "FCM:DROP", "FCM: NON-DROP FRAME", ""])
@pytest.mark.parametrize("mark", [":", ";"])
def test_the_flag_or_a_semicolon_drops_frames(fcm: str, mark: str, tmp_path: Path) -> None:
    drops = mark == ";" or fcm in ("FCM: DROP FRAME", "FCM: drop frame", "FCM:DROP")
    found = frames_of(f"00:10:00{mark}00", f"00:11:00{mark}02", tmp_path, NTSC, fcm)
    assert found == ((17982, 19782) if drops else (18000, 19802))


def test_every_number_of_drop_frames_counts_on(tmp_path: Path) -> None:
    """As SMPTE 12M counts: two numbers are left out at each minute that ten does not divide."""
    expected = 0
    for minute in range(12):
        for second in (0, 59):
            first = 2 if second == 0 and minute % 10 else 0
            here = minute * 1800 + second * 30 + first - 2 * (minute - minute // 10)
            text = f"00:{minute:02d}:{second:02d}:{first:02d}"
            assert frames_of(text, "00:20:00:00", tmp_path, NTSC, "FCM: DROP FRAME")[0] == here
            assert here == expected
            expected += 59 * 30 - first if second == 0 else 30
    assert frames_of("01:00:00:00", "01:00:01:00", tmp_path, 2 * NTSC, "FCM: DROP FRAME") == (215784, 215844)


@pytest.mark.parametrize(
    ("time", "fps", "words"),
    [
        ("00:01:00:00", NTSC, "with drop frames there is no 00:01:00:00"),
        ("00:01:00:30", NTSC, "expected a timecode at 30000/1001 frames per second, got '00:01:00:30'"),
        ("00:01:00:04", Fraction(25), "drop frames exist at 30000/1001 and 60000/1001 frames per second, not at 25"),
        ("00:61:00:04", NTSC, "expected a timecode"),
    ],
)
def test_timecodes_that_do_not_exist(time: str, fps: Fraction, words: str, tmp_path: Path) -> None:
    path = edl(tmp_path, event(f"{time} 00:59:00:04"), "TITLE: v\nFCM: DROP FRAME\n")
    with pytest.raises(DataError, match=re.escape(f"v.edl:3: {words}")):
        read(path, fps)


def test_what_is_not_said_of_drop_frames_is_noted(tmp_path: Path) -> None:
    plain = edl(tmp_path, event("00:00:01:00 00:00:02:00"), "TITLE: v\n")
    assert "it does not say whether it drops frames (FCM)" in read(plain, NTSC)[1][0]
    assert read(plain, Fraction(25))[1] == []
    both = event("00:00:01:00 00:00:02:00") + "FCM: NON-DROP FRAME\n" + event("00:00:03:00 00:00:04:00", number=2)
    assert "FCM changes on the way" in read(edl(tmp_path, both, "FCM: DROP FRAME\n"), NTSC)[1][0]


def test_reels_are_labels_where_there_is_no_clip_name(tmp_path: Path) -> None:
    body = event("00:00:01:00 00:00:02:00", "", "POUR") + event("00:00:02:00 00:00:03:00", "take cup", "T1", number=2)
    assert rows(read(edl(tmp_path, body))[0]) == [(1, 2, "POUR"), (2, 3, "take cup")]


@pytest.mark.parametrize("reel", ["AX", "001", "ax"])
def test_a_number_is_no_label(reel: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"v\.edl:4: the event has no name of a clip, and '{reel}' is no name"):
        read(edl(tmp_path, event("00:00:01:00 00:00:02:00", "", reel)))


def test_the_clip_that_a_dissolve_leads_to(tmp_path: Path) -> None:
    body = event("00:00:00:00 00:00:02:00", "take") + (
        "002  AX  V     C        00:00:00:00 00:00:00:00 00:00:02:00 00:00:02:00\n"
        "002  AX  V     D    012 00:00:00:00 00:00:01:00 00:00:02:00 00:00:03:00\n"
        "* FROM CLIP NAME: take\n* TO CLIP NAME: pour\n"
    )
    assert rows(read(edl(tmp_path, body))[0]) == [(0, 2, "take"), (2, 3, "pour")]


def test_events_that_share_a_number_keep_their_names(tmp_path: Path) -> None:
    """Some programs number each track anew. In a dissolve both events come before the names."""
    body = event("00:00:00:00 00:00:01:00", "take") + event("00:00:01:00 00:00:03:00", "pour")
    assert rows(read(edl(tmp_path, body))[0]) == [(0, 1, "take"), (1, 3, "pour")]


def test_sound_is_left_out_and_tracks_can_be_chosen(tmp_path: Path) -> None:
    body = (
        event("00:00:00:00 00:00:02:00", "take", channel="B")
        + event("00:00:00:00 00:00:02:00", "hum", channel="A2", number=2)
        + event("00:00:02:00 00:00:03:00", "pour", channel="AA/V", number=3)
        + event("00:00:01:00 00:00:03:00", "title", channel="V2", number=4)
    )
    path = edl(tmp_path, body)
    assert rows(read(path)[0]) == [(0, 2, "take"), (1, 3, "title"), (2, 3, "pour")]
    assert rows(read(path, tier=("V2",))[0]) == [(1, 3, "title")]
    assert rows(read(path, tier=("V",))[0]) == [(0, 2, "take"), (2, 3, "pour")]


def test_a_change_of_speed_keeps_the_record_times(tmp_path: Path) -> None:
    line = "001  AX  V     C        00:00:00:00 00:00:08:00 00:00:01:00 00:00:05:00\nM2   AX   050.0   00:00:00:00\n"
    assert rows(read(edl(tmp_path, line + "* FROM CLIP NAME: take\n"))[0]) == [(1, 5, "take")]


def test_markers_of_resolve_with_the_start_of_the_programme() -> None:
    path = FIELD / "resolve-markers.edl"
    found, notes = read(path, Fraction(24), start_timecode="01:00:00:00")
    assert (rows(found), notes) == ([(2, 4, "take cup"), (5, 8, "pour water")], [])
    found, notes = read(path, Fraction(24))
    assert rows(found) == [(3602, 3604, "take cup"), (3605, 3608, "pour water")]
    assert "the first record time is 3602 s; if the programme does not start at 00:00:00:00" in notes[0]
    assert "--start-timecode 01:00:00:00" in notes[0]
    with pytest.raises(DataError, match=r"markers\.edl:4: it is before --start-timecode 02:00:00:00"):
        read(path, Fraction(24), start_timecode="02:00:00:00")


@pytest.mark.parametrize(
    ("comment", "label"),
    [
        (" |C:ResolveColorBlue |M:take cup |D:50", "take cup"),
        ("2 cups of tea |C:ResolveColorBlue |M:take cup |D:50", "take cup"),
        ("* |C:ResolveColorBlue |M:take | cup |D:50", "take | cup"),
        (" |M:take cup |D:50", "take cup"),
        ("see below |C:ResolveColorBlue |M: |D:50", "see below"),
    ],
)
def test_markers_as_comments(comment: str, label: str, tmp_path: Path) -> None:
    path = edl(tmp_path, event("00:00:02:00 00:00:02:01", "", "001") + comment + "\n")
    assert rows(read(path)[0]) == [(2, 4, label)]


@pytest.mark.parametrize("length", [" |D:1", " |D:0", ""])
def test_markers_of_one_frame_are_points(length: str, tmp_path: Path) -> None:
    path = edl(tmp_path, event("00:00:02:00 00:00:02:01", "", "001") + f" |C:Red |M:take{length}\n")
    with pytest.raises(DataError, match=r"v\.edl:4: 'take' is a point at 2 s"):
        read(path)
    assert rows(read(path, points=5)[0]) == [(2, 2.2, "take")]
    found, notes = read(path, points="drop")
    assert (found.intervals, len(notes)) == ((), 1)


def test_locators_are_points() -> None:
    path = FIELD / "locators.edl"
    with pytest.raises(DataError, match=r"locators\.edl:6: 'take' is a point at 2 s, .*--points drop.*--points FRAMES"):
        read(path)
    found, notes = read(path, points=25)
    assert rows(found) == [(2, 3, "take"), (5, 6, "pour")]
    assert "1 clips are left out; the markers are the labels" in notes[0]
    found, notes = read(path, points="drop")
    assert rows(found) == [(0, 10, "day1.mp4")]
    assert "2 events without a length left out" in notes[0]


def test_locators_that_each_channel_repeats_count_once(tmp_path: Path) -> None:
    comment = "* LOC: 01:00:02:00 GREEN   take\n*LOC: 01:00:03:00 pour\n"
    body = (
        event("01:00:00:00 01:00:09:00") + comment + event("01:00:00:00 01:00:09:00", channel="A", number=2) + comment
    )
    found, _ = read(edl(tmp_path, body), points=25, start_timecode="01:00:00:00")
    assert rows(found) == [(2, 3, "take"), (3, 4, "pour")]
    with pytest.raises(DataError, match=r"v\.edl:6: expected a timecode"):
        read(edl(tmp_path, event("01:00:00:00 01:00:09:00") + "* LOC: soon RED take\n"))


@pytest.mark.parametrize(
    ("first", "fps", "fcm", "noted"),
    [
        ("01:00:00:00", Fraction(25), "NON-DROP FRAME", True),
        ("00:59:59:24", Fraction(25), "NON-DROP FRAME", False),
        ("01:00:00:00", NTSC, "DROP FRAME", True),
        ("00:59:59:00", NTSC, "DROP FRAME", False),
        ("10:00:00:00", Fraction(24), "NON-DROP FRAME", True),
    ],
)
def test_a_programme_that_starts_late_is_noted(
    first: str, fps: Fraction, fcm: str, noted: bool, tmp_path: Path
) -> None:
    path = edl(tmp_path, event(f"{first} 11:00:00:00"), f"TITLE: v\nFCM: {fcm}\n")
    assert any("--start-timecode" in note for note in read(path, fps)[1]) == noted
    found, notes = read(path, fps, start_timecode=first)
    assert (found.intervals[0].start_seconds, notes) == (0, [])


@pytest.mark.parametrize("bad", ["soon", "01:00:00:25", "01:00:00"])
def test_a_start_that_is_no_timecode(bad: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"--start-timecode: expected a timecode at 25 frames per second, got '{bad}'"):
        read(edl(tmp_path, event("01:00:00:00 01:00:09:00")), start_timecode=bad)
