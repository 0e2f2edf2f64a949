"""keyseg convert IN OUT: files and folders of timelines, from one format to another."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import FORMATS, AnnotationOptions, boris_observation, conversion, read_annotations
from keyseg.formats.table_of_formats import unused_options
from keyseg.timeline import ConfigError

VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\ntake cup\n\n00:00:03.000 --> 00:00:03.500\npour\n"
TXT = ["background"] * 2 + ["take_cup"] * 2 + ["background"] * 2 + ["pour"]


@pytest.fixture
def vtt(tmp_path: Path) -> Path:
    path = tmp_path / "tea.vtt"
    path.write_text(VTT)
    return path


def test_times_to_frames_and_back(vtt: Path, keyseg: Any, tmp_path: Path) -> None:
    labels = tmp_path / "tea.txt"
    assert keyseg("convert", vtt, labels, "--fps", "2") == (0, f"{labels}\n", "")
    assert labels.read_text().split() == TXT
    again = tmp_path / "again.vtt"
    assert keyseg("convert", labels, again, "--fps", "2").code == 0
    assert again.read_text() == VTT.replace(" cup", "_cup")


def test_a_format_that_counts_frames_asks_for_the_rate_and_others_do_not(
    vtt: Path, keyseg: Any, tmp_path: Path
) -> None:
    answer = keyseg("convert", vtt, tmp_path / "tea.json")
    assert answer.code == 2
    assert answer.err == "error: tea: this format counts frames, and the frame rate is unknown; give --fps\n"
    assert not (tmp_path / "tea.json").exists()
    assert keyseg("convert", vtt, tmp_path / "tea.srt").code == 0
    (tmp_path / "a.txt").write_text("take\ntake\n")
    answer = keyseg("convert", tmp_path / "a.txt", tmp_path / "a.srt")
    assert answer.code == 2
    assert "a.txt: this format counts frames, and the frame rate is unknown; give --fps" in answer.err
    assert keyseg("convert", tmp_path / "a.txt", tmp_path / "a.recog.txt").code == 0  # frames in, frames out
    assert (tmp_path / "a.recog.txt").read_text() == "### Frame level recognition: ###\ntake take\n"


def test_a_file_of_a_folder_that_may_be_several_things_is_left_out_with_the_reason(
    vtt: Path, keyseg: Any, tmp_path: Path
) -> None:
    (tmp_path / "b.txt").write_text("0\t2\ttake\n2\t5\tpour\n")
    (tmp_path / "a.mp4").touch()
    code, out, err = keyseg("convert", tmp_path, tmp_path / "out", "--to", "srt")
    assert (code, out) == (0, f"{tmp_path / 'out' / 'tea.srt'}\n")
    ambiguous, other = err.splitlines()
    assert ambiguous.startswith(
        f"note: left out: {tmp_path / 'b.txt'}: it could be frames or audacity; choose with --from"
    )
    assert other == f"note: 1 other files in {tmp_path} are left out: a.mp4"


def test_another_rate_moves_edges_to_the_nearest_frame(vtt: Path, keyseg: Any, tmp_path: Path) -> None:
    assert keyseg("convert", vtt, tmp_path / "tea.json", "--fps", "30", "--frames", "150").code == 0
    content = json.loads((tmp_path / "tea.json").read_text())
    assert (content["fps"], content["frames"]) == ("30", 150)
    assert keyseg("convert", tmp_path / "tea.json", tmp_path / "tea.txt", "--fps", "2").code == 0
    assert (tmp_path / "tea.txt").read_text().split() == [*TXT, "background", "background", "background"]


@pytest.mark.parametrize("fmt", list(FORMATS))
def test_every_format_by_name(fmt: str, vtt: Path, keyseg: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert keyseg("convert", vtt, out, "--to", fmt, "--fps", "2").code == 0
    (written,) = out.iterdir()
    assert written.name == f"tea{FORMATS[fmt].suffix}"
    back = tmp_path / "back.txt"
    assert keyseg("convert", written, back, "--from", fmt, "--fps", "2").code == 0
    assert back.read_text().split() == TXT


def test_a_folder_of_files_into_a_folder_or_one_file(vtt: Path, keyseg: Any, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.txt").write_text("take\nbackground\npour\n")
    (folder / ".hidden.txt").write_text("x y\n")
    (folder / "a.mp4").touch()
    answer = keyseg("convert", folder, tmp_path / "out", "--to", "eaf", "--fps", "1")
    assert answer.code == 0
    assert answer.err == f"note: 1 other files in {folder} are left out: a.mp4\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.eaf", "b.eaf"]
    assert keyseg("convert", folder, tmp_path / "all.activitynet.json", "--fps", "1").code == 0
    content = json.loads((tmp_path / "all.activitynet.json").read_text())
    assert list(content["database"]) == ["a", "b"]
    assert keyseg("convert", tmp_path / "all.activitynet.json", tmp_path / "apart", "--to", "txt").code == 0
    assert (tmp_path / "apart" / "b.txt").read_text() == "take\nbackground\npour\n"


def test_several_videos_and_a_format_of_one_need_a_folder(keyseg: Any, tmp_path: Path) -> None:
    source = tmp_path / "all.rttm"
    source.write_text("".join(f"SPEAKER {name} 1 0 1 <NA> <NA> take <NA> <NA>\n" for name in "ab"))
    answer = keyseg("convert", source, tmp_path / "all.vtt")
    assert (answer.code, answer.err) == (
        2,
        "error: a file of vtt holds one video, and there are 2; name a folder as OUT\n",
    )
    assert keyseg("convert", source, tmp_path / "out", "--to", "vtt").code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.vtt", "b.vtt"]
    answer = keyseg("convert", source, tmp_path / "x.csv", "--fps", "2", "--frames", "9")
    assert (answer.code, answer.err.split(",")[0]) == (2, "error: --frames is the length of one video")
    assert keyseg("convert", source, tmp_path / "same").code == 0  # without --to the format stays the same
    assert sorted(path.name for path in (tmp_path / "same").iterdir()) == ["a.rttm", "b.rttm"]


def test_overlaps_and_tiers(keyseg: Any, tmp_path: Path) -> None:
    source = tmp_path / "a.srt"
    source.write_text("1\n00:00:00,000 --> 00:00:03,000\ntake\n\n2\n00:00:01,000 --> 00:00:02,000\npour\n")
    common = ("convert", source, tmp_path / "a.txt", "--fps", "1")
    answer = keyseg(*common)
    assert answer.code == 1
    assert answer.err.startswith("error: a: 'take' from 0 s to 3 s and 'pour' from 1 s to 2 s overlap")
    for overlap, expected in (("first", ["take"] * 3), ("last", ["take", "pour", "take"])):
        assert keyseg(*common, "--overlap", overlap, "--force").code == 0
        assert (tmp_path / "a.txt").read_text().split() == expected
    assert keyseg(*common, "--overlap", "both", "--force").code == 2
    answer = keyseg(*common, "--tier", "hands", "--force")
    assert (answer.code, answer.err) == (2, f"error: {source}: SRT has no tiers; leave out --tier\n")


def test_background_by_name(keyseg: Any, tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("SIL\ntake\nSIL\n")
    target = tmp_path / "a.labels.txt"
    assert keyseg("convert", source, target, "--fps", "1", "--background", "SIL").code == 0
    assert target.read_text() == "1.000000\t2.000000\ttake\n"
    assert keyseg("convert", source, target, "--fps", "1", "--force").code == 0
    assert target.read_text().count("SIL") == 2
    back = ("convert", target, tmp_path / "b.txt", "--fps", "1", "--frames", "4", "--background")
    assert keyseg(*back, "idle").err == "note: nothing is labelled 'idle'; gaps are called so\n"
    assert (tmp_path / "b.txt").read_text().split() == ["SIL", "take", "SIL", "idle"]
    answer = keyseg(*back, "none", "--force")
    assert answer.code == 1
    assert (
        "nothing is labelled from 3 s to 4 s (frames 3 to 4), and there is no background class to fill the gap"
        in answer.err
    )


def test_nothing_is_overwritten_and_nothing_half_written(vtt: Path, keyseg: Any, tmp_path: Path) -> None:
    target = tmp_path / "tea.srt"
    target.write_text("mine")
    answer = keyseg("convert", vtt, target)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {target} exists (1 such files); choose another OUT or use --force\n"
    assert target.read_text() == "mine"
    assert keyseg("convert", vtt, target, "--force").code == 0
    assert "take cup" in target.read_text()
    folder = tmp_path / "two"
    folder.mkdir()
    (folder / "a.vtt").write_text(VTT)
    (folder / "b.vtt").write_text(VTT.replace("03.500", "02.500"))
    answer = keyseg("convert", folder, tmp_path / "out", "--to", "srt")
    assert answer.code == 1
    assert f"{folder / 'b.vtt'}:6: 'pour' ends at 2.5 s, before it starts at 3 s" in answer.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.srt"]  # the other one


@pytest.mark.parametrize("video", ["..", "a/..", ".hidden", "a/.hidden", "a\\\\..", "a\\u0007b", " ", "/"])
def test_a_video_name_that_leads_elsewhere_is_refused(video: str, keyseg: Any, tmp_path: Path) -> None:
    source = tmp_path / "all.activitynet.json"
    source.write_text('{"database": {"%s": {"annotations": [{"segment": [0, 1], "label": "x"}]}}}' % video)  # noqa: UP031
    answer = keyseg("convert", source, tmp_path / "deep" / "out", "--to", "vtt")
    assert answer.code == 1
    assert "cannot be the name of a file: " in answer.err
    assert sorted(tmp_path.rglob("*.vtt")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "error: IN is missing, or has no value; see: keyseg convert --help"),
        (("tea.vtt",), 2, "error: OUT is missing, or has no value; see: keyseg convert --help"),
        (("tea.vtt", "x.doc"), 2, "x.doc: no format has this suffix; name the format with --to"),
        (("tea.vtt", "x.srt", "--to", "sub"), 2, "unknown format 'sub'"),
        (("tea.vtt", "x.srt", "--from", "vt"), 2, "unknown format 'vt' (did you mean 'vtt'?)"),
        (("tea.vtt", "x.srt", "--fps", "0"), 2, "error: --fps: a frame rate is a number such as 15 or 29.97, or a"),
        (("tea.vtt", "x.srt", "--fps", "fast"), 2, "above 0 and at most 100000; got 'fast'\n"),
        (("tea.vtt", "x.srt", "--frames", "0"), 2, 'error: Invalid value "0" for --frames. Must be >= 1.'),
        (("tea.vtt", "x.srt", "--model", "bcn"), 2, "error: Unknown option: --model"),
        (("absent.vtt", "x.srt"), 1, "absent.vtt: cannot read it (no such file)"),
        (("empty", "x.srt"), 1, "empty: no file here that is of a known format; it holds nothing"),
        (("none.rttm", "x.csv"), 1, "none.rttm: no video with annotations in it"),
        (("mixed", "out"), 2, "the files have several formats (srt, vtt); choose one to write with --to"),
        (
            ("mixed", "out", "--to", "eaf"),
            1,
            "would have the same file; rename a video",
        ),
        (("tea.vtt", "x.txt", "--fps", "2", "--frames", "3"), 1, "ends after the video, which has 3 frames"),
    ],
)
def test_wrong_usage_is_reported(
    arguments: tuple[str, ...], code: int, words: str, vtt: Path, keyseg: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.rttm").touch()
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "tea.vtt").write_text(VTT)
    (tmp_path / "mixed" / "tea.srt").write_text("")
    answer = keyseg("convert", *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert words in answer.err
    assert not list(tmp_path.glob("x*"))


def test_a_missing_extra_is_reported_with_the_command_that_installs_it(
    vtt: Path, keyseg: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    for name in ("x.otio", "x.edl"):
        answer = keyseg("convert", vtt, tmp_path / name, "--fps", "25")
        assert answer.code == ConfigError.exit_code
        assert 'which is not installed; run: pip install "keyseg[formats]"' in answer.err


def test_help_names_every_format(keyseg: Any) -> None:
    words = keyseg("convert", "--help").out.replace(",", " ").split()
    assert set(FORMATS) <= set(words)


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_options_that_a_format_uses_are_those_that_its_reader_asks_for(fmt: str) -> None:
    source = inspect.getsource(inspect.getmodule(getattr(FORMATS[fmt].read, "func", FORMATS[fmt].read)) or conversion)
    if "boris_observation import" in source:
        source += inspect.getsource(boris_observation)
    values: dict[str, Any] = {"tier": ("a",), "per_subject": True, "points": 1, "start_timecode": "0", "lenient": True}
    also = {"points": ("checked(", "point_intervals("), "lenient": ("checked(",)}
    for name, value in values.items():
        uses = any(sign in source for sign in (f"settings.{name}", *also.get(name, ())))
        options = replace(AnnotationOptions(), **{name: value})
        assert unused_options([fmt], options) == ([] if uses else [f"--{name.replace('_', '-')}"])


def test_options_that_change_nothing_are_reported(keyseg: Any, tmp_path: Path) -> None:
    source = tmp_path / "day1.vtt"
    source.write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nred\n")
    words = ("--lenient", "--points", "drop", "--per-subject", "--start-timecode", "01:00:00:00")
    answer = keyseg("convert", source, tmp_path / "a.srt", *words)
    assert answer.err == "note: --per-subject, --points, --start-timecode, --lenient: of no use with vtt\n"
    table = tmp_path / "day1.csv"
    table.write_text("start_seconds,end_seconds,label\n0,1,red\n")
    assert keyseg("convert", table, tmp_path / "b.srt", *words[:3]).err == ""


@pytest.mark.parametrize("spelled", ["v/day 1.mp4", "{folder}/v/day 1.mp4", "{uri}"])
@pytest.mark.parametrize("fmt", ["boris", "boris-project", "eaf", "otio"])
def test_a_converted_file_links_the_video_from_where_it_lies(
    fmt: str, spelled: str, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The video is named as seen from the source, and the target and the current folder are others."""
    if fmt == "otio":
        pytest.importorskip("opentimelineio")
    video = tmp_path / "tables" / "v" / "day 1.mp4"
    video.parent.mkdir(parents=True)
    video.touch()
    media = spelled.format(folder=video.parents[1].as_posix(), uri=video.as_uri())
    table = tmp_path / "tables" / "all.csv"
    table.write_text(f"video,start_seconds,end_seconds,label\n{media},1,2,take\n")
    monkeypatch.chdir(tmp_path)
    assert keyseg("convert", "tables/all.csv", "made/deep", "--to", fmt, "--fps", 10).code == 0
    (written,) = (tmp_path / "made" / "deep").iterdir()
    (found,) = read_annotations(written)
    assert (found.video, Path(found.media)) == ("day 1", video)
