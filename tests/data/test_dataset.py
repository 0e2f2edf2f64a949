"""Opening and loading a data set: planted videos come back, and options do what they promise."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from keyseg.data import Dataset
from keyseg.data.known_datasets import BREAKFAST, GTEA
from keyseg.timeline import DataError, Segmentation, TimeBase

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


def test_properties_of_a_data_set(disk_set):
    disk_set.bundle(12, ["S1_a"], ["S1_b"])
    dataset = Dataset.open(str(disk_set.root))
    assert dataset.labels.names == ("background", "cut", "pour")
    assert dataset.labels.background == ("background",)
    assert dataset.timebase == TimeBase(Fraction(15), 1)
    assert dataset.facts is None
    assert dataset.splits == (1, 12)
    assert dataset.names(1, "train") == ("S1_a", "S1_b")
    assert dataset.names(1, "test") == ("S2_a", "S2_b")
    assert dataset.layout(1)[1] == DIMENSION
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
    assert dataset.layout(1)[1] == DIMENSION


def test_a_square_file_is_read_like_the_rest_of_its_folder(disk_set):
    disk_set.labels("S1_a", ["cut"] * DIMENSION)
    square = np.arange(DIMENSION**2, dtype=np.float32).reshape(DIMENSION, DIMENSION)
    disk_set.features("S1_a", square)
    np.testing.assert_array_equal(Dataset.open(disk_set.root).load("S1_a", 1).features, square.T)


def test_nothing_but_squares_needs_the_orientation(disk_set):
    for name in ("S1_a", "S1_b", "S2_a", "S2_b"):
        disk_set.labels(name, ["cut"] * DIMENSION)
        disk_set.features(name, np.ones((DIMENSION, DIMENSION)))
    with pytest.raises(
        DataError, match=r"features: the shapes of its 4 files .* do not show which axis is time; set orientation"
    ):
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
    assert dataset.timebase.sample_rate == 3
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
    assert (dataset.layout(1)[1], dataset.layout(2)[1]) == (DIMENSION, 3)
    assert dataset.load("S1_a", 1).features.shape == (23, DIMENSION)
    assert (dataset.load("S1_a", 2).features == 2).all()
    with pytest.raises(
        DataError, match=r"features_split1: features learnt on the training videos of split 1 may have seen .* split 2"
    ):
        Dataset.open(disk_set.root, features="features_split1").load("S1_a", 2)


def test_a_named_folder_of_features_goes_before_the_default(disk_set):
    for name in ("S1_a", "S1_b", "S2_a", "S2_b"):
        length = Dataset.open(disk_set.root).annotation(name).length
        disk_set.features(name, np.ones((2, length)), folder="features_accel")
    assert Dataset.open(disk_set.root, features="features_accel").layout(1)[1] == 2
    assert Dataset.open(disk_set.root).layout(1)[1] == DIMENSION


def test_one_folder_has_one_dimension(disk_set):
    disk_set.features("S2_b", np.ones((DIMENSION + 6, 37)))
    dataset = Dataset.open(disk_set.root)
    assert dataset.layout(1)[1] == DIMENSION
    with pytest.raises(DataError, match=r"S2_b.npy: expected 5 channels, got 11 \(shape \(11, 37\) read as \(D, T\)\)"):
        dataset.load("S2_b", 1)


def test_the_room_opens_without_torch():
    code = "import sys, keyseg.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
