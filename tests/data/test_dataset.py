"""Opening and loading a data set: planted videos come back, options do what they say, and errors teach."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from keyseg.data import Dataset
from keyseg.data.catalog import BREAKFAST, GTEA
from keyseg.timeline import ConfigError, DataError, Segmentation, TimeBase

DIMENSION = 5


def test_a_planted_video_comes_back(disk_set):
    disk_set.labels("S1_a", ["cut"] * 4 + ["background"] * 2 + ["pour"])
    planted = np.arange(7 * DIMENSION, dtype=np.float32).reshape(DIMENSION, 7)
    disk_set.features("S1_a", planted)
    sample = Dataset.open(disk_set.root).load("S1_a", 1)
    assert sample.name == "S1_a"
    assert sample.features.dtype == np.float32
    np.testing.assert_array_equal(sample.features, planted.T)
    assert sample.labels.dtype == np.int64
    assert sample.labels.tolist() == [1, 1, 1, 1, 0, 0, 2]
    assert sample.segmentation == Segmentation(np.array([0, 4, 6, 7]), np.array([1, 0, 2]))


def test_a_sample_owns_its_arrays(disk_set):
    disk_set.rewrite_features(lambda array: np.ascontiguousarray(array.T))
    sample = Dataset.open(disk_set.root).load("S1_a", 1)
    assert type(sample.features) is np.ndarray
    sample.features[0, 0] = 1
    sample.labels[0] = 0


def test_what_a_data_set_knows_of_itself(disk_set):
    disk_set.bundle(12, ["S1_a"], ["S1_b"])
    dataset = Dataset.open(str(disk_set.root))
    assert dataset.labels.names == ("background", "cut", "pour")
    assert dataset.labels.background == ("background",)
    assert dataset.timebase == TimeBase(Fraction(15), 1)
    assert dataset.facts is None
    assert dataset.splits == (1, 12)
    assert dataset.names(1, "train") == ("S1_a", "S1_b")
    assert dataset.names(1, "test") == ("S2_a", "S2_b")
    assert dataset.dimension(1) == DIMENSION
    assert dataset.group("S1_a") == "S1_a"
    assert dataset.annotation("S2_b").length == 37


def test_facts_of_a_known_data_set(disk_set):
    disk_set.write("mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(BREAKFAST.classes)))
    dataset = Dataset.open(disk_set.root)
    assert dataset.facts is BREAKFAST
    assert dataset.labels.background == ()
    assert dataset.group("P03_cam01_P03_cereals") == "P03"
    disk_set.write("mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(GTEA.classes)))
    assert Dataset.open(disk_set.root, fps=Fraction(30000, 1001)).timebase.fps == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("background", "expected"),
    [((), ()), (("pour", "cut"), ("pour", "cut")), ("pour", ("pour",)), (None, ("background",))],
)
def test_background_by_name(background, expected, disk_set):
    assert Dataset.open(disk_set.root, background=background).labels.background == expected


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("axes", ["DT", "TD"])
@pytest.mark.parametrize("given_axes", [False, True])
def test_orientation_and_float_type_do_not_matter(dtype, axes, given_axes, disk_set):
    disk_set.rewrite_features(lambda array: array.astype(np.float16).astype(np.float32))
    expected = Dataset.open(disk_set.root).load("S2_b", 1)
    disk_set.rewrite_features(lambda array: (array.T if axes == "TD" else array).astype(dtype))
    dataset = Dataset.open(disk_set.root, orientation=axes if given_axes else "auto")
    np.testing.assert_array_equal(dataset.load("S2_b", 1).features, expected.features)
    assert dataset.dimension(1) == DIMENSION


def test_a_square_file_is_read_like_the_rest_of_its_folder(disk_set):
    disk_set.labels("S1_a", ["cut"] * DIMENSION)
    square = np.arange(DIMENSION**2, dtype=np.float32).reshape(DIMENSION, DIMENSION)
    disk_set.features("S1_a", square)
    np.testing.assert_array_equal(Dataset.open(disk_set.root).load("S1_a", 1).features, square.T)


def test_nothing_but_squares_needs_the_orientation(disk_set):
    for name in ("S1_a", "S1_b", "S2_a", "S2_b"):
        disk_set.labels(name, ["cut"] * DIMENSION)
        disk_set.features(name, np.ones((DIMENSION, DIMENSION)))
    with pytest.raises(DataError, match=r"features: cannot tell time from channels .* 4 files .* set orientation"):
        Dataset.open(disk_set.root).load("S1_a", 1)
    assert Dataset.open(disk_set.root, orientation="DT").load("S1_a", 1).features.shape == (DIMENSION, DIMENSION)


def test_another_video_that_is_missing_does_not_stop_this_one(disk_set):
    (disk_set.root / "features" / "S1_a.npy").unlink()
    (disk_set.root / "groundTruth" / "S1_b.txt").unlink()
    dataset = Dataset.open(disk_set.root)
    assert len(dataset.load("S2_a", 1).labels) == 31
    with pytest.raises(DataError, match=r"S1_a.npy: no such feature file"):
        dataset.load("S1_a", 1)
    with pytest.raises(DataError, match=r"S1_b.txt: cannot read it \(no such file\)"):
        dataset.load("S1_b", 1)


def test_sample_rate_takes_every_nth_column_and_label(disk_set):
    whole = Dataset.open(disk_set.root).load("S1_b", 1)
    dataset = Dataset.open(disk_set.root, sample_rate=3)
    sample = dataset.load("S1_b", 1)
    assert dataset.timebase.stride == 3
    np.testing.assert_array_equal(sample.features, whole.features[::3])
    np.testing.assert_array_equal(sample.labels, whole.labels[::3])
    assert sample.segmentation == whole.segmentation


def test_features_already_sampled_at_the_rate_stay(disk_set):
    disk_set.rewrite_features(lambda array: array[:, ::3])
    sample = Dataset.open(disk_set.root, sample_rate=3).load("S1_b", 1)
    assert len(sample.features) == len(sample.labels) == 10
    assert sample.segmentation.length == 29


def test_lengths_that_differ_are_an_error_unless_asked_for(disk_set):
    disk_set.rewrite_features(lambda array: array[:, :-2])
    with pytest.raises(
        DataError, match=r"S1_a.npy: 21 feature steps for the 23 labels of .*S1_a.txt; .*'trim'.*'resample'"
    ):
        Dataset.open(disk_set.root).load("S1_a", 1)
    with pytest.raises(DataError, match="more than the tolerance of 1"):
        Dataset.open(disk_set.root, lengths="trim", tolerance=1).load("S1_a", 1)


def test_trim_cuts_features_labels_and_segmentation(disk_set):
    whole = Dataset.open(disk_set.root).load("S1_a", 1)
    disk_set.rewrite_features(lambda array: array[:, :-2])
    sample = Dataset.open(disk_set.root, lengths="trim", tolerance=2).load("S1_a", 1)
    np.testing.assert_array_equal(sample.features, whole.features[:21])
    np.testing.assert_array_equal(sample.labels, whole.labels[:21])
    np.testing.assert_array_equal(sample.segmentation.to_frames(), whole.labels[:21])


def test_resample_stretches_the_features_to_the_labels(disk_set):
    whole = Dataset.open(disk_set.root).load("S1_a", 1)
    disk_set.rewrite_features(lambda array: np.repeat(array, 3, axis=1))
    sample = Dataset.open(disk_set.root, lengths="resample").load("S1_a", 1)
    np.testing.assert_array_equal(sample.features, whole.features)
    np.testing.assert_array_equal(sample.labels, whole.labels)


def test_a_folder_of_features_for_each_split(disk_set):
    disk_set.bundle(2, ["S2_a", "S2_b"], ["S1_a", "S1_b"])
    (disk_set.root / "features").rename(disk_set.root / "features_split1")
    for name in ("S1_a", "S1_b", "S2_a", "S2_b"):
        length = Dataset.open(disk_set.root).annotation(name).length
        disk_set.features(name, np.full((3, length), 2), folder="features_split2")
    dataset = Dataset.open(disk_set.root)
    assert (dataset.dimension(1), dataset.dimension(2)) == (DIMENSION, 3)
    assert dataset.load("S1_a", 1).features.shape == (23, DIMENSION)
    assert (dataset.load("S1_a", 2).features == 2).all()
    with pytest.raises(
        DataError, match=r"features_split1: features learnt on the training videos of split 1, .* split 2"
    ):
        Dataset.open(disk_set.root, features="features_split1").load("S1_a", 2)


def test_a_named_folder_of_features_goes_before_the_default(disk_set):
    for name in ("S1_a", "S1_b", "S2_a", "S2_b"):
        length = Dataset.open(disk_set.root).annotation(name).length
        disk_set.features(name, np.ones((2, length)), folder="features_accel")
    assert Dataset.open(disk_set.root, features="features_accel").dimension(1) == 2
    assert Dataset.open(disk_set.root).dimension(1) == DIMENSION


def test_nan_features_name_file_and_step(disk_set):
    array = np.zeros((DIMENSION, 23))
    array[2, 17] = np.nan
    disk_set.features("S1_a", array)
    with pytest.raises(DataError, match=r"S1_a.npy: NaN or infinite value at step 17"):
        Dataset.open(disk_set.root).load("S1_a", 1)


def test_labels_that_are_wrong(disk_set):
    path = disk_set.labels("S1_a", ["cut"] * 9 + ["pourr"] * 14)
    dataset = Dataset.open(disk_set.root)
    with pytest.raises(DataError, match=r"S1_a.txt:10: unknown class 'pourr' at frame 9 \(did you mean 'pour'\?\)"):
        dataset.annotation("S1_a")
    path.write_text("### Frame level recognition: ###\ncut pourr\n")
    with pytest.raises(DataError, match=r"S1_a.txt:2: unknown class 'pourr' at frame 1"):
        dataset.annotation("S1_a")
    path.write_text("")
    with pytest.raises(DataError, match=r"S1_a.txt: no labels in it"):
        dataset.annotation("S1_a")


def test_things_that_are_not_there(disk_set, tmp_path):
    dataset = Dataset.open(disk_set.root)
    with pytest.raises(DataError, match=r"gone: no such folder; expected a data set with mapping.txt"):
        Dataset.open(tmp_path / "gone")
    with pytest.raises(DataError, match=r"splits: no split 3; there are splits 1"):
        dataset.names(3, "train")
    with pytest.raises(DataError, match="no split 3"):
        dataset.load("S1_a", 3)
    with pytest.raises(DataError, match=r"features_i3d: no such folder; .* \(there is features\)"):
        Dataset.open(disk_set.root, features="features_i3d").load("S1_a", 1)
    (disk_set.root / "splits" / "test.split1.bundle").unlink()
    with pytest.raises(DataError, match=r"test.split1.bundle: cannot read it \(no such file\)"):
        dataset.names(1, "test")
    (disk_set.root / "splits" / "train.split1.bundle").unlink()
    with pytest.raises(DataError, match=r"splits: no splits here; expected train.split1.bundle"):
        _ = Dataset.open(disk_set.root).splits
    (disk_set.root / "mapping.txt").unlink()
    with pytest.raises(DataError, match=r"mapping.txt: cannot read the class list"):
        Dataset.open(disk_set.root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S1_a.txt\nS1_b.txt\nS1_a.txt\n", r"bundle:3: S1_a stands here and on line 1"),
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
        ({"orientation": "TC"}, "orientation is one of auto, DT, TD, got 'TC'"),
        ({"lengths": "pad"}, "lengths is one of error, trim, resample, got 'pad'"),
        ({"tolerance": 2}, "goes with lengths 'trim', got 2 with 'error'"),
        ({"tolerance": -1, "lengths": "trim"}, "frames >= 0"),
        ({"fps": 0}, "fps must be positive"),
        ({"sample_rate": 0}, "stride must be a whole number"),
    ],
)
def test_options_out_of_range(options, message, disk_set):
    with pytest.raises(ConfigError, match=message):
        Dataset.open(disk_set.root, **options)


def test_an_unknown_subset(disk_set):
    with pytest.raises(ConfigError, match=r"subset is 'train' or 'test', got 'tests' \(did you mean 'test'\?\)"):
        Dataset.open(disk_set.root).names(1, "tests")


def test_the_room_opens_without_torch():
    code = "import sys, keyseg.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
