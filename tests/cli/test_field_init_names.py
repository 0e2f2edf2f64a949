"""keyseg init, convert and eval where names are not simple: two folders, dots, Unicode forms, tracks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.data import Dataset
from keyseg.data.feature_origin import read_sidecar
from keyseg.formats import FORMATS, WriteSettings, annotations_text, conversion, one_grid, read_annotations
from keyseg.formats.frame_labels import read_frame_labels
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import file_sha256, write_content
from keyseg.training.inner_folds import inner_folds

FOLDERS = Path(__file__).parents[1] / "field" / "formats" / "folders.csv"
DOTS = FOLDERS.with_name("dots.csv")
NFC, NFD = "caf\u00e9", "cafe\u0301"
NAMES = ("day1.1", "day1.2.mp4", "a.b", "my day", "1day", "clip.txt", "20240131-cam", "Größe_切る")


@pytest.fixture(scope="session")
def clip(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of grey. Tests must not change it."""
    pictures = [np.full((48, 64, 3), 90, np.uint8)] * 30
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures)


@pytest.fixture
def videos(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Videos below the folder `videos` in the current folder, each with its own content."""
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> Path:
        for index, name in enumerate(names):
            path = tmp_path / "videos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(clip.read_bytes() + bytes(index))
        return tmp_path / "videos"

    return make


def runs(path: Path) -> list[tuple[str, int]]:
    """The labels of a file, each with its number of frames."""
    return [(label, len(list(group))) for label, group in groupby(read_frame_labels(path))]


# The tests share a cache, beside their own folders, since their videos are the same.
INIT = ("init", "data", "--annotations", "table.csv", "--fps", 10, "--cache", "../cache")


def init(keyseg: Any, table: Path | str, *words: object) -> Any:
    """`keyseg init` on a table of annotations."""
    text = table if isinstance(table, str) else table.read_text()
    Path("table.csv").write_text(text, encoding="utf-8")
    return keyseg(*INIT, *words)


@pytest.mark.parametrize("fmt", ["csv", "tsv", "activitynet", "epic", "rttm", "boris", "boris-project"])
def test_one_file_name_in_two_folders(fmt: str, keyseg: Any, videos: Any) -> None:
    root = videos("P01/cam1.mp4", "P01/cam2.mp4")
    table = Path(f"all{FORMATS[fmt].suffix}")
    assert keyseg("convert", FOLDERS, table, "--fps", 10).code == 0
    answer = keyseg("init", "data", "--videos", root / "P01", "--annotations", table, *INIT[4:])
    assert answer.code == 0, answer.err
    assert "1 annotations have no video: P02/cam1" in answer.err
    assert runs(Path("data/groundTruth/cam1.txt")) == [("red", 10), ("green", 10), ("background", 10)]
    assert runs(Path("data/groundTruth/cam2.txt")) == [("blue", 30)]


def test_one_file_name_in_two_folders_and_videos_in_none_of_them(keyseg: Any, videos: Any) -> None:
    root = videos("cam1.mp4", "cam2.mp4")
    answer = init(keyseg, FOLDERS, "--videos", root)
    assert answer.code == 1
    assert "'P01/cam1.mp4' in table.csv and 'P02/cam1.mp4' in table.csv may both be of " in answer.err
    assert not Path("data").exists()


def test_two_videos_of_one_name(keyseg: Any, videos: Any) -> None:
    root = videos("P01/cam1.mp4", "P02/cam1.mp4", "P01/cam2.mp4")
    Path("people.csv").write_text("video,group\nP01/cam1.mp4,P01\nP02/cam1.mp4,P02\ncam2,P01\n")
    words = ("--videos", root / "P01", root / "P02", "--groups", "people.csv", "--workers", 2)
    answer = init(keyseg, FOLDERS, *words)
    assert answer.code == 0, answer.err
    assert runs(Path("data/groundTruth/P02_cam1.txt")) == [("blue", 30)]
    assert runs(Path("data/groundTruth/P01_cam1.txt")) == [("red", 10), ("green", 10), ("background", 10)]
    assert runs(Path("data/groundTruth/cam2.txt")) == [("blue", 30)]
    for name, video in (("P01_cam1", "P01/cam1.mp4"), ("P02_cam1", "P02/cam1.mp4")):
        sidecar = read_sidecar(Path("data/features", f"{name}.npy"))
        assert sidecar is not None
        assert sidecar.video_sha256 == file_sha256(root / video)
    assert sorted(Path("data/splits/test.split1.bundle").read_text().split()) in (
        ["P01_cam1.txt", "cam2.txt"],
        ["P02_cam1.txt"],
    )
    assert keyseg("check", "data").code == 0


def test_convert_writes_no_two_timelines_to_one_file(keyseg: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    answer = keyseg("convert", FOLDERS, "out", "--to", "vtt")
    assert answer.code == 1
    assert f"'P01/cam1' in {FOLDERS} and 'P02/cam1' in {FOLDERS} would have the same file" in answer.err
    table = "video,start_seconds,end_seconds,label\n{},0,1,a\n{},0,2,b\n"
    for one, two in (("Day1", "day1"), ("STRASSE", "straße")):
        Path("t.csv").write_text(table.format(one, two), encoding="utf-8")
        answer = keyseg("convert", "t.csv", "out", "--to", "vtt")
        assert (answer.code, f"{one!r} in t.csv and {two!r} in t.csv would have the same file" in answer.err) == (
            1,
            True,
        )
        assert keyseg("convert", "t.csv", f"{one}.rttm").code == 0  # in one file they are two
    Path("t.csv").write_text(table.format("x.recog", "y"))
    answer = keyseg("convert", "t.csv", "out", "--to", "txt", "--fps", 1)
    assert (answer.code, "x.recog.txt would be read as recog, not as txt" in answer.err) == (1, True)
    Path("many").mkdir()
    for name in ("one", "two"):
        Path("many", f"{name}.csv").write_text(table.format(f"P/{name}.mp4", "both.mp4"))
    answer = keyseg("convert", "many", "all.rttm")
    assert (answer.code, answer.err.count("'both' in many")) == (1, 2)
    assert not Path("out").exists()
    assert not Path("all.rttm").exists()


@pytest.mark.parametrize("fmt", [name for name in FORMATS if name != "recog"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_survives_every_format(fmt: str, name: str, tmp_path: Path) -> None:
    """Both as the name of a file and, in formats of several videos, inside one of another name."""
    wanted = name.removesuffix(".mp4")
    annotation = Annotation(name, (Interval(Fraction(0), Fraction(1), "take"),), Fraction(2), Fraction(10))
    if fmt == "rttm" and " " in name:
        with pytest.raises(DataError, match="rename it"):
            annotations_text(fmt, [annotation])
        return
    names = [f"{name}{FORMATS[fmt].suffix}", *([f"table{FORMATS[fmt].suffix}"] if FORMATS[fmt].several else [])]
    for file in names:
        path = tmp_path / file
        write_content(path, annotations_text(fmt, [annotation], WriteSettings()))
        (back,) = read_annotations(path, fmt, fps=Fraction(10))
        assert back.video == wanted


def test_names_with_dots_from_a_table_to_boris_and_into_a_data_set(keyseg: Any, videos: Any) -> None:
    root = videos("day1.1.mp4", "clip.txt.mp4", "my day.mp4")
    table = DOTS.read_text() + "clip.txt.mp4,1,2,pour\nmy day,0,1,stir\n"
    for words in ((), ("boris",), ("eaf",)):
        shutil.rmtree("data", ignore_errors=True)
        Path("table.csv").write_text(table)
        source: Path = Path("table.csv")
        if words:
            source = Path(*words)
            assert keyseg("convert", "table.csv", source, "--to", *words).code == 0
        answer = keyseg("init", "data", "--videos", root, "--annotations", source, *INIT[4:])
        assert answer.code == 0, answer.err
        assert {path.name for path in Path("data/groundTruth").iterdir()} == {
            "day1.1.txt",
            "clip.txt.txt",
            "my day.txt",
        }
        assert runs(Path("data/groundTruth/day1.1.txt")) == [("take", 10), ("background", 20)]
        assert runs(Path("data/groundTruth/clip.txt.txt")) == [("background", 10), ("pour", 10), ("background", 10)]
        assert keyseg("check", "data").code == 0


def test_labels_in_two_unicode_forms_are_one_class(keyseg: Any, videos: Any) -> None:
    root = videos(f"{NFD}.mp4", "b.mp4")
    Path("labels").mkdir()
    for name, label in ((NFC, NFD), ("b", NFC)):
        cue = f"WEBVTT\n\n00:00.000 --> 00:01.000\n{label} trinken\n"
        Path("labels", f"{name}.vtt").write_text(cue, encoding="utf-8")
    words = ("--videos", root, "--annotations", "labels", "--background", f"{NFD} pause", *INIT[4:])
    answer = keyseg("init", "data", *words)
    assert answer.code == 0, answer.err
    assert Path("data/mapping.txt").read_text(encoding="utf-8") == f"0 background\n1 {NFC}_trinken\n"
    for name in (NFC, "b"):
        assert runs(Path(f"data/groundTruth/{name}.txt")) == [(f"{NFC}_trinken", 10), ("background", 20)]
    assert (
        f"{NFC}.txt"
        in Path("data/splits/train.split1.bundle").read_text(encoding="utf-8").split()
        + Path("data/splits/test.split1.bundle").read_text(encoding="utf-8").split()
    )
    # A data set that someone else wrote in the other form is the same.
    before = keyseg("check", "data", "--json").out
    for path in (Path("data/mapping.txt"), *Path("data/groundTruth").iterdir()):
        path.write_text(path.read_text(encoding="utf-8").replace(NFC, NFD), encoding="utf-8")
    assert json.loads(keyseg("check", "data", "--json").out) == json.loads(before)


def test_convert_and_eval_in_two_unicode_forms(keyseg: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, form in (("ref", NFD), ("pred", NFC)):
        Path(folder).mkdir()
        Path(folder, f"{form}.txt").write_text(f"{form}\n" * 4 + "b\n" * 4, encoding="utf-8")
    answer = keyseg("eval", "--ref", "ref", "--pred", "pred", "--background", NFD, "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["f1@50"] == json.loads(answer.out)["acc"] == 100
    assert "changes nothing" not in answer.err
    Path("t.csv").write_text(
        f"video,start_seconds,end_seconds,label\n{NFC},0,1,{NFD}\n{NFD},1,2,{NFC}\n",
        encoding="utf-8",
    )
    assert keyseg("convert", "t.csv", "out", "--to", "txt", "--fps", 2, "--background", NFD) == (
        0,
        f"{Path('out', f'{NFC}.txt')}\n",
        "",
    )
    assert Path("out", f"{NFC}.txt").read_text(encoding="utf-8") == f"{NFC}\n" * 4
    Path("t.csv").write_text(f"video,start_seconds,end_seconds,label\na,0,1,{NFD}\n", encoding="utf-8")
    assert keyseg("convert", "t.csv", "t.vtt", "--background", NFC).code == 0
    assert Path("t.vtt").read_text().split() == ["WEBVTT"]  # all of it is background


def test_a_timeline_per_subject(keyseg: Any, videos: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = videos("a.mp4", "b.mp4", "c.mp4")

    def read(path: Path, *_: object, options: Any, **__: object) -> list[Annotation]:
        """As a reader of a format with subjects: all of them together, or each apart."""
        spans = [("a", "rat 1", 0, 2, "groom"), ("a", "rat 2", 1, 3, "run"), ("b", "rat 1", 0, 1, "run")]
        spans += [("c", "", 0, 1, "groom")]
        tracks: dict[tuple[str, str], list[Interval]] = {}
        for video, track, start, end, label in spans:
            interval = Interval(Fraction(start), Fraction(end), label)
            tracks.setdefault((video, track if options.per_subject else ""), []).append(interval)
        return [
            Annotation(video, tuple(intervals), media=f"{video}.mp4", track=track)
            for (video, track), intervals in tracks.items()
        ]

    monkeypatch.setattr(one_grid, "read_annotations", read)
    monkeypatch.setattr(conversion, "read_annotations", read)
    table = "Behavior,Start (s),Stop (s)\n"
    answer = init(keyseg, table, "--videos", root)
    assert answer.code == 1
    assert "a: 'groom' from 0 s to 2 s and 'run' from 1 s to 3 s overlap, and a frame has one" in answer.err
    assert "if two subjects do it, give each a timeline with --per-subject" in answer.err

    answer = init(keyseg, table, "--videos", root, "--per-subject", "--splits", 3)
    assert answer.code == 0, answer.err
    assert "note: 4 timelines of 3 videos: a.rat 1, a.rat 2, b.rat 1, c\n" in answer.err
    assert answer.out.startswith("data: 3 videos, 120 frames at 10 fps, 3 classes, 3 splits\n")
    names = ["a.rat 1", "a.rat 2", "b.rat 1", "c"]
    assert sorted(path.stem for path in Path("data/groundTruth").iterdir()) == names
    assert runs(Path("data/groundTruth/a.rat 1.txt")) == [("groom", 20), ("background", 10)]
    assert runs(Path("data/groundTruth/a.rat 2.txt")) == [("background", 10), ("run", 20)]
    features = [Path("data/features", f"{name}.npy").read_bytes() for name in names]
    assert features[0] == features[1]
    assert len(list(Path("data/features").iterdir())) == 8
    for split in (1, 2, 3):
        test = Path(f"data/splits/test.split{split}.bundle").read_text().splitlines()
        assert ("a.rat 1.txt" in test) == ("a.rat 2.txt" in test)
        for fold in inner_folds(Dataset.open("data"), split, 9):  # of a training inside the split
            assert ("a.rat 1" in fold.held_out) == ("a.rat 2" in fold.held_out)
    assert keyseg("check", "data").code == 0

    answer = keyseg("convert", "table.csv", "out", "--to", "vtt", "--per-subject")
    assert answer.code == 0, answer.err
    assert sorted(path.stem for path in Path("out").iterdir()) == names
    assert keyseg("convert", "table.csv", "all.rttm", "--per-subject").code == 1  # no white space in its names
    assert keyseg("convert", "table.csv", "all.csv", "--per-subject", "--fps", 10).code == 0
    assert {annotation.name for annotation in read_annotations(Path("all.csv"))} == set(names)


@pytest.mark.parametrize("to", ["subjects.csv", "subjects.tsv", "subjects.boris.csv", "subjects"])
def test_timelines_that_convert_wrote_belong_to_their_video(to: str, keyseg: Any, videos: Any) -> None:
    root = videos("day1.mp4", "day2.mp4")
    Path("t.csv").write_text(
        "video,track,start_seconds,end_seconds,label\n"
        "day1,rat 1,0,2,groom\nday1,rat 2,1,3,run\nday2,,0,1,run\nday1.1,,0,1,eat\n"
    )
    where = (to,) if "." in to else (to, "--to", "csv")
    assert keyseg("convert", "t.csv", *where, "--fps", 10).code == 0
    answer = keyseg("init", "data", "--videos", root, "--annotations", to, *INIT[4:], "--per-subject")
    assert answer.code == 0, answer.err
    assert "1 annotations have no video: day1.1" in answer.err
    names = {path.stem: runs(path) for path in Path("data/groundTruth").iterdir()}
    assert names == {
        "day1.rat 1": [("groom", 20), ("background", 10)],
        "day1.rat 2": [("background", 10), ("run", 20)],
        "day2": [("run", 10), ("background", 20)],
    }


def test_a_track_and_a_video_of_one_name_are_an_error(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("video,track,start_seconds,end_seconds,label\nday1,1,0,2,groom\nday1.1,,0,1,run\n")
    with pytest.raises(DataError, match=r"t\.csv:3: a video and the track of another would both be called 'day1\.1'"):
        read_annotations(table)


def test_the_whole_of_a_video_and_a_track_of_it_are_not_two_tracks(keyseg: Any, videos: Any) -> None:
    root = videos("day1.mp4", "day2.mp4")
    table = "video,track,start_seconds,end_seconds,label\nday1,rat 1,0,2,groom\nday1,,1,3,run\nday2,,0,1,run\n"
    answer = init(keyseg, table, "--videos", root)
    assert (answer.code, "'day1' and 'day1' in table.csv are both of " in answer.err) == (1, True)


def test_eval_and_report_with_one_file_name_in_two_folders(keyseg: Any, videos: Any) -> None:
    root = videos("P01/cam1.mp4", "P02/cam1.mp4", "P03/cam1.mp4")
    table = "video,start_seconds,end_seconds,label\nP01/cam1.mp4,0,3,{}\nP02/cam1.mp4,0,3,blue\n"
    for name, label in (("right.csv", "red"), ("wrong.csv", "green")):
        Path(name).write_text(table.format(label))
    answer = keyseg("eval", "--ref", "right.csv", "--pred", "wrong.csv", "--fps", 10, "--json")
    scores = json.loads(answer.out)
    assert (scores["acc"], scores["videos"]) == (50, 2)
    Path("predicted").mkdir()
    for name, label in (("P01_cam1", "red"), ("P02_cam1", "blue")):  # as a data set calls them
        Path("predicted", f"{name}.txt").write_text(f"{label}\n" * 30)
    answer = keyseg("eval", "--ref", "right.csv", "--pred", "predicted", "--fps", 10, "--json")
    assert json.loads(answer.out)["acc"] == 100, answer.err
    Path("one.csv").write_text("video,start_seconds,end_seconds,label\ncam1.mp4,0,3,red\n")
    assert keyseg("eval", "--ref", "right.csv", "--pred", "one.csv", "--fps", 10).code == 1
    Path("odd.csv").write_text(table.format("red") + "P01_cam1,0,3,red\n")
    answer = keyseg("eval", "--ref", "odd.csv", "--pred", "odd.csv", "--fps", 10)
    assert (answer.code, "would both be called 'P01_cam1'" in answer.err) == (1, True)

    for folder, label in (("P01", "red"), ("P02", "blue")):
        page = Path(f"{folder}.html")
        assert keyseg("report", "right.csv", "--video", root / folder / "cam1.mp4", "--out", page).code == 0
        assert [name for name in ("red", "blue") if f"<title>{name}: " in page.read_text()] == [label]
    answer = keyseg("report", "right.csv", "--video", root / "P03" / "cam1.mp4", "--out", "no.html")
    assert (answer.code, "none of them is in the folder of" in answer.err) == (1, True)


def test_groups_are_kept_together_in_every_fold(keyseg: Any, videos: Any) -> None:
    """In the splits and, since the data set remembers them, in what trainings do with their training videos."""
    people = {name: f"person {name[0]}" for name in ("a1", "a2", "b1", "b2", "c1", "c2")}
    root = videos(*(f"{name}.mp4" for name in people))
    Path("people.csv").write_text("video,group\n" + "".join(f"{name}.mp4,{who}\n" for name, who in people.items()))
    table = "video,start_seconds,end_seconds,label\n" + "".join(f"{name},0,2,run\n" for name in people)
    assert init(keyseg, table, "--videos", root, "--groups", "people.csv").code == 0
    dataset = Dataset.open("data")
    assert {name: dataset.group(name) for name in people} == people
    for split in dataset.splits:
        folds = inner_folds(dataset, split, 4)
        assert [len(fold.held_out) for fold in folds] == [2, 2]
        assert all(len({people[name] for name in fold.held_out}) == 1 for fold in folds)
    bundle = Path("data/splits/test.split1.bundle")
    alone = bundle.read_text().split()[0]
    bundle.write_text(alone)
    others = [name for name in people if f"{name}.txt" != alone]
    bundle.with_name("train.split1.bundle").write_text("\n".join(others))
    assert "group leak" in keyseg("check", "data", "--json").out
    Path("data/dataset.yaml").write_text("groups: [a1]\n")
    answer = keyseg("check", "data")
    assert (answer.code, "dataset.yaml:1: groups: Input should be a valid dict" in answer.out + answer.err) == (1, True)
    shutil.rmtree("data")
    assert init(keyseg, table, "--videos", root).code == 0
    assert "groups" not in Path("data/dataset.yaml").read_text()  # each video is its own group


def test_predict_writes_no_two_timelines_to_one_file(keyseg: Any, trained: Path, kitchen: Path, tmp_path: Path) -> None:
    features = next((kitchen / "features").iterdir())
    for name in ("Day1.npy", "x.npy", "x.recog.npy", "day1.1.npy"):
        shutil.copy(features, tmp_path / name)
    answer = keyseg(
        "predict",
        trained,
        tmp_path / "x.npy",
        tmp_path / "x.recog.npy",
        "--out",
        tmp_path / "o",
        "--format",
        "txt,recog",
    )
    assert answer.code == 2
    assert "x.recog.txt" in answer.err
    assert not (tmp_path / "o").exists()
    (tmp_path / "b").mkdir()
    shutil.copy(features, tmp_path / "b" / "day1.npy")
    answer = keyseg("predict", trained, tmp_path / "Day1.npy", tmp_path / "b", "--out", tmp_path / "o")
    assert (answer.code, "would both be called" in answer.err) == (1, True)
    answer = keyseg(
        "predict", trained, tmp_path / "day1.1.npy", "--out", tmp_path / "o", "--format", "json,eaf,boris,csv"
    )
    assert answer.code == 0
    for path in (tmp_path / "o").iterdir():
        assert read_annotations(path, fps=Fraction(15))[0].video == "day1.1"


def test_what_an_earlier_dataset_yaml_states_is_used_and_kept(keyseg: Any, videos: Any) -> None:
    people = {name: f"person {name[0]}" for name in ("a1", "a2", "b1", "b2", "c1")}
    root = videos(*(f"{name}.mp4" for name in people))
    table = "video,start_seconds,end_seconds,label\n" + "".join(f"{name},0,2,run\n" for name in people)
    Path("table.csv").write_text(table)
    Path("data").mkdir()
    file, old = Path("data/dataset.yaml"), {name: who for name, who in people.items() if name != "c1"}
    written = f"# by hand\nfps: 5\nlengths: trim\ntolerance: 2\ntier: hands\ngroups: {old}\n".replace("'", "")
    file.write_text(written.replace("tier: hands\n", "") + "backgruond: [run]\n")
    command = ("init", "data", "--videos", root, "--annotations", "table.csv", "--cache", "../cache")
    answer = keyseg(*command)
    words = "dataset.yaml:6: unknown key 'backgruond' (did you mean 'background'?)"
    assert (answer.code, words in answer.err) == (1, True)
    file.write_text("background: [walk]\n")
    answer = keyseg(*command)
    assert (answer.code, f"{file}: background 'walk' is not a class" in answer.err) == (1, True)
    assert [path.name for path in Path("data").iterdir()] == ["dataset.yaml"]
    file.write_text(written)
    assert keyseg(*command).code == 0
    assert file.read_text().startswith(written.partition("groups")[0])
    assert file.read_text().endswith("\n  c1: c1\nbackground:\n- background\n")
    dataset = Dataset.open("data")
    assert (dataset.timebase.fps, dataset.options.tolerance, dataset.remembered.tier) == (5, 2, "hands")
    assert read_sidecar(Path("data/features/a1.npy")).origin.fps == 5  # type: ignore[union-attr]
    assert {name: dataset.group(name) for name in people} == {**old, "c1": "c1"}
    for split in dataset.splits:  # of the groups of the file
        sides = [{people[name] for name in dataset.names(split, side)} for side in ("train", "test")]  # type: ignore[arg-type]
        assert not sides[0] & sides[1]
    assert keyseg(*command, "--force").code == 2

    kept = file.read_text()
    shutil.rmtree("data")
    Path("data").mkdir()
    file.write_text(kept)
    Path("people.csv").write_text("video,group\n" + "".join(f"{name},{name[1]}\n" for name in people))
    assert keyseg(*command, "--fps", 10, "--groups", "people.csv", "--tier", "feet").code == 0
    dataset = Dataset.open("data")
    assert (dataset.timebase.fps, dataset.options.tolerance, dataset.remembered.tier) == (10, 2, "feet")
    assert {name: dataset.group(name) for name in people} == {name: name[1] for name in people}
    assert file.read_text().startswith(
        "# by hand\nfps: 10\nlengths: trim\ntolerance: 2\ntier: feet\ngroups:\n  a1: '1'\n"
    )

    kept = file.read_text()
    shutil.rmtree("data")
    Path("data").mkdir()
    file.write_text(kept)
    Path("people.csv").write_text("video,group\n" + "".join(f"{name},{name}\n" for name in people))
    assert keyseg(*command, "--groups", "people.csv").code == 0
    assert {name: Dataset.open("data").group(name) for name in people} == {name: name for name in people}
