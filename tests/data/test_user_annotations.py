"""Which annotation belongs to which video: names, folders, Unicode forms, tracks."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from time import process_time

import pytest

from keyseg.data.user_annotations import Pair, UserAnnotation, VideoNames, pair, read_groups, read_user_annotations
from keyseg.formats import AS_IT_IS, AnnotationOptions
from keyseg.formats.conversion import convert
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.video.find_videos import find_videos, one_a_name


def files(root: Path, *names: str) -> list[Path]:
    """Empty files; only their names count here."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [root / name for name in names]


def matched(
    root: Path, videos: Iterable[str], table: str, notes: list[str] | None = None
) -> dict[str, tuple[str, str]]:
    """The video, below root, and the label of each timeline, where `table` has lines of a video and a label."""
    rows = "".join(f"{line.rpartition(' ')[0]},0,1,{line.rpartition(' ')[2]}\n" for line in table.split("\n"))
    (root / "table.csv").write_text(f"video,start_seconds,end_seconds,label\n{rows}", encoding="utf-8")
    report = (notes if notes is not None else []).append
    names = VideoNames(files(root, *videos))
    users = read_user_annotations([root / "table.csv"], names, None, AS_IT_IS, Fraction(10), report)
    return {
        name: (names.files[one.video].relative_to(root).as_posix(), "+".join(one.user.annotation.labels))
        for name, one in pair(names, users, report).items()
    }


TWO_FOLDERS = "P01/cam1.mp4 red\nP02/cam1.mp4 blue\nP01/cam2.mp4 lime"


def test_rows_of_one_file_name_go_to_the_video_in_their_folder(tmp_path: Path) -> None:
    notes: list[str] = []
    videos = ("v/P01/cam1.mp4", "v/P01/cam2.mp4")
    assert matched(tmp_path, videos, TWO_FOLDERS, notes) == {
        "cam1": ("v/P01/cam1.mp4", "red"),
        "cam2": ("v/P01/cam2.mp4", "lime"),
    }
    assert notes == ["left out, 1 annotations have no video: P02/cam1.mp4"]


def test_two_videos_of_one_name_are_called_by_their_folders(tmp_path: Path) -> None:
    assert matched(tmp_path, ("P01/cam1.mp4", "P02/cam1.mp4", "P01/cam2.mp4"), TWO_FOLDERS) == {
        "P01_cam1": ("P01/cam1.mp4", "red"),
        "P02_cam1": ("P02/cam1.mp4", "blue"),
        "cam2": ("P01/cam2.mp4", "lime"),
    }
    assert matched(tmp_path, ("P1/raw/c.mp4", "P2/raw/c.mp4"), "P2/raw/c red\nP1/raw/c blue") == {
        "P1_raw_c": ("P1/raw/c.mp4", "blue"),
        "P2_raw_c": ("P2/raw/c.mp4", "red"),
    }
    # By those names, by paths of Windows, by addresses, and where the last folder is the same.
    for one, two in (("P01_cam1", "P02_cam1.mp4"), (r"D:\x\P01\cam1.avi", r"D:\x\P02\cam1.avi")):
        assert set(matched(tmp_path, ("P01/cam1.mp4", "P02/cam1.mp4"), f"{one} red\n{two} blue").values()) == {
            ("P01/cam1.mp4", "red"),
            ("P02/cam1.mp4", "blue"),
        }
    table = "http://host/a%20b/raw/c.mp4?x=1 red\nfile:///data/d/raw/c.mp4 blue"
    assert set(matched(tmp_path, ("e/a b/c.mp4", "e/d/c.mp4"), table.replace("/raw", "")).values()) == {
        ("e/a b/c.mp4", "red"),
        ("e/d/c.mp4", "blue"),
    }


@pytest.mark.parametrize(
    ("videos", "table", "message"),
    [
        (("v/cam1.mp4", "v/cam2.mp4"), TWO_FOLDERS, "'P01/cam1.mp4' in {0} and 'P02/cam1.mp4' in {0} may both be of"),
        (("P01/cam1.mp4", "P02/cam1.mp4"), "cam1 red\nb blue", "'cam1' may be {1}/P01/cam1.mp4 or {1}/P02/cam1.mp4"),
        (("P01/cam1.mp4", "P02/cam1.mp4"), "x/cam1 red\nb blue", "'x/cam1' may be {1}/P01/cam1.mp4 or"),
        (("P1/x/c.mp4", "P2/x/c.mp4"), "P1/y/c red\nb blue", "'P1/y/c' may be {1}/P1/x/c.mp4 or {1}/P2/x/c.mp4"),
        (("a.mp4", "a.mp4.mp4"), "a.mp4 red\nb blue", "'a.mp4' may be {1}/a.mp4 or {1}/a.mp4.mp4"),
        (("a.mp4", "b.mp4"), "a.mp4 red\na.avi blue", "{0}: the video 'a' is in it twice, as 'a.mp4' and 'a.avi'"),
        (("a.mp4", "b.mp4"), "a.mp4 red\nP/a.mp4 blue", "'a.mp4' and 'P/a.mp4' may be the same video"),
    ],
)
def test_what_cannot_be_told_is_an_error_that_names_both(
    videos: tuple[str, ...], table: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as error:
        matched(tmp_path, videos, table)
    assert message.format(tmp_path / "table.csv", tmp_path.as_posix()) in str(error.value).replace("\\", "/")


def test_a_video_that_has_moved_is_found_and_noted(tmp_path: Path) -> None:
    """Of one name there is one video, so it is the one, but the folders of others show that it may not be."""
    notes: list[str] = []
    table = "P01/a.mp4 red\nP02/b.mp4 blue"
    assert matched(tmp_path, ("P01/a.mp4", "P01/b.mp4"), table, notes)["b"] == ("P01/b.mp4", "blue")
    taken = f"'P02/b.mp4' in {tmp_path / 'table.csv'} is taken to be {tmp_path / 'P01' / 'b.mp4'}"
    assert notes == [f"{taken}, the only video of this name; leave it out if it is another"]
    notes.clear()
    matched(tmp_path, ("v/a.mp4", "v/b.mp4"), table, notes)  # all of them have moved
    assert notes == []


def test_two_files_of_one_video_are_an_error_even_where_one_names_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("video,start_seconds,end_seconds,label\nP1/c.mp4,0,1,red\nd,0,1,red\n")
    (tmp_path / "c.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nblue\n")
    names = VideoNames(files(tmp_path, "P1/c.mp4", "P1/d.mp4"))
    paths = [tmp_path / "a.csv", tmp_path / "c.vtt"]
    with pytest.raises(DataError) as error:
        pair(names, read_user_annotations(paths, names, None, AS_IT_IS, Fraction(10), print), print)
    assert f"'P1/c.mp4' in {paths[0]} and 'c' in {paths[1]} may both be of " in str(error.value)
    # The same file twice is one.
    users = read_user_annotations(
        [paths[0], tmp_path / "P1" / ".." / "a.csv"], names, None, AS_IT_IS, Fraction(1), print
    )
    assert list(pair(names, users, print)) == ["c", "d"]


def test_a_file_that_links_a_video_of_another_name(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "P1/c.mp4", "P2/c.mp4", "d.mp4"))
    users = [
        of("monday", "", media=r"E:\P2\c.mp4"),
        of("tuesday", "", media="file:///P1/c.mp4"),
        of("d", "", media="e.mp4"),
    ]
    found = {name: one.user.annotation.video for name, one in pair(names, users, print).items()}
    assert found == {"P1_c": "tuesday", "P2_c": "monday", "d": "d"}  # by its own name, where the link is not there
    users[2] = of("d", "", media="P1/c.mp4")
    with pytest.raises(DataError, match=r"'d' in .* is called like .*d\.mp4, but its video is .*c\.mp4; rename it"):
        pair(names, users, print)


def test_files_beside_their_videos_or_in_folders_of_the_same_names(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "videos/P01/cam1.mp4", "videos/P02/cam1.mp4"))
    for folder in ("annotations", "videos"):
        labels = files(tmp_path, f"{folder}/P01/cam1.vtt", f"{folder}/P02/cam1.vtt")
        for path in labels:
            path.write_text(f"WEBVTT\n\n00:00.000 --> 00:01.000\n{path.parent.name}\n")
        users = read_user_annotations(labels, names, None, AS_IT_IS, Fraction(10), print)
        found = {name: one.user.annotation.labels for name, one in pair(names, users, print).items()}
        assert found == {"P01_cam1": ("P01",), "P02_cam1": ("P02",)}
    names = VideoNames(files(tmp_path, "videos/P01/cam1.mp4", "videos/P01/cam2.mp4"))
    with pytest.raises(DataError, match="may both be of"):
        pair(names, users, print)


@pytest.mark.parametrize(
    "name",
    ["day1.1", "day1.2", "a.b", "my day", "1day", "clip.txt", "x.mp4", "20240131-cam", "Größe", "v1.eaf", "a+b%20"],
)
@pytest.mark.parametrize("spelled", ["{}", "{}.mp4", "{}.MOV", "P01/{}.mp4", r"C:\P01\{}.mp4", "./{}"])
def test_a_name_is_the_same_in_a_table_and_as_a_file(name: str, spelled: str, tmp_path: Path) -> None:
    found = matched(tmp_path, (f"{name}.mp4", "other.mp4"), f"{spelled.format(name)} red\nother blue")
    assert found == {name: (f"{name}.mp4", "red"), "other": ("other.mp4", "blue")}


def test_two_observations_of_one_video_are_an_error_that_says_why(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "a.mp4", "b.mp4"))
    users = [of("monday", "", media="x/a.mp4"), of("tuesday", "", media="x/a.mp4"), of("b", "", media="x/b.mp4")]
    with pytest.raises(DataError, match=r"'monday' and 'tuesday' in .* are both of .*a\.mp4; keep one of them, or sep"):
        pair(names, users, print)


def test_tracks_in_files_of_their_own(tmp_path: Path) -> None:
    """As keyseg convert --per-subject writes them."""
    paths = files(tmp_path, "v/a.mp4", "v/b.mp4")
    header = "Observation id,Source,Subject,Behavior,Start (s),Stop (s)\n"
    rows = [f"{name},player #1:v/{name}.mp4,rat {rat},run,{rat},3\n" for name in "ab" for rat in (1, 2)]
    (tmp_path / "all.boris.csv").write_text(header + "".join(rows))
    by_subject = AnnotationOptions(per_subject=True)
    convert(tmp_path / "all.boris.csv", tmp_path / "e", to_format="eaf", options=by_subject)
    names = VideoNames(paths)
    for options in (AS_IT_IS, by_subject):
        users = read_user_annotations([tmp_path / "e"], names, None, options, Fraction(10), print)
        pairs = pair(names, users, print)
        assert {name: (one.video, rat_of(one)) for name, one in pairs.items()} == {
            f"{name}.rat {rat}": (name, rat) for name in "ab" for rat in (1, 2)
        }


def rat_of(one: Pair) -> int:
    return int(one.user.annotation.intervals[0].start_seconds)


def test_unicode_forms_and_case_make_no_difference(tmp_path: Path) -> None:
    found = matched(tmp_path, ("cafe\u0301.mp4", "Day1.MP4"), "caf\u00e9 red\nday1.mp4 blue")
    assert found == {"Day1": ("Day1.MP4", "blue"), "caf\u00e9": ("cafe\u0301.mp4", "red")}
    found = matched(tmp_path, ("a.mp4", "Caf\u00e9.mp4"), "cafe\u0301 red\ncaf\u00e9 blue\na x")
    assert found["Caf\u00e9"] == ("Caf\u00e9.mp4", "blue+red")
    found = matched(tmp_path, ("cafe\u0301/c.mp4", "tea/c.mp4"), "CAF\u00c9/c.mp4 red\ntea/c.mp4 blue")
    assert found["caf\u00e9_c"] == ("cafe\u0301/c.mp4", "red")
    with pytest.raises(DataError, match="would both be called"):
        VideoNames(files(tmp_path, "1/cafe\u0301.mp4", "1/caf\u00e9.mkv"))


@pytest.mark.parametrize("other", ["day1.mp4", "Day1.avi", "Day1.mp4"])
def test_videos_that_would_be_one_file_elsewhere_are_refused(other: str, tmp_path: Path) -> None:
    first = files(tmp_path, "Day1.mkv")[0]
    with pytest.raises(DataError, match="would both be called"):
        VideoNames([first, tmp_path / other])
    folder = tmp_path / "P"
    with pytest.raises(DataError, match="would both be called"):
        one_a_name(find_videos([first, *files(folder, other)]))
    assert one_a_name(find_videos([tmp_path, first])) == [first]  # the same file twice is one


def of(video: str, track: str, media: str = "") -> UserAnnotation:
    annotation = Annotation(video, (Interval(Fraction(0), Fraction(1), "x"),), media=media, track=track)
    return UserAnnotation(annotation, Path("all.csv"))


def test_tracks_are_timelines_of_one_video(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "a.mp4", "b.mp4"))
    users = [of("a", "rat 2"), of("b", ""), of("a", "rat 1"), of("c", "rat 1")]
    assert {name: one.video for name, one in pair(names, users, print).items()} == {
        "a.rat 1": "a",
        "a.rat 2": "a",
        "b": "b",
    }


@pytest.mark.parametrize(
    ("videos", "users", "message"),
    [
        (
            ("a.mp4", "b.mp4"),
            [of("a", "m/f"), of("b", "")],
            "all.csv: 'a.m/f' cannot be the name of a file; rename 'm/f'",
        ),
        (("a.mp4", "b.mp4"), [of("a", "x\\..\\y"), of("b", "")], "cannot be the name of a file"),
        (("a.mp4", "a.x.mp4"), [of("a", "x"), of("a.x", "")], "both hold a timeline that would be called a.x"),
        (("a.mp4", "b.mp4"), [of("a", "Tom"), of("a", "tom"), of("b", "")], "would be called a.tom"),
    ],
)
def test_tracks_that_cannot_be_files(
    videos: tuple[str, ...], users: list[UserAnnotation], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as error:
        pair(VideoNames(files(tmp_path, *videos)), users, print)
    assert message in str(error.value)


def test_groups_name_videos_as_annotations_do(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "P01/c.mp4", "P02/c.mp4", "cafe\u0301.mp4"))
    table = tmp_path / "groups.csv"
    table.write_text("video,group\nP01/c.mp4,ann\nP02\\c.mp4,bob\nCAF\u00c9.mp4,zoe\nelse,x\n", encoding="utf-8")
    assert read_groups(table, names, names.files) == {"P01_c": "ann", "P02_c": "bob", "caf\u00e9": "zoe"}
    table.write_text("video,group\nc.mp4,ann\n")
    with pytest.raises(DataError, match=r"groups.csv:2: 'c.mp4' may be "):
        read_groups(table, names, names.files)


def test_groups_of_thousands_of_rows_and_columns_are_read_in_no_time(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "c.mp4", "d.mp4"))
    table = tmp_path / "groups.csv"
    columns = ",".join(f"c{at}" for at in range(10_000))
    table.write_text(f"group,video,{columns}\nann,d.mp4\n\n" + "bob,c.mp4\n" * 50_000)
    before = process_time()
    assert read_groups(table, names, names.files) == {"c": "bob", "d": "ann"}
    table.write_text("video,group\nc.mp4\n")
    with pytest.raises(DataError, match=r"groups.csv:2: expected a video and its group, got 'c.mp4', ''"):
        read_groups(table, names, names.files)
    assert process_time() - before < 4


def test_what_a_folder_leaves_out_has_a_reason(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "v/day1.mp4", "v/day2.mp4"))
    folder = files(tmp_path, "a/readme.md", "a/day1.vtt")[0].parent
    (folder / "day1.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nred\n")
    table = "video,start_seconds,end_seconds,label\nday2,0,1,rühren\n"
    (folder / "all.csv").write_bytes(table.encode("cp1252"))
    notes: list[str] = []
    users = read_user_annotations([folder], names, None, AS_IT_IS, Fraction(10), notes.append)
    assert [user.file.name for user in users] == ["day1.vtt"]
    assert notes[0].startswith(f"left out: {folder / 'all.csv'}:2: ")
    assert "--encoding" in notes[0]
    assert notes[1:] == ["no annotations, left out: readme.md"]


def test_files_named_after_a_video_are_left_out_only_if_it_has_others(tmp_path: Path) -> None:
    """Whether their format is unknown, or known by a suffix of two parts and damaged."""
    names = VideoNames(files(tmp_path, "v/day1.mp4", "v/day2.mp4", "v/day3.mp4"))
    folder = files(tmp_path, "a/day1.vtt")[0].parent
    (folder / "day1.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nred\n")
    for name, content in (("day1.csv", "x,y,z\n1,2,3\n"), ("notes.txt", "to do: day 2"), ("readme.md", "")):
        (folder / name).write_text(content)
    notes: list[str] = []
    users = read_user_annotations([folder], names, None, AS_IT_IS, Fraction(10), notes.append)
    assert [user.file.name for user in users] == ["day1.vtt"]
    unknown = [note for note in notes if note.startswith("left out: ")]
    assert [Path(note.split(": ")[1]).name for note in unknown] == ["day1.csv", "notes.txt"]
    assert set(notes) - set(unknown) == {"no annotations, left out: readme.md"}
    (folder / "day2.txt").write_text("0\t2\ttake\n2\t5\tpour\n")
    (folder / "day3.activitynet.json").write_text("{} {}")
    with pytest.raises(DataError) as error:
        read_user_annotations([folder], names, None, AS_IT_IS, Fraction(10), notes.append)
    first, *reasons = str(error.value).splitlines()
    assert first == "2 inputs failed"
    assert "day3.activitynet.json:1: not JSON" in reasons[0]
    assert "day2.txt: it could be frames or audacity; " in reasons[1]
    assert reasons[1].endswith("; or move it elsewhere if it is no annotation")


def test_a_rate_that_files_need_is_said_once(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "v/day1.mp4", "v/day2.mp4", "v/day3.mp4", "v/day4.mp4"))
    events = "001  AX  V  C  00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n* FROM CLIP NAME: red\n"
    for name in ("day1", "day2"):
        (tmp_path / f"{name}.edl").write_text(events)
    (tmp_path / "day3.txt").write_text("red\n" * 30)  # its length is compared with that of the video
    (tmp_path / "day4.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nred\n")
    notes: list[str] = []
    paths = sorted(tmp_path.glob("day*.*"))
    users = read_user_annotations(paths, names, None, AS_IT_IS, Fraction(25), notes.append)
    assert [float(user.annotation.intervals[0].end_seconds) for user in users] == [1, 1, 1.2, 1]
    assert notes == ["no frame rate in day1.edl, day2.edl; frames are counted at 25 per second, see --fps"]


def test_an_option_that_no_file_uses_is_reported_once(tmp_path: Path) -> None:
    names = VideoNames(files(tmp_path, "v/day1.mp4", "v/day2.mp4"))
    for name in ("day1", "day2"):
        (tmp_path / f"{name}.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nred\n")
    notes: list[str] = []
    options = AnnotationOptions(lenient=True, points=3)
    read_user_annotations([tmp_path], names, None, options, Fraction(25), notes.append)
    assert notes == ["--points, --lenient: of no use with vtt"]
    (tmp_path / "more.csv").write_text("video,start_seconds,end_seconds,label\nday3,0,1,red\n")
    notes.clear()
    read_user_annotations([tmp_path], names, None, options, Fraction(25), notes.append)
    assert notes == []
