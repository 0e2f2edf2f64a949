"""ELAN as people have it: offsets of media, several cameras, links of all systems, files of other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.formats import AnnotationOptions, WriteSettings, annotations_text, read_annotations
from keyseg.timeline import Annotation, ConfigError, DataError, Interval, KeysegError

FIELD = Path(__file__).parents[1] / "field" / "formats"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="EAFv3.0.xsd"'
ACTION = '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{0}" TIME_SLOT_REF1="{1}" TIME_SLOT_REF2="{2}">'
ACTION += "<ANNOTATION_VALUE>{3}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"


def link(url: str = "", origin: int | None = None, relative: str = "", mime: str = "video/mp4") -> str:
    shift = "" if origin is None else f' TIME_ORIGIN="{origin}"'
    beside = f' RELATIVE_MEDIA_URL="{relative}"' if relative else ""
    return f'<MEDIA_DESCRIPTOR MEDIA_URL="{url}" MIME_TYPE="{mime}"{beside}{shift}/>'


def eaf(path: Path, *links: str, tiers: str = "", head: str = XSI, slots: str = "", after: str = "") -> Path:
    """A file with `pour` from 1 s to 3 s on the tier hands, and more."""
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT {head}><HEADER TIME_UNITS="milliseconds">'
        f'{"".join(links)}</HEADER><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>'
        f'<TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="3000"/>{slots}</TIME_ORDER>'
        f'<TIER LINGUISTIC_TYPE_REF="lt" TIER_ID="hands">{ACTION.format("a1", "ts1", "ts2", "pour")}</TIER>'
        f"{tiers}{after}</ANNOTATION_DOCUMENT>",
        encoding="utf-8",
    )
    return path


def read(path: Path, **options: Any) -> tuple[Annotation, list[str]]:
    """The only annotation of a file, and the notes."""
    notes: list[str] = []
    (annotation,) = read_annotations(path, options=AnnotationOptions(**options), note=notes.append)
    return annotation, notes


def spans(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def test_the_origin_of_the_medium_is_added() -> None:
    annotation, notes = read(FIELD / "day1.eaf")
    assert (annotation.video, annotation.media, notes) == ("day1", "/videos/day1.mp4", [])
    assert spans(annotation) == [(6.0, 8.0, "pour")]


@given(st.integers(-1000, 10**9))
def test_any_origin_is_exact(tmp_path_factory: pytest.TempPathFactory, origin: int) -> None:
    path = eaf(tmp_path_factory.mktemp("origin") / "day1.eaf", link("file:///day1.mp4", origin))
    (interval,) = read(path)[0].intervals
    assert interval == Interval(Fraction(1000 + origin, 1000), Fraction(3000 + origin, 1000), "pour")


@pytest.mark.parametrize(
    ("name", "video", "start"),
    [
        ("front", "front", 1.0),
        ("side", "side", 3.5),
        ("SIDE", "side", 3.5),
        ("side.mp4", "side", 3.5),
        ("a", "front", 1.0),
    ],
)
def test_of_several_cameras_the_one_called_like_the_file_or_the_first(
    name: str, video: str, start: float, tmp_path: Path
) -> None:
    cameras = (link("file:///v/front.mp4", 0), link("file:///v/side.mp4", 2500), link("file:///v/top.mov"))
    annotation, notes = read(eaf(tmp_path / f"{name}.eaf", *cameras))
    assert (annotation.video, annotation.media) == (video, f"/v/{video}.mp4")
    assert spans(annotation)[0][0] == start
    assert bool(notes) == (name == "a")
    assert all(
        "it is read for front alone; to read it for another, call the file like it: side, top" in n for n in notes
    )


@pytest.mark.parametrize(
    ("name", "there", "video", "start", "words"),
    [
        ("a", ("side", "other"), "side", 3.5, "it is read for side alone"),
        ("front", ("SIDE",), "side", 3.5, "it is read for side alone"),
        ("side", ("front", "side"), "side", 3.5, ""),
        ("a", ("a", "other"), "a", 1.0, "it links front, which is not there, and is taken to be of the video called"),
        ("a", ("other",), "front", 1.0, "it is read for front alone"),
    ],
)
def test_the_videos_that_are_there_decide(
    name: str, there: tuple[str, ...], video: str, start: float, words: str, tmp_path: Path
) -> None:
    cameras = (link("file:///v/front.mp4", 0), link("file:///v/side.mp4", 2500))
    notes: list[str] = []
    (annotation,) = read_annotations(eaf(tmp_path / f"{name}.eaf", *cameras), videos=there, note=notes.append)
    assert (annotation.video, spans(annotation)[0][0]) == (video, start)
    assert [words in note for note in notes] == [True] * bool(words)


@pytest.mark.parametrize("mime", ["audio/x-wav", "unknown"])
def test_sound_is_not_the_video(mime: str, tmp_path: Path) -> None:
    sound, film = link("file:///v/day1.wav", 700, mime=mime), link("file:///v/day1.mp4", 200)
    assert spans(read(eaf(tmp_path / "day1.eaf", sound, film))[0]) == [(1.2, 3.2, "pour")]
    annotation, notes = read(eaf(tmp_path / "tea.eaf", sound))
    assert (annotation.video, annotation.media) == ("tea", "")
    assert spans(annotation) == [(1.7, 3.7, "pour")]
    assert notes == [f"{tmp_path / 'tea.eaf'}: no video is linked; times are those of /v/day1.wav, 0.7 s later"]
    assert read(eaf(tmp_path / "still.eaf", link("file:///v/day1.wav")))[1] == []


def test_what_lies_before_the_video_is_an_error_or_cut_with_a_note(tmp_path: Path) -> None:
    words = r"day1\.eaf: tier 'hands': 'pour' at -1 s begins before day1, whose TIME_ORIGIN is -2 s; cut it with --len"
    cut = eaf(tmp_path / "day1.eaf", link("file:///day1.mp4", -2000))
    with pytest.raises(DataError, match=words):
        read(cut)
    annotation, notes = read(cut, lenient=True)
    assert spans(annotation) == [(0.0, 1.0, "pour")]
    assert notes == [f"{cut}: tier 'hands': 'pour' at -1 s begins before day1, and is cut"]
    gone = eaf(tmp_path / "day1.eaf", link("file:///day1.mp4", -3000))
    annotation, notes = read(gone, lenient=True)
    assert annotation.intervals == ()
    assert "is left out" in notes[0]
    assert spans(read(eaf(tmp_path / "day1.eaf", link("file:///day1.mp4", -1000)))[0]) == [(0.0, 2.0, "pour")]


def test_an_origin_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    path = eaf(tmp_path / "day1.eaf", link("file:///day1.mp4").replace("/>", ' TIME_ORIGIN="5 s"/>'))
    with pytest.raises(DataError, match=r"day1\.eaf: TIME_ORIGIN of '/day1\.mp4': expected a number, got '5 s'"):
        read(path)


def test_frames_for_times_are_refused(tmp_path: Path) -> None:
    path = eaf(tmp_path / "day1.eaf")
    path.write_text(path.read_text().replace("milliseconds", "PAL-frames"))
    with pytest.raises(DataError, match=r"day1\.eaf: expected times in milliseconds, got 'PAL-frames'"):
        read(path)


@pytest.mark.parametrize(
    ("url", "media"),
    [
        ("file:///videos/day1.mp4", "/videos/day1.mp4"),
        ("file:/videos/day1.mp4", "/videos/day1.mp4"),
        ("file://localhost/videos/day1.mp4", "/videos/day1.mp4"),
        ("FILE:///videos/my%20films/day1.mp4", "/videos/my films/day1.mp4"),
        ("file:///videos/my films/day1.mp4", "/videos/my films/day1.mp4"),
        ("file:///videos/K%C3%BCche/day1.mp4", "/videos/Küche/day1.mp4"),
        ("file:///videos/100%/day1.mp4", "/videos/100%/day1.mp4"),
        ("file:///videos/#1?/day1.mp4", "/videos/#1?/day1.mp4"),
        ("file:///C:/videos/day1.mp4", "C:/videos/day1.mp4"),
        ("file:/C:/videos/day1.mp4", "C:/videos/day1.mp4"),
        ("file:///C:\\videos\\day1.mp4", "C:/videos/day1.mp4"),
        ("file:///C%3A/videos/day1.mp4", "C:/videos/day1.mp4"),
        ("file://server/share/day1.mp4", "//server/share/day1.mp4"),
        ("file:////server/share/day1.mp4", "//server/share/day1.mp4"),
        ("file://///server/share/day1.mp4", "//server/share/day1.mp4"),
        ("https://example.org/day1.mp4", "https://example.org/day1.mp4"),
    ],
)
def test_links_of_all_systems(url: str, media: str, tmp_path: Path) -> None:
    annotation = read(eaf(tmp_path / "other.eaf", link(url)))[0]
    assert (annotation.video, annotation.media) == ("day1", media)


@pytest.mark.parametrize("relative", ["./films/day1.mp4", "films/day1.mp4", "file:/./films/day1.mp4"])
@pytest.mark.parametrize("url", ["", "file:///gone/day1.mp4"])
def test_the_relative_link_counts_where_the_absolute_one_leads_nowhere(url: str, relative: str, tmp_path: Path) -> None:
    path = eaf(tmp_path / "other.eaf", link(url, relative=relative))
    assert read(path)[0].video == "day1"
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "day1.mp4").touch()
    assert Path(read(path)[0].media) == tmp_path / "films" / "day1.mp4"


def test_a_name_that_only_looks_escaped_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "50%25.mp4").touch()
    path = eaf(
        tmp_path / "other.eaf", link(f"file://{'' if os.name == 'posix' else '/'}{tmp_path.as_posix()}/50%25.mp4")
    )
    assert read(path)[0].video == "50%25"


def test_the_medium_of_the_first_edition(tmp_path: Path) -> None:
    path = eaf(tmp_path / "other.eaf")
    path.write_text(path.read_text().replace("<HEADER", '<HEADER MEDIA_FILE="file:///videos/day1.mpg"'))
    assert read(path)[0].video == "day1"


@pytest.mark.parametrize("head", ["", 'VERSION="3.0"', 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'])
def test_without_a_schema_location_and_with_optional_parts_left_out(head: str, tmp_path: Path) -> None:
    after = '<LICENSE/><CONSTRAINT STEREOTYPE="Included_In"/><LOCALE LANGUAGE_CODE="de"/>'
    path = eaf(tmp_path / "day1.eaf", "<PROPERTY/>", head=head, after=after)
    path.write_text(path.read_text().replace('"ts1"', '"begin"').replace('"a1"', '"first"'))
    assert spans(read(path)[0]) == [(1.0, 3.0, "pour")]


def test_an_empty_file_is_noted(tmp_path: Path) -> None:
    path = eaf(tmp_path / "day1.eaf")
    path.write_text(path.read_text().replace(ACTION.format("a1", "ts1", "ts2", "pour"), ""))
    assert read(path) == (Annotation("day1", ()), [f"{path}: no annotations in it"])


def test_two_tiers_of_one_name_are_refused(tmp_path: Path) -> None:
    path = eaf(tmp_path / "day1.eaf", tiers='<TIER TIER_ID="hands"/>')
    with pytest.raises(DataError, match="two tiers are called 'hands'"):
        read(path)


def test_an_annotation_without_a_label_is_an_error_or_left_out_with_a_note(tmp_path: Path) -> None:
    path = eaf(tmp_path / "day1.eaf")
    path.write_text(path.read_text().replace(">pour<", "> <"))
    with pytest.raises(DataError, match=r"tier 'hands': expected a label for 1 s to 3 s"):
        read(path)
    annotation, notes = read(path, lenient=True)
    assert (annotation.intervals, len(notes)) == ((), 1)
    assert "without a label at 1 s is left out" in notes[0]


TWO = '<TIER TIER_ID="feet">' + ACTION.format("a2", "ts2", "ts3", "walk") + '</TIER><TIER TIER_ID="notes"/>'
TS3 = '<TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="4000"/>'


@pytest.mark.parametrize(
    ("tier", "label"),
    [(("feet",), "walk"), (("arms", "feet"), "walk"), (("feet", "hands"), "walk"), (("hands", "feet"), "pour")],
)
def test_the_first_tier_that_a_file_has(tier: tuple[str, ...], label: str, tmp_path: Path) -> None:
    path = eaf(tmp_path / "day1.eaf", tiers=TWO, slots=TS3)
    assert read(path, tier=tier)[0].labels == (label,)


def test_one_timeline_per_tier(tmp_path: Path) -> None:
    path = eaf(tmp_path / "day1.eaf", link("file:///v/day1.mp4", 500), tiers=TWO, slots=TS3)

    def tracks(*tier: str) -> dict[str, list[tuple[float, float, str]]]:
        options = AnnotationOptions(per_subject=True, tier=tier)
        return {item.name: spans(item) for item in read_annotations(path, options=options)}

    both = {"day1.hands": [(1.5, 3.5, "pour")], "day1.feet": [(3.5, 4.5, "walk")]}
    assert tracks() == tracks("hands", "feet") == both
    assert tracks("feet", "arms") == {"day1.feet": both["day1.feet"]}
    with pytest.raises(ConfigError, match="no tier 'arms'"):
        tracks("arms")


def test_references_are_followed_and_a_loop_is_an_error(tmp_path: Path) -> None:
    reference = '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{}" ANNOTATION_REF="{}"><ANNOTATION_VALUE>x'
    reference += "</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    chain = reference.format("b1", "a1") + "</TIER>" + '<TIER TIER_ID="c">' + reference.format("c1", "b1")
    tiers = '<TIER TIER_ID="b">' + chain + '</TIER><TIER TIER_ID="loop">' + reference.format("d1", "d1") + "</TIER>"
    path = eaf(tmp_path / "day1.eaf", tiers=tiers)
    assert spans(read(path)[0]) == [(1.0, 3.0, "pour")]
    assert spans(read(path, tier=("c",))[0]) == [(1.0, 3.0, "x")]
    with pytest.raises(DataError, match="tier 'loop': 'x' refers to a time or annotation that is missing"):
        read(path, tier=("loop",))


def written(tmp_path: Path, media: str, **settings: Any) -> tuple[str, Callable[..., Annotation]]:
    """The text of a file with one action, and a function that reads it back."""
    action = Annotation("day1", (Interval(Fraction(1), Fraction(2), "pour"),), media=media)
    text = annotations_text("eaf", [action], WriteSettings(folder=tmp_path, **settings))

    def back(**options: Any) -> Annotation:
        path = tmp_path / "elsewhere.eaf"
        path.write_text(text, encoding="utf-8")
        return read(path, **options)[0]

    return text, back


@pytest.mark.parametrize("name", ["day1.mp4", "day 1.mp4", "Kuche & Bad.mkv", "Küche.mov", "50%25.avi"])
def test_a_prediction_links_its_video(name: str, tmp_path: Path) -> None:
    video = tmp_path / "videos" / name
    video.parent.mkdir()
    video.touch()
    text, back = written(tmp_path, str(video))
    assert f'RELATIVE_MEDIA_URL="./videos/{name.replace("&", "&amp;")}"' in text
    assert f'MEDIA_URL="file:///{video.as_posix().lstrip("/").replace("&", "&amp;")}"' in text
    assert Path(back().media) == video
    assert back().video == video.stem


@pytest.mark.parametrize(
    ("media", "url", "mime"),
    [
        ("C:\\videos\\day1.mov", 'MEDIA_URL="file:///C:/videos/day1.mov"', "video/quicktime"),
        ("//server/share/day1.mts", 'MEDIA_URL="file://server/share/day1.mts"', "video/*"),
        ("https://example.org/day1.webm", 'MEDIA_URL="https://example.org/day1.webm"', "video/webm"),
        ("P01/day1.MP4", 'RELATIVE_MEDIA_URL="./P01/day1.MP4"', "video/mp4"),
    ],
)
def test_links_to_other_systems_are_kept(media: str, url: str, mime: str, tmp_path: Path) -> None:
    text, back = written(tmp_path, media)
    assert url in text
    assert f'MIME_TYPE="{mime}"' in text
    assert back().video == "day1"
    assert back().media.removeprefix("/") == media.replace("\\", "/").removeprefix("/")


def test_without_a_video_nothing_is_linked(tmp_path: Path) -> None:
    assert "MEDIA_DESCRIPTOR" not in written(tmp_path, "")[0]


def test_the_tier_that_is_written(tmp_path: Path) -> None:
    assert written(tmp_path, "")[1](tier=("actions",)).labels == ("pour",)
    assert written(tmp_path, "", tier='right & "left"')[1](tier=('right & "left"',)).labels == ("pour",)
    for name in ("two\nlines", " "):
        with pytest.raises(KeysegError, match="tier"):
            written(tmp_path, "", tier=name)


def test_a_relative_link_is_kept_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files are named relative to the current folder, the path of the video is absolute nevertheless."""
    (tmp_path / "e").mkdir()
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "tea.mp4").touch()
    annotation = Annotation("tea", (Interval(0, 1, "take"),), media=str(tmp_path / "v" / "tea.mp4"))
    text = annotations_text("eaf", [annotation], WriteSettings(folder=tmp_path / "e"))
    text = text.replace((tmp_path / "v" / "tea.mp4").as_posix(), "/elsewhere/tea.mp4")
    (tmp_path / "e" / "tea.eaf").write_text(text)
    monkeypatch.chdir(tmp_path)
    (found,) = read_annotations(Path("e", "tea.eaf"))
    assert Path(found.media) == tmp_path / "v" / "tea.mp4"


def test_elements_nested_by_the_thousand_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.eaf"
    path.write_text("<ANNOTATION_DOCUMENT>" + "<a>" * 100_000 + "</a>" * 100_000 + "</ANNOTATION_DOCUMENT>")
    with pytest.raises(DataError, match=r"a.eaf: more than 100 elements inside one another"):
        read(path)
