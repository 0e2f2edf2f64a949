"""NWB 2: the table and the column of labels, tags, behavioural epochs, times of the linked video, other files, damage.

The files are laid out as pynwb 4.2 writes them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.formats import AnnotationOptions, WriteSettings, annotations_text, read_annotations
from keyseg.formats.conversion import convert
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, ConfigError, DataError, Interval
from keyseg.timeline.files import write_content

h5py = pytest.importorskip("h5py")
Columns = dict[str, Any]


def file(folder: Path, *fills: Callable[[Any], None], name: str = "day1.nwb") -> Path:
    path = folder / name
    with h5py.File(path, "w") as content:
        content.attrs["neurodata_type"] = "NWBFile"
        for fill in fills:
            fill(content)
    return path


def table(place: str, **columns: Any) -> Callable[[Any], None]:
    """A table with two rows, unless `columns` has other times."""
    columns = {"id": [0, 1], "start_time": [1.0, 3.0], "stop_time": [2.5, 4.0], **columns}

    def fill(content: Any) -> None:
        group = content.create_group(place)
        group.attrs["neurodata_type"] = "TimeIntervals"
        for name, values in columns.items():
            group[name] = values

    return fill


def series(place: str, data: list[int], timestamps: list[float]) -> Callable[[Any], None]:
    def fill(content: Any) -> None:
        group = content.create_group(f"processing/behavior/{place}")
        group.attrs["neurodata_type"] = "IntervalSeries"
        group["data"], group["timestamps"] = data, timestamps

    return fill


def film(name: str, start: float, *videos: str, irregular: bool = False) -> Callable[[Any], None]:
    def fill(content: Any) -> None:
        group = content.create_group(f"acquisition/{name}")
        group["external_file"] = list(videos)
        if irregular:
            group["timestamps"] = [start, start + 0.04, start + 0.09]
        else:
            group["starting_time"] = start
            group["starting_time"].attrs["rate"] = 25.0

    return fill


def spans(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def one(path: Path, *tiers: str, **options: Any) -> list[tuple[float, float, str]]:
    (found,) = read_annotations(path, options=AnnotationOptions(tier=tiers, **options))
    return spans(found)


BEHAVIORS = table("intervals/behaviors", behavior=["walk", "Drehung nach außen"])
TRIALS = table("intervals/trials", stimulus=["tone", "light"], outcome=["hit", "miss"], side=[0, 1])


def test_the_only_table_with_intervals_is_read(tmp_path: Path) -> None:
    nothing = table("intervals/epochs", start_time=[], stop_time=[], id=[], tags=np.array([], "S1"))
    path = file(tmp_path, BEHAVIORS, nothing)
    assert format_of(path) == "nwb"
    other = file(tmp_path, BEHAVIORS, nothing, name="day1.hdf5")
    with pytest.raises(DataError, match=r"it could be .*--from nwb"):  # by its first bytes
        format_of(other)
    (found,) = read_annotations(other, "nwb")
    assert found == read_annotations(path)[0]
    assert (found.video, found.media, found.fps) == ("day1", "", None)
    assert spans(found) == [(1, 2.5, "walk"), (3, 4, "Drehung nach außen")]
    assert one(path, "epochs") == []
    assert one(file(tmp_path, nothing)) == []


def test_one_of_several_tables_is_chosen(tmp_path: Path) -> None:
    path = file(tmp_path, BEHAVIORS, TRIALS, table("processing/behavior/trials", label=["a", "b"]))
    tables = "several tables: 'behaviors', 'trials', '/processing/behavior/trials'; choose one with --tier"
    with pytest.raises(ConfigError, match=tables):
        one(path)
    with pytest.raises(ConfigError, match="no table 'trails' \\(did you mean 'trials'\\?\\)"):
        one(path, "trails")
    assert one(path, "none", "behaviors", "trials:outcome") == [(1, 2.5, "walk"), (3, 4, "Drehung nach außen")]
    assert one(path, "/processing/behavior/trials") == [(1, 2.5, "a"), (3, 4, "b")]


def test_the_column_of_labels_is_named_or_known_or_the_only_one(tmp_path: Path) -> None:
    path = file(tmp_path, TRIALS)
    columns = (
        "day1.nwb: /intervals/trials: several columns of text: 'outcome', 'stimulus'; choose one with --tier trials"
    )
    with pytest.raises(ConfigError, match=columns):
        one(path)
    assert one(path, "trials:outcome") == [(1, 2.5, "hit"), (3, 4, "miss")]
    with pytest.raises(DataError, match="side is not text"):
        one(path, "trials:side")
    with pytest.raises(DataError, match="no data set no in it"):
        one(path, "trials:no")
    with pytest.raises(DataError, match="no column of text, so nothing is labelled"):
        one(file(tmp_path, table("intervals/trials", label=[0, 1])))
    known = file(tmp_path, table("intervals/trials", tags=["a", "b"], note=["x", "y"], behaviour=["c", "d"]))
    assert one(known) == [(1, 2.5, "c"), (3, 4, "d")]
    assert one(file(tmp_path, table("intervals/trials", syllable=["e", "f"], number=[1, 2]))) == [
        *[(1, 2.5, "e"), (3, 4, "f")],
    ]


def test_a_row_with_several_tags_is_several_intervals(tmp_path: Path) -> None:
    path = file(tmp_path, table("intervals/epochs", tags=["rear", "fast", "groom"], tags_index=[2, 3]))
    assert one(path) == [(1, 2.5, "fast"), (1, 2.5, "rear"), (3, 4, "groom")]
    without = file(tmp_path, table("intervals/epochs", tags=["rear"], tags_index=[0, 1]))
    with pytest.raises(DataError, match=r"/intervals/epochs\[0\]: expected a label for 1 s to 2.5 s"):
        one(without)
    assert one(without, lenient=True) == [(3, 4, "rear")]


@pytest.mark.parametrize("ends", [[1, 2], [2, 1], [1, 4], [3], [-1, 3]])
def test_an_index_that_does_not_fit_is_an_error(ends: list[int], tmp_path: Path) -> None:
    with pytest.raises(DataError):
        one(file(tmp_path, table("intervals/epochs", tags=["rear", "fast", "groom"], tags_index=ends)))


def test_times_of_single_precision_are_the_decimals_that_they_show(tmp_path: Path) -> None:
    start, end = np.array([0.1, 12.43], "f4"), np.array([0.7, 18.97], "f4")
    (found,) = read_annotations(file(tmp_path, table("intervals/a", start_time=start, stop_time=end, label=["a", "b"])))
    assert found.intervals == (
        Interval(Fraction("0.1"), Fraction("0.7"), "a"),
        Interval(Fraction("12.43"), Fraction("18.97"), "b"),
    )


def test_behavioural_epochs_are_labelled_by_their_series(tmp_path: Path) -> None:
    path = file(tmp_path, series("Epochs/groom", [1, -1, 1, -1], [0, 1, 2, 3]), series("Epochs/rear", [1, -1], [1, 2]))
    assert one(path) == [(0, 1, "groom"), (1, 2, "rear"), (2, 3, "groom")]
    assert one(path, "Epochs") == one(path)
    kinds = file(tmp_path, series("licks", [1, 2, -1, -2], [0, 1, 2, 3]))
    assert one(kinds, "behavior") == [(0, 2, "licks 1"), (1, 3, "licks 2")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([1, 1, -1], r"licks\[1\]: expected the end of an interval, got 1"),
        ([-1, 1, -1], r"licks\[0\]: expected the start of an interval, got -1"),
        ([1, -1, 0], r"licks\[2\]: expected the start of an interval, got 0"),
        ([1, -1, 1], "licks: the interval that starts at 4 s has no end"),
        ([1, -1], r"licks: expected columns of one length, got \[2, 3\]"),
    ],
)
def test_behavioural_epochs_that_do_not_pair_are_an_error(data: list[int], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        one(file(tmp_path, series("licks", data, [0.0, 2.0, 4.0])))


def test_times_are_those_of_the_linked_video(tmp_path: Path) -> None:
    notes: list[str] = []
    (found,) = read_annotations(file(tmp_path, BEHAVIORS, film("cam", 0.5, "./cam/rat 1.mp4")), note=notes.append)
    assert (found.video, found.media) == ("rat 1", "./cam/rat 1.mp4")
    assert spans(found) == [(0.5, 2, "walk"), (2.5, 3.5, "Drehung nach außen")]
    assert [note.partition("nwb: ")[2] for note in notes] == [
        "times are those of the video, which starts 0.5 s after the session"
    ]
    (tmp_path / "cam").mkdir()
    (tmp_path / "cam" / "rat 1.mp4").touch()
    (found,) = read_annotations(tmp_path / "day1.nwb")
    assert Path(found.media) == tmp_path / "cam" / "rat 1.mp4"


def test_a_video_that_starts_with_the_session_needs_no_note(tmp_path: Path) -> None:
    notes: list[str] = []
    (found,) = read_annotations(file(tmp_path, BEHAVIORS, film("cam", 0, "rat.mp4")), note=notes.append)
    assert (found.video, spans(found)[0], notes) == ("rat", (1, 2.5, "walk"), [])


def test_of_pictures_with_times_the_first_counts(tmp_path: Path) -> None:
    notes: list[str] = []
    path = file(tmp_path, BEHAVIORS, film("cam", 0.25, "rat.mp4", irregular=True))
    (found,) = read_annotations(path, note=notes.append)
    assert spans(found)[0] == (0.75, 2.25, "walk")
    assert "of the times of the pictures of /acquisition/cam only the first is used" in notes[0]


def test_several_videos_give_the_start_only_if_they_have_one(tmp_path: Path) -> None:
    same = file(tmp_path, BEHAVIORS, film("a", 0.5, "a.mp4"), film("b", 0.5, "b.mp4", "c.mp4"))
    (found,) = read_annotations(same)
    assert (found.video, found.media, spans(found)[0]) == ("day1", "", (0.5, 2, "walk"))
    notes: list[str] = []
    other = file(tmp_path, BEHAVIORS, film("a", 0.5, "a.mp4"), film("b", 0, "b.mp4"))
    (found,) = read_annotations(other, note=notes.append)
    assert (found.video, spans(found)[0]) == ("day1", (1, 2.5, "walk"))
    assert "its videos start at different times; times are those of the session" in notes[0]


def test_what_is_before_the_video_is_an_error_or_cut(tmp_path: Path) -> None:
    path = file(tmp_path, BEHAVIORS, film("cam", 2, "rat.mp4"))
    with pytest.raises(DataError, match=r"/intervals/behaviors\[0\]: 'walk' starts at -1 s, before the video"):
        one(path)
    assert one(path, lenient=True)[0] == (0, 0.5, "walk")


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 1e300])
def test_times_that_are_none_are_an_error_with_their_row(time: float, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"day1\.nwb: /intervals/a\[1\]: expected a"):
        one(file(tmp_path, table("intervals/a", stop_time=[2.5, time], label=["a", "b"])))
    with pytest.raises(DataError, match=r"/intervals/a\[0\]: expected a number"):
        one(file(tmp_path, table("intervals/a", stop_time=["2.5", "soon"], label=["a", "b"])))


@pytest.mark.parametrize(("column", "length"), [("label", 1), ("label", 3), ("stop_time", 1)])
def test_columns_of_other_lengths_are_an_error(column: str, length: int, tmp_path: Path) -> None:
    values = {"label": ["a", "b"], column: ["5"] * length}
    with pytest.raises(DataError, match="/intervals/a: expected columns of one length, got"):
        one(file(tmp_path, table("intervals/a", **values)))


def test_other_files_are_not_read(tmp_path: Path) -> None:
    secret = file(tmp_path, BEHAVIORS, name="secret.nwb")

    def links(content: Any) -> None:
        content["intervals/other"] = h5py.ExternalLink(str(secret), "/intervals/behaviors")

    notes: list[str] = []
    path = file(tmp_path, links, table("intervals/own", label=["a", "b"]))
    (found,) = read_annotations(path, note=notes.append)
    assert (found.labels, len(notes)) == (("a", "b"), 1)
    assert f"other of /intervals is in another file, {secret}, and is left out" in notes[0]
    with pytest.raises(ConfigError, match="no table 'other'"):
        one(path, "other")
    with pytest.raises(DataError, match="no intervals in it"):
        one(file(tmp_path, links))


@pytest.mark.parametrize("column", ["start_time", "behavior"])
@pytest.mark.parametrize("way", ["external", "through", "storage", "virtual"])
def test_columns_of_other_files_are_refused(way: str, column: str, tmp_path: Path) -> None:
    secret, place = file(tmp_path, BEHAVIORS, name="secret.nwb"), f"/intervals/behaviors/{column}"

    def link(content: Any) -> None:
        kind = content[place].dtype
        del content[place]
        if way == "external":
            content[place] = h5py.ExternalLink(str(secret), place)
        elif way == "through":
            content["elsewhere"] = h5py.ExternalLink(str(secret), "/")
            content[place] = h5py.SoftLink(f"/elsewhere{place}")
        elif way == "storage":
            content.create_dataset(place, (2,), "S8", external=[(str(secret), 0, 16)])
        else:
            layout = h5py.VirtualLayout((2,), kind)
            layout[:] = h5py.VirtualSource(str(secret), place, (2,))
            content.create_virtual_dataset(place, layout)

    path = file(tmp_path, BEHAVIORS, link)
    tier = "behaviors:behavior"
    with pytest.raises(DataError, match=r"another file|no data set"):
        one(path, tier)


def test_a_large_shape_without_content_takes_no_memory(tmp_path: Path) -> None:
    def empty(content: Any) -> None:
        for name in ("start_time", "stop_time"):
            content.create_dataset(f"intervals/a/{name}", (10**12,), "f4", chunks=True)
        content["intervals/a/label"] = ["x"]

    with pytest.raises(DataError, match="expected one value per row, got the shape"):
        one(file(tmp_path, empty))


def test_groups_in_themselves_end(tmp_path: Path) -> None:
    def loop(content: Any) -> None:
        content["intervals/behaviors/again"] = content["intervals"]

    assert len(one(file(tmp_path, BEHAVIORS, loop))) == 2


def test_what_is_no_nwb_is_said(tmp_path: Path) -> None:
    path = tmp_path / "day1.nwb"
    for content in (b"", b"\x89HDF\r\n\x1a\n", file(tmp_path, BEHAVIORS).read_bytes()[:900]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"day1\.nwb: cannot read it \(.*it should hold NWB 2, which is HDF5"):
            one(path)
    with pytest.raises(DataError, match="no intervals in it"):
        one(file(tmp_path))


def test_what_is_written_has_the_layout_of_nwb(tmp_path: Path) -> None:
    rows = (Interval(1, 2, "größe"), Interval(Fraction(4, 3), 3, "take cup"))
    content = annotations_text("nwb", [Annotation("day1", rows)], WriteSettings(tier="trials"))
    write_content(tmp_path / "x.nwb", content)
    with h5py.File(tmp_path / "x.nwb", "r") as written:
        assert written.attrs["neurodata_type"] == "NWBFile"
        needed = {"identifier", "session_description", "session_start_time", "timestamps_reference_time"}
        needed |= {"file_create_date", "acquisition", "analysis", "general", "processing", "stimulus", "intervals"}
        assert set(written) == needed
        trials = written["intervals/trials"]
        assert trials.attrs["neurodata_type"] == "TimeIntervals"
        assert list(trials.attrs["colnames"]) == ["start_time", "stop_time", "label"]
        assert {name: column.attrs["neurodata_type"] for name, column in trials.items()} == {
            "id": "ElementIdentifiers",
            **dict.fromkeys(("start_time", "stop_time", "label"), "VectorData"),
        }
        assert all(column.maxshape == (None,) for column in trials.values())  # rows can be added
        assert trials["start_time"][:].tolist() == [1.0, 1.333333]
        assert trials["label"].asstr()[:].tolist() == ["größe", "take cup"]
        everything = [written, trials, *trials.values()]
        assert len({item.attrs["object_id"] for item in everything}) == len(everything)


@pytest.mark.parametrize("tier", ["", "a/b", "a:b", ".", "two\nlines"])
def test_names_that_no_table_can_have_are_refused(tier: str) -> None:
    with pytest.raises(DataError, match="name"):
        annotations_text("nwb", [Annotation("v", (Interval(0, 1, "x"),))], WriteSettings(tier=tier))


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path, BEHAVIORS)
    monkeypatch.setitem(sys.modules, "h5py", None)
    for attempt in (lambda: one(path), lambda: annotations_text("nwb", [Annotation("v", ())])):
        with pytest.raises(ConfigError, match=r'pip install "keyseg\[formats\]"'):
            attempt()


def test_a_table_is_converted_and_back(tmp_path: Path) -> None:
    vtt, nwb, back = tmp_path / "tea.vtt", tmp_path / "tea.nwb", tmp_path / "back.vtt"
    vtt.write_text("WEBVTT\n\n00:00:01.000 --> 00:00:02.500\ntake cup\n", encoding="utf-8")
    convert(vtt, nwb)
    assert one(nwb, "actions:label") == [(1, 2.5, "take cup")]
    convert(nwb, back, options=AnnotationOptions(tier=("actions",)))
    assert back.read_text(encoding="utf-8") == vtt.read_text(encoding="utf-8")
