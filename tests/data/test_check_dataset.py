"""The check: sound data has no problems, all planted defects are found at once, and no damage makes it raise."""

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyseg.data import Dataset, check_dataset
from keyseg.data.known_datasets import GTEA
from keyseg.timeline import ConfigError, KeysegError

DIMENSION = 5


def found(report):
    """Kind, file name and line of every problem."""
    return {(p.kind, p.path.name, p.line) for p in report.problems}


def test_a_sound_data_set(disk_set):
    report = check_dataset(disk_set.root)
    assert report.ok
    assert report.problems == report.warnings == ()
    assert (report.videos, report.frames, report.classes, report.splits) == (4, 120, 3, 1)
    assert report.dimension == DIMENSION
    assert report.dataset is None


def plant_text_defects(disk_set):
    disk_set.write("mapping.txt", "0 background\n1 cut\n1 stir\n3 pour\nfour wash\n5 cut\n")
    disk_set.write(
        "splits/train.split1.bundle", "S1_a.txt\nS1_b.txt\n\nS1_a.txt\n../secret.txt\ngone.txt\nS1_c.txt\nS1_d.txt\n"
    )
    disk_set.write("splits/test.split1.bundle", "S2_a.txt\nS2_b.txt\nS1_b.txt\n")
    disk_set.write("splits/train.split2.bundle", "\n")
    disk_set.labels("S1_a", ["cut"] * 9 + ["pourr"] * 4 + ["cut"] * 9 + ["eat"])
    disk_set.write("groundTruth/S1_c.txt", "")
    disk_set.write("groundTruth/S1_d.txt", "cut\n\ncut\n")
    disk_set.labels("spare", ["cut"] * 3)


def plant_feature_defects(disk_set, trap):
    for name in ("S1_c", "S1_d", "S2_c", "S2_d", "S2_e", "S2_f"):
        disk_set.features(name, np.zeros((DIMENSION, 3)))
        if name.startswith("S2"):
            disk_set.labels(name, ["cut"] * 3)
    disk_set.write("splits/test.split2.bundle", "S2_c.txt\nS2_d.txt\nS2_e.txt\nS2_f.txt\n")
    (disk_set.root / "features" / "S1_b.npy").unlink()
    bad = np.zeros((DIMENSION, 31))
    bad[1, 13] = np.inf
    disk_set.features("S2_a", bad)
    disk_set.features("S2_b", np.zeros((DIMENSION, 36)))
    disk_set.features("S2_c", np.zeros((DIMENSION + 6, 3)))
    np.save(disk_set.root / "features" / "S2_d.npy", np.array([[trap]], object), allow_pickle=True)
    cut = disk_set.root / "features" / "S2_e.npy"
    cut.write_bytes(cut.read_bytes()[:-1])
    outside = disk_set.root.parent / "outside.npy"
    (disk_set.root / "features" / "S2_f.npy").rename(outside)
    (disk_set.root / "features" / "S2_f.npy").symlink_to(outside)


class Trap:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_defects_of_every_kind_are_found_at_once(disk_set, tmp_path):
    plant_text_defects(disk_set)
    plant_feature_defects(disk_set, Trap(str(tmp_path / "sprung")))
    report = check_dataset(disk_set.root)
    assert not report.ok
    assert found(report) == {
        ("duplicate", "mapping.txt", 3),
        ("unreadable", "mapping.txt", 5),
        ("duplicate", "mapping.txt", 6),
        ("missing", "mapping.txt", None),
        ("duplicate", "train.split1.bundle", 4),
        ("outside", "train.split1.bundle", 5),
        ("leak", "test.split1.bundle", 3),
        ("empty", "train.split2.bundle", None),
        ("unknown label", "S1_a.txt", 10),
        ("unknown label", "S1_a.txt", 23),
        ("missing", "gone.txt", None),
        ("empty", "S1_c.txt", None),
        ("unreadable", "S1_d.txt", 2),
        ("missing", "gone.npy", None),
        ("missing", "S1_b.npy", None),
        ("not finite", "S2_a.npy", None),
        ("length", "S2_b.npy", None),
        ("dimension", "S2_c.npy", None),
        ("unreadable", "S2_d.npy", None),
        ("unreadable", "S2_e.npy", None),
        ("outside", "S2_f.npy", None),
    }
    assert len(report.problems) == 21
    assert [(p.kind, p.path.name) for p in report.warnings] == [("unused", "spare.txt")]
    assert not (tmp_path / "sprung").exists()
    assert list(report.problems) == sorted(report.problems, key=lambda p: (str(p.path), p.line or 0))
    words = {(p.kind, p.path.name, p.line): p.message for p in report.problems}
    assert "'pourr' (did you mean 'pour'?) from frame 9 on, 4 frames in total" in words["unknown label", "S1_a.txt", 10]
    assert "missing: 2, 4" in words["missing", "mapping.txt", None]
    assert "line 2" in words["leak", "test.split1.bundle", 3]
    assert "train.split1.bundle, line 6" in words["missing", "gone.txt", None]
    assert "36 feature steps for the 37 labels" in words["length", "S2_b.npy", None]
    assert "at step 13" in words["not finite", "S2_a.npy", None]
    assert "expected 5 channels as in most files, got 11" in words["dimension", "S2_c.npy", None]
    assert "pickled" in words["unreadable", "S2_d.npy", None]
    assert "cut off" in words["unreadable", "S2_e.npy", None]
    assert not any(str(p.path) + ":" in p.message for p in report.problems)


def test_a_problem_prints_as_place_and_message(disk_set):
    path = disk_set.labels("S1_a", ["cut"] * 22 + ["eat"])
    (problem,) = check_dataset(disk_set.root).problems
    assert str(problem).startswith(f"{path}:23: unknown class 'eat'")


def test_a_report_as_json(disk_set):
    disk_set.labels("S1_a", ["cut"] * 22 + ["eat"])
    report = json.loads(check_dataset(disk_set.root).to_json())
    assert (report["ok"], report["videos"], report["dimension"]) == (False, 4, DIMENSION)
    (problem,) = report["problems"]
    assert (problem["kind"], problem["line"]) == ("unknown label", 23)
    assert problem["path"].endswith("S1_a.txt")


def test_a_subject_on_both_sides_is_a_warning(disk_set):
    disk_set.write("mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(GTEA.classes)))
    for name, length in (("S1_a", 23), ("S1_b", 29), ("S2_a", 31), ("S2_b", 37)):
        disk_set.labels(name, ["pour"] * length)
    disk_set.bundle(1, ["S1_a", "S2_a"], ["S1_b", "S2_b"])
    report = check_dataset(disk_set.root)
    assert report.ok
    assert report.dataset == GTEA.title
    assert [(p.kind, p.path.name, p.line) for p in report.warnings] == [
        ("group leak", "test.split1.bundle", 1),
        ("group leak", "test.split1.bundle", 2),
    ]
    assert "S1_b is a test video, and S1_a, also of S1, a training video" in report.warnings[0].message


def test_a_subject_is_warned_of_once_and_a_leaked_video_is_no_warning(disk_set):
    disk_set.write("mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(GTEA.classes)))
    for name, length in (("S1_a", 23), ("S1_b", 29), ("S2_a", 31), ("S2_b", 37)):
        disk_set.labels(name, ["pour"] * length)
    # S2_a is on both sides, which is a problem already, so its subject causes no warning.
    disk_set.bundle(1, ["S1_a", "S2_a", "S2_b"], ["S2_a", "S1_b", "S1_c"])
    disk_set.labels("S1_c", ["pour"] * 3)
    disk_set.features("S1_c", np.ones((DIMENSION, 3)))
    report = check_dataset(disk_set.root)
    assert found(report) == {("leak", "test.split1.bundle", 1)}
    assert [(p.kind, p.line) for p in report.warnings] == [("group leak", 2)]


def test_a_group_of_no_video_is_a_warning(disk_set):
    disk_set.write("dataset.yaml", "groups: {S1_a: Ann, S1_bb: Ann}\n")
    (warning,) = check_dataset(disk_set.root).warnings
    assert (warning.kind, warning.path.name) == ("unused", "dataset.yaml")
    assert warning.message == "groups: no video is called 'S1_bb' (did you mean 'S1_b'?) (1 in all)"


def test_an_unused_video_is_checked_too(disk_set):
    disk_set.labels("spare", ["cut", "eat"])
    report = check_dataset(disk_set.root)
    assert found(report) == {("unknown label", "spare.txt", 2)}
    assert [p.kind for p in report.warnings] == ["unused"]


@pytest.mark.parametrize("gone", ["mapping.txt", "splits", "groundTruth", "features"])
def test_a_missing_file_or_folder_is_one_problem(gone, disk_set):
    disk_set.bundle(2, ["S2_a", "S2_b"], ["S1_a", "S1_b"])
    path = disk_set.root / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    disk_set.root.joinpath("splits").mkdir(exist_ok=True)
    report = check_dataset(disk_set.root)
    assert [(p.kind, p.path) for p in report.problems] == [("missing", path)]


def test_no_data_set_at_all(tmp_path):
    assert found(check_dataset(tmp_path / "gone")) == {("missing", "gone", None)}
    assert {("missing", "mapping.txt", None), ("missing", "groundTruth", None)} <= found(check_dataset(tmp_path))
    (tmp_path / "mapping.txt").write_text("\n")
    assert ("empty", "mapping.txt", None) in found(check_dataset(tmp_path))


def test_features_of_each_split_are_checked(disk_set):
    disk_set.bundle(2, ["S2_a", "S2_b"], ["S1_a", "S1_b"])
    shutil.copytree(disk_set.root / "features", disk_set.root / "features_split1")
    (disk_set.root / "features").rename(disk_set.root / "features_split2")
    assert check_dataset(disk_set.root).ok
    (disk_set.root / "features_split2" / "S1_a.npy").unlink()
    (problem,) = check_dataset(disk_set.root).problems
    assert problem.path == disk_set.root / "features_split2" / "S1_a.npy"
    shutil.rmtree(disk_set.root / "features_split2")
    assert found(check_dataset(disk_set.root)) == {("missing", "features_split2", None)}
    report = check_dataset(disk_set.root, features="features_split1")
    assert found(report) == {("leak", "features_split1", None)}


def test_axes_that_nothing_decides(disk_set):
    for name in ("S1_a", "S1_b", "S2_a", "S2_b"):
        disk_set.labels(name, ["cut"] * DIMENSION)
        disk_set.features(name, np.full((DIMENSION, DIMENSION), np.nan if name == "S2_a" else 1))
    assert found(check_dataset(disk_set.root)) == {
        ("orientation", "features", None),
        ("not finite", "S2_a.npy", None),
    }
    assert found(check_dataset(disk_set.root, orientation="DT")) == {("not finite", "S2_a.npy", None)}


def test_options_reach_the_check(disk_set):
    disk_set.rewrite_features(lambda array: array[:, :-1])
    assert {p.kind for p in check_dataset(disk_set.root).problems} == {"length"}
    assert check_dataset(disk_set.root, lengths="trim", tolerance=1).ok
    assert check_dataset(disk_set.root, lengths="resample").ok
    assert ("unknown label", "mapping.txt", None) in found(check_dataset(disk_set.root, background="SIL"))
    with pytest.raises(ConfigError, match="lengths: Input should be 'error', 'trim' or 'resample', got 'pad'"):
        check_dataset(disk_set.root, lengths="pad")


def everything_loads(root):
    try:
        dataset = Dataset.open(root)
        for split in dataset.splits:
            for subset in ("train", "test"):
                for name in dataset.names(split, subset):
                    dataset.load(name, split)
    except KeysegError:
        return False
    return True


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_damaged_the_check_does_not_raise_and_agrees_with_the_loader(data, disk_set, tmp_path_factory):
    root = tmp_path_factory.mktemp("damaged") / "set"
    shutil.copytree(disk_set.root, root)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=2, unique=True)):
        raw = path.read_bytes()
        at = data.draw(st.integers(0, min(len(raw), 200)))
        gone = data.draw(st.integers(0, 8))
        path.write_bytes(raw[:at] + data.draw(st.binary(max_size=4)) + raw[at + gone :])
    report = check_dataset(root)
    # A leak is the only problem that does not keep a video from loading.
    stops = [problem for problem in report.problems if problem.kind != "leak"]
    if not stops:
        assert everything_loads(root)
    elif everything_loads(root):
        unused = {problem.path for problem in report.warnings if problem.kind == "unused"}
        assert {problem.path for problem in stops} <= unused
