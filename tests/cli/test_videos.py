"""keyseg features, init and predict on video files: from clips and annotations to a bundle and timelines."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keyseg.cli.features import FeatureProgress
from keyseg.data.feature_origin import read_sidecar
from keyseg.formats.frame_labels import read_frame_labels
from keyseg.video.engines import Event
from moving_square import LABELS, pictures

NAMES = ("ann_1", "ann_2", "bob_1", "bob_2")


@pytest.fixture(scope="session")
def user_files(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: videos/, subtitles/ with the actions, people.csv. Tests must not change it."""
    root = tmp_path_factory.mktemp("user")
    (root / "subtitles").mkdir()
    for i, name in enumerate(NAMES):
        make_clip(root / "videos" / f"{name}.mp4", pictures(i))
        cues = "00:00:00.800 --> 00:00:02.000\ngo right\n\n00:00:02.600 --> 00:00:03.800\ngo left\n"
        (root / "subtitles" / f"{name}.vtt").write_text(f"WEBVTT\n\n{cues}")
    (root / "people.csv").write_text("video,group\n" + "".join(f"{name}.mp4,{name[:3]}\n" for name in NAMES))
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def make(keyseg: Any, user_files: Path, data: Path, cache: Path, *more: object) -> Any:
    files = ("--videos", user_files / "videos", "--annotations", user_files / "subtitles", "--cache", cache)
    return keyseg("init", data, *files, "--fps", 10, *more)


def test_from_a_folder_of_videos_to_timelines_of_a_new_one(
    user_files: Path, cache: Path, keyseg: Any, options: tuple[str, ...], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    answer = make(keyseg, user_files, data, cache, "--groups", user_files / "people.csv")
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"{data}: 4 videos, 184 frames at 10 fps, 3 classes, 2 splits\n")
    assert (data / "mapping.txt").read_text() == "0 background\n1 go_left\n2 go_right\n"
    wanted = [label.replace(" ", "_").replace("rest", "background") for label, frames in LABELS for _ in range(frames)]
    assert read_frame_labels(data / "groundTruth" / "ann_1.txt") == wanted
    tests = [(data / "splits" / f"test.split{k}.bundle").read_text().split() for k in (1, 2)]
    assert sorted(tests) == [["ann_1.txt", "ann_2.txt"], ["bob_1.txt", "bob_2.txt"]]
    assert keyseg("check", data).code == 0

    run = tmp_path / "run"
    assert keyseg("train", data, "--out", run, *options).code == 0
    bundle = run / "split1" / "seed0" / "bundle"
    config = json.loads((bundle / "config.json").read_text())
    sidecar = read_sidecar(data / "features" / "ann_1.npy")
    assert sidecar is not None
    assert config["features"] == sidecar.origin.model_dump()
    assert config["fps"] == "10"

    video, out = user_files / "videos" / "bob_2.mp4", tmp_path / "out"
    answer = keyseg("predict", bundle, video, "--out", out, "--format", "csv,eaf,vtt,json", "--cache", cache)
    assert answer.code == 0, answer.err
    assert {path.name for path in out.iterdir()} == {"bob_2.csv", "bob_2.eaf", "bob_2.vtt", "bob_2.json"}
    content = json.loads((out / "bob_2.json").read_text())
    assert (content["fps"], content["frames"]) == ("10", 46)
    features = data / "features" / "bob_2.npy"  # the same result from its features
    assert keyseg("predict", bundle, features, "--out", out / "f", "--format", "json", "--cache", cache).code == 0
    assert (out / "f" / "bob_2.json").read_text() == (out / "bob_2.json").read_text()


def test_wrong_features_are_refused_by_what_made_them(
    user_files: Path, cache: Path, keyseg: Any, options: tuple[str, ...], tmp_path: Path, trained: Path
) -> None:
    data, run, video = tmp_path / "data", tmp_path / "run", user_files / "videos" / "bob_2.mp4"
    assert make(keyseg, user_files, data, cache).code == 0
    assert keyseg("train", data, "--out", run, *options).code == 0
    slow = tmp_path / "slow"
    assert keyseg("features", video, "--out", slow, "--fps", 5, "--cache", cache).code == 0
    answer = keyseg("predict", run, slow / "bob_2.npy", "--out", tmp_path / "out")
    assert answer.code == 1
    assert "at 5 fps, but the model was trained on features by motion" in answer.err
    assert "(fps: 10, 5)" in answer.err
    # A bundle trained on features of unknown origin cannot read a video.
    answer = keyseg("predict", trained, video, "--out", tmp_path / "out")
    assert answer.code == 1
    assert "does not know what made its features" in answer.err
    assert not (tmp_path / "out").exists()


def test_features_of_a_folder(user_files: Path, cache: Path, keyseg: Any, tmp_path: Path) -> None:
    out = tmp_path / "features"
    command = ("features", user_files / "videos", "--out", out, "--fps", 10, "--cache", cache)
    answer = keyseg(*command, "--shard", "1/2")
    assert answer.code == 0
    assert {path.name for path in out.glob("*.npy")} == {"bob_1.npy"}  # by its name; the other part has three
    answer = keyseg(*command)
    assert answer.code == 0
    assert answer.err.count("already extracted") == 1
    assert len(list(out.glob("*.npy"))) == len(list(out.glob("*.json"))) == 4
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    answer = keyseg(
        "features", bad, user_files / "videos" / "ann_1.mp4", "--out", tmp_path / "o", "--fps", 10, "--cache", cache
    )
    assert answer.code == 1
    assert f"error: {bad}: " in answer.err
    assert f"1 of 2 inputs failed; the others are in {tmp_path / 'o'}\n" in answer.err
    assert (tmp_path / "o" / "ann_1.npy").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name at least one video file"),
        (
            ("--fps", "0"),
            "error: --fps: a frame rate is a number such as 15 or 29.97, or a fraction such as 30000/1001,",
        ),
        (("--fps", "fast"), "above 0 and at most 100000; got 'fast'\n"),
        (("--shard", "3/2"), "--shard takes i/n"),
        (("--shard", "0/2"), "--shard takes i/n"),
        (("--shard", f"1/{'9' * 5000}"), "--shard takes i/n"),
        (("--shard", "2"), "--shard takes i/n"),
        (("--workers", "0"), 'error: Invalid value "0" for --workers. Must be >= 1.'),
        (("--extractor", "motoin"), "motion"),
    ],
)
def test_wrong_usage_of_features(
    user_files: Path, keyseg: Any, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    videos = (user_files / "videos",) if words else ()
    answer = keyseg("features", *videos, "--out", tmp_path / "out", *words)
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "out").exists()


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with FeatureProgress(2) as shown:
        for name in ("a.mp4", "b.mp4"):
            shown.advance(Path(name), 30, 120)
        shown.advance(Path("a.mp4"), 60, 120)
        assert [(task.description, task.percentage) for task in shown.bars.tasks] == [("a.mp4", 50), ("b.mp4", 25)]
        shown(Event(Path("a.mp4"), "made", 120))
        assert [task.description for task in shown.bars.tasks] == ["b.mp4"]
        shown.clear()
        assert shown.bars.tasks == []
        shown.print("a [line]")
    err = capsys.readouterr().err
    assert "[1/2] a.mp4: 120 frames in 0.0 s" in err
    assert "a [line]" in err


def test_init_reports_files_without_a_partner(user_files: Path, cache: Path, keyseg: Any, tmp_path: Path) -> None:
    some = tmp_path / "annotations"
    some.mkdir()
    for name in (*NAMES[:3], "zoe_1"):
        (some / f"{name}.vtt").write_text((user_files / "subtitles" / "ann_1.vtt").read_text())
    base = ("--videos", user_files / "videos", "--cache", cache, "--fps", 10)
    answer = keyseg("init", tmp_path / "data", *base, "--annotations", some)
    assert answer.code == 0
    assert "left out, 1 videos have no annotation: bob_2" in answer.err
    assert "left out, 1 annotations have no video: zoe_1" in answer.err
    assert {path.stem for path in (tmp_path / "data" / "groundTruth").iterdir()} == set(NAMES[:3])
    assert len(list((tmp_path / "data" / "splits").iterdir())) == 6
    answer = keyseg("init", tmp_path / "data", *base, "--annotations", some)
    assert answer.code == 2
    assert "not empty; choose a new folder" in answer.err
    answer = keyseg("init", tmp_path / "none", *base, "--annotations", some / "zoe_1.vtt")
    assert answer.code == 1
    assert "0 of 4 videos have an annotation of the same name" in answer.err
    assert not (tmp_path / "none").exists()


def test_init_of_one_table_for_all_videos(user_files: Path, cache: Path, keyseg: Any, tmp_path: Path) -> None:
    table = tmp_path / "all.csv"
    rows = "".join(f"{name}.mp4,0,10,0.0,1.0,wave\n" for name in NAMES)
    table.write_text(f"video,start_frame,end_frame,start_seconds,end_seconds,label\n{rows}")
    base = ("--videos", user_files / "videos", "--annotations", table, "--cache", cache, "--fps", 10)
    answer = keyseg("init", tmp_path / "data", *base, "--splits", 2)
    assert answer.code == 0, answer.err
    assert read_frame_labels(tmp_path / "data" / "groundTruth" / "bob_2.txt") == ["wave"] * 10 + ["background"] * 36


def test_init_says_where_labels_overlap(user_files: Path, cache: Path, keyseg: Any, tmp_path: Path) -> None:
    some = tmp_path / "annotations"
    some.mkdir()
    for name in NAMES:
        (some / f"{name}.srt").write_text(
            "1\n00:00:00,500 --> 00:00:02,000\na\n\n2\n00:00:01,000 --> 00:00:03,000\nb\n"
        )
    command = (
        "init",
        tmp_path / "data",
        "--videos",
        user_files / "videos",
        "--annotations",
        some,
        "--cache",
        cache,
        "--fps",
        10,
    )
    answer = keyseg(*command)
    assert answer.code == 1
    assert "ann_1: " in answer.err
    assert "'a' from 0.5 s to 2 s" in answer.err
    assert "'b' from 1 s to 3 s" in answer.err
    answer = keyseg(*command, "--overlap", "last")
    assert answer.code == 0, answer.err
    labels = read_frame_labels(tmp_path / "data" / "groundTruth" / "ann_1.txt")
    assert labels == ["background"] * 5 + ["a"] * 5 + ["b"] * 20 + ["background"] * 16


def test_init_with_wrong_groups(user_files: Path, cache: Path, keyseg: Any, tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    for text, message in (
        ("video,person\nann_1,a\n", ":1: expected the columns video and group"),
        ("video,group\nann_1,a\nann_2,\n", ":3: expected a video and its group"),
        ("video,group\nann_1,a\nann_1,b\n", ":3: an earlier line puts ann_1 in group a; delete one of the two"),
        ("video,group\nann_1,a\nann_2,a\n", "no group for bob_1, bob_2"),
    ):
        table.write_text(text)
        answer = make(keyseg, user_files, tmp_path / "data", cache, "--groups", table)
        assert answer.code == 1
        assert message in answer.err
    table.write_text("video,group\n" + "".join(f"{name},all\n" for name in NAMES))
    answer = make(keyseg, user_files, tmp_path / "data", cache, "--groups", table)
    assert answer.code == 2
    assert "all 4 videos are of one group" in answer.err


def test_init_of_a_folder_where_everything_lies_together(
    user_files: Path, cache: Path, keyseg: Any, tmp_path: Path
) -> None:
    all_of_it = tmp_path / "all"
    all_of_it.mkdir()
    for name in NAMES:
        shutil.copy(user_files / "videos" / f"{name}.mp4", all_of_it)
        shutil.copy(user_files / "subtitles" / f"{name}.vtt", all_of_it)
    (all_of_it / "ann_1.pfsx").write_text("<preferences/>")  # ELAN leaves such files beside its own
    (all_of_it / "._ann_1.mp4").write_text("a system's own file")
    (all_of_it / "notes.txt").write_text("remember to\nwrite more of this\n")
    words = ("--videos", all_of_it, "--annotations", all_of_it, "--fps", 10, "--cache", cache)
    answer = keyseg("init", tmp_path / "data", *words)
    assert answer.code == 0, answer.err
    assert "note: no annotations, left out: ann_1.pfsx\n" in answer.err
    assert f"note: left out: {all_of_it / 'notes.txt'}: it looks like none of " in answer.err
    assert {path.stem for path in (tmp_path / "data" / "groundTruth").iterdir()} == set(NAMES)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_init_into_the_folder_that_one_is_in(
    user_files: Path, cache: Path, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "over here").mkdir()
    monkeypatch.chdir(tmp_path / "over here")
    answer = make(keyseg, user_files, Path(), cache)
    assert answer.code == 0, answer.err
    assert answer.out.endswith("next: keyseg check .; keyseg train . --split all --final --out 'runs/over here'\n")
    parts = {"dataset.yaml", "features", "groundTruth", "mapping.txt", "splits", "videos.csv"}
    assert {path.name for path in (tmp_path / "over here").iterdir()} == parts


def test_predict_resumes_where_it_stopped(
    user_files: Path, keyseg: Any, trained: Path, kitchen: Path, tmp_path: Path
) -> None:
    files = sorted((kitchen / "features").iterdir())[:3]
    assert keyseg("predict", trained, files[0], "--out", tmp_path).code == 0
    (tmp_path / f"{files[0].stem}.txt").write_text("mine\n")
    answer = keyseg("predict", trained, *files, "--out", tmp_path, "--resume", "--format", "txt,csv", "--scores")
    assert answer.code == 0
    assert answer.err.startswith("1 existing files are kept\n")
    assert (tmp_path / f"{files[0].stem}.txt").read_text() == "mine\n"
    assert len(list(tmp_path.iterdir())) == 9
    answer = keyseg("predict", trained, *files, "--out", tmp_path, "--resume", "--force")
    assert (answer.code, answer.err.startswith("error: --resume keeps existing timelines")) == (2, True)


def test_one_format_that_cannot_hold_a_name_does_not_stop_the_others(
    keyseg: Any, trained: Path, kitchen: Path, tmp_path: Path
) -> None:
    blank = tmp_path / "a b.npy"
    shutil.copy(next((kitchen / "features").iterdir()), blank)
    answer = keyseg("predict", trained, blank, "--out", tmp_path / "out", "--format", "rttm,csv")
    assert answer.code == 1
    assert "error: " in answer.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a b.csv"]


def test_gaps_are_not_forgotten(user_files: Path, cache: Path, keyseg: Any, tmp_path: Path) -> None:
    whole = (user_files / "videos" / "ann_1.mp4").read_bytes()
    video = tmp_path / "cut.mp4"
    at = whole.index(b"mdat") + 900
    video.write_bytes(whole[:at] + bytes(400) + whole[at + 400 :])
    command = ("features", video, "--fps", 10, "--out", tmp_path / "o", "--cache", cache)
    answer = keyseg(*command)
    assert answer.code == 1
    assert "--damaged" in answer.err
    answer = keyseg(*command, "--damaged")
    assert answer.code == 0
    assert "; damaged from " in answer.err
    assert "; damaged from " in keyseg(*command, "--damaged").err
    answer = keyseg(*command)
    assert answer.code == 1


def test_a_file_where_a_folder_is_needed(
    user_files: Path, keyseg: Any, trained: Path, kitchen: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    video, features = user_files / "videos" / "ann_1.mp4", next((kitchen / "features").iterdir())
    for words in (
        ("features", video, "--out", tmp_path / "file"),
        ("features", video, "--out", tmp_path / "out", "--cache", tmp_path / "file"),
        ("predict", trained, features, "--out", tmp_path / "file"),
    ):
        answer = keyseg(*words)
        assert answer.code in (1, 2)
        assert "file is a file; name a folder" in answer.err


def test_what_is_wrong_with_an_extractor_is_reported_once(user_files: Path, keyseg: Any, tmp_path: Path) -> None:
    words = ("features", user_files / "videos", "--out", tmp_path, "--workers", 2)
    answer = keyseg(*words, "--extractor", "motoin")
    assert answer.code == 2
    assert answer.err.count("motion'") == 1
    answer = keyseg(*words, "--sample-rate", 2)
    assert answer.code == 2
    assert "motion takes no sample_rate" in answer.err


def test_the_rate_of_a_table_is_its_own(user_files: Path, cache: Path, keyseg: Any, tmp_path: Path) -> None:
    some = tmp_path / "tables"
    some.mkdir()
    for name in NAMES:
        rows = f"{name},0,50,0.0,2.0,red\n{name},50,100,2.0,4.0,lime\n"
        (some / f"{name}.csv").write_text(f"video,start_frame,end_frame,start_seconds,end_seconds,label\n{rows}")
    words = ("--videos", user_files / "videos", "--annotations", some, "--cache", cache, "--fps", 10)
    answer = keyseg("init", tmp_path / "data", *words)
    assert answer.code == 0, answer.err
    labels = read_frame_labels(tmp_path / "data" / "groundTruth" / "ann_1.txt")
    assert labels == ["red"] * 20 + ["lime"] * 20 + ["background"] * 6


def test_there_must_be_as_many_frame_labels_as_frames(
    user_files: Path, cache: Path, keyseg: Any, tmp_path: Path
) -> None:
    some = tmp_path / "labels"
    some.mkdir()
    for name in NAMES:
        (some / f"{name}.txt").write_text("red\n" * 46)
    words = ("--videos", user_files / "videos", "--annotations", some, "--cache", cache)
    answer = keyseg("init", tmp_path / "data", *words, "--fps", 10)
    assert answer.code == 0, answer.err
    answer = keyseg("init", tmp_path / "other", *words, "--fps", 20)
    assert answer.code == 1
    assert "ann_1.txt: 46 labels, but the video has 92 frames at 20 frames per second; is --fps" in answer.err


def test_timelines_do_not_replace_sidecars(
    user_files: Path, keyseg: Any, trained: Path, kitchen: Path, tmp_path: Path
) -> None:
    features = next((kitchen / "features").iterdir())
    shutil.copy(features, tmp_path)
    answer = keyseg("predict", trained, tmp_path / features.name, "--out", tmp_path, "--format", "json", "--force")
    assert answer.code == 2
    assert "choose another --out" in answer.err


def test_what_cannot_be_written_does_not_stop_the_rest(
    keyseg: Any, trained: Path, kitchen: Path, tmp_path: Path
) -> None:
    files = sorted((kitchen / "features").iterdir())[:2]
    (tmp_path / f"{files[0].stem}.csv").mkdir()
    answer = keyseg("predict", trained, *files, "--out", tmp_path, "--format", "csv,txt", "--force")
    assert answer.code == 1
    assert {path.name for path in tmp_path.iterdir()} == {f"{f.stem}.{end}" for f in files for end in ("csv", "txt")}
    assert f"1 of 2 inputs failed; the others are in {tmp_path}\n" in answer.err


def test_a_missing_extra_is_reported_before_any_work(
    keyseg: Any, trained: Path, kitchen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    words = (next((kitchen / "features").iterdir()), "--out", tmp_path / "out", "--format", "txt,otio")
    answer = keyseg("predict", trained, *words)
    assert answer.code == 2
    assert 'pip install "keyseg[formats]"' in answer.err
    assert not (tmp_path / "out").exists()


def test_where_all_videos_fail_there_are_no_others(keyseg: Any, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"cut")
    answer = keyseg("features", tmp_path / "a.mp4", "--out", tmp_path / "o", "--cache", tmp_path / "c")
    assert (answer.code, answer.err.splitlines()[-1]) == (1, "1 of 1 inputs failed")
