"""Data sets that are wrong: each error names file, line and what to do; no name or link leads outside."""

from time import process_time

import numpy as np
import pytest

from keyseg.data import Dataset
from keyseg.data.dataset import read_annotation
from keyseg.timeline import ConfigError, DataError

DIMENSION = 5


def test_nan_features_name_file_and_step(disk_set):
    array = np.zeros((DIMENSION, 23))
    array[2, 17] = np.nan
    disk_set.features("S1_a", array)
    with pytest.raises(DataError, match=r"S1_a.npy: NaN or infinite value at step 17"):
        Dataset.open(disk_set.root).load("S1_a", 1)


def test_thousands_of_unknown_classes_are_counted_in_no_time(disk_set):
    path = disk_set.labels("S1_a", [f"l{at}" for at in range(50_000)])
    problems = []
    before = process_time()
    read_annotation(path, ("cut", "pour"), lambda *problem: problems.append(problem))
    assert process_time() - before < 4
    assert len(problems) == 11
    assert problems[9][2:] == (10, "unknown class 'l9' from frame 9 on, 1 frames in total")
    assert problems[10] == ("unknown label", path, None, "49990 more unknown classes; is it the right file?")


def test_labels_that_are_wrong(disk_set):
    path = disk_set.labels("S1_a", ["cut"] * 9 + ["pourr"] * 14)
    dataset = Dataset.open(disk_set.root)
    with pytest.raises(
        DataError,
        match=r"S1_a.txt:10: unknown class 'pourr' \(did you mean 'pour'\?\) from frame 9 on, 14 frames in total",
    ):
        dataset.annotation("S1_a")
    path.write_text("### Frame level recognition: ###\ncut pourr\n")
    with pytest.raises(
        DataError,
        match=r"S1_a.txt:2: unknown class 'pourr' \(did you mean 'pour'\?\) from frame 1 on, 1 frames in total",
    ):
        dataset.annotation("S1_a")
    path.write_text("")
    with pytest.raises(DataError, match=r"S1_a.txt: no labels in it"):
        dataset.annotation("S1_a")


def test_missing_files_and_folders(disk_set, tmp_path):
    dataset = Dataset.open(disk_set.root)
    with pytest.raises(DataError, match=r"gone: no such folder; expected a data set with mapping.txt"):
        Dataset.open(tmp_path / "gone")
    with pytest.raises(DataError, match=r"splits: no split 3; there are splits 1"):
        dataset.names(3, "train")
    with pytest.raises(DataError, match="no split 3"):
        dataset.load("S1_a", 3)
    with pytest.raises(DataError, match=r"features_i3d: no such folder; .* \(existing: features\)"):
        Dataset.open(disk_set.root, features="features_i3d").load("S1_a", 1)
    (disk_set.root / "splits" / "test.split1.bundle").unlink()
    with pytest.raises(DataError, match=r"test.split1.bundle: cannot read it \(no such file\)"):
        dataset.names(1, "test")
    (disk_set.root / "splits" / "train.split1.bundle").unlink()
    with pytest.raises(DataError, match=r"splits: no splits here; expected train.split1.bundle"):
        _ = Dataset.open(disk_set.root).splits
    (disk_set.root / "mapping.txt").unlink()
    with pytest.raises(DataError, match=r"mapping.txt: cannot read it \(no such file\)"):
        Dataset.open(disk_set.root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S1_a.txt\nS1_b.txt\nS1_a.txt\n", r"bundle:3: S1_a is on line 1 already; delete one"),
        ("\n\n", r"bundle: no video names"),
        ("S1_a.txt\n../S1_b.txt\n", r"bundle:2: '../S1_b' leads out of the data set"),
        ("/etc/passwd\n", r"bundle:1: '/etc/passwd' leads out"),
        ("a/../../b.txt\n", "leads out"),
        ("C:\\videos\\b.txt\n", "leads out"),
        ("..\\b.txt\n", "leads out"),
        (".txt\n", "leads out"),
    ],
)
def test_bundles_that_are_wrong(text, message, disk_set):
    disk_set.write("splits/train.split1.bundle", text)
    with pytest.raises(DataError, match=message):
        Dataset.open(disk_set.root).names(1, "train")


def test_bundles_of_other_editors(disk_set):
    disk_set.write("splits/train.split1.bundle", "\ufeffS1_b.txt\r\n\r\n S1_a\r\n")
    assert Dataset.open(disk_set.root).names(1, "train") == ("S1_b", "S1_a")


@pytest.mark.parametrize(("folder", "suffix"), [("features", ".npy"), ("groundTruth", ".txt")])
def test_names_and_links_do_not_lead_out_of_the_data_set(folder, suffix, disk_set, tmp_path):
    dataset = Dataset.open(disk_set.root)
    inside = disk_set.root / folder / f"S1_a{suffix}"
    outside = tmp_path / f"outside{suffix}"
    inside.rename(outside)
    with pytest.raises(DataError, match="leads out of"):
        dataset.load("../../outside", 1)
    with pytest.raises(DataError, match="leads out of"):
        dataset.load(str(tmp_path / "outside"), 1)
    inside.symlink_to(outside)
    with pytest.raises(DataError, match=rf"leads out of .*{folder}, to .*outside.*link the folder"):
        dataset.load("S1_a", 1)
    inside.unlink()
    inside.symlink_to(inside)
    with pytest.raises(DataError, match=f"S1_a{suffix}"):
        dataset.load("S1_a", 1)


def test_a_folder_may_be_a_link_and_so_may_a_file_inside(disk_set, tmp_path):
    (disk_set.root / "features").rename(tmp_path / "elsewhere")
    (disk_set.root / "features").symlink_to(tmp_path / "elsewhere")
    video = tmp_path / "elsewhere" / "S1_a.npy"
    video.rename(tmp_path / "elsewhere" / "original.npy")
    video.symlink_to("original.npy")
    assert Dataset.open(disk_set.root).load("S1_a", 1).features.shape == (23, DIMENSION)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orientation": "TC"}, "orientation: Input should be 'auto', 'DT' or 'TD', got 'TC'"),
        ({"lengths": "pad"}, "lengths: Input should be 'error', 'trim' or 'resample', got 'pad'"),
        ({"tolerance": 2}, "tolerance 2 needs lengths 'trim', got lengths 'error'"),
        ({"tolerance": -1, "lengths": "trim"}, "tolerance: Input should be greater than or equal to 0, got -1"),
        ({"fps": 0}, "fps: a frame rate is a number such as .*; got '0'"),
        ({"sample_rate": 0}, "sample_rate: Input should be greater than or equal to 1, got 0"),
    ],
)
def test_options_out_of_range(options, message, disk_set):
    with pytest.raises(ConfigError, match=message):
        Dataset.open(disk_set.root, **options)


def test_an_unknown_subset(disk_set):
    with pytest.raises(ConfigError, match=r"subset is 'train' or 'test', got 'tests' \(did you mean 'test'\?\)"):
        Dataset.open(disk_set.root).names(1, "tests")
