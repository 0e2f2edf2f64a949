"""Common order: the edit score with the nearest annotation of another group, averaged; a sample of many annotations."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.data import check_dataset
from keyseg.data.known_datasets import GTEA
from keyseg.data.order import SAMPLE, common_order
from keyseg.metrics.edit import edit_score
from keyseg.timeline import Segmentation

BACKGROUND = 3
frame_labels = st.lists(st.integers(0, BACKGROUND), min_size=20, max_size=20)
videos = st.lists(st.tuples(frame_labels, st.sampled_from("abc")), max_size=6)


def order(frames):
    return [label for label in Segmentation.from_frames(frames).labels.tolist() if label != BACKGROUND]


@given(videos)
def test_it_is_the_mean_edit_score_with_the_nearest_of_the_other_groups(videos):
    found = common_order([order(frames) for frames, _ in videos], [group for _, group in videos])
    if len({group for _, group in videos}) < 2:
        assert found is None
        return
    nearest = [
        max(
            edit_score([np.array(other)], [np.array(frames)], background=[BACKGROUND])
            for other, theirs in videos
            if theirs != group
        )
        for frames, group in videos
    ]
    assert found == pytest.approx(np.mean(nearest))


def test_the_same_order_is_100_and_nothing_in_common_is_0():
    assert common_order(["abc", "abc"], ["S1", "S2"]) == 100
    assert common_order(["abc", "def"], ["S1", "S2"]) == 0
    assert common_order(["abc", "abc", "def"], ["S1", "S1", "S2"]) == 0


@pytest.mark.parametrize("count", [SAMPLE, 2 * SAMPLE - 1])
def test_of_many_annotations_those_at_even_distances_are_compared(count):
    every = (count - 1) // (SAMPLE - 1)
    orders = [["pour" if i % every == 0 else i] for i in range(count)]
    assert common_order(orders, [str(i) for i in range(count)]) == 100
    # One that is not compared cannot be the nearest either.
    orders[1] = orders[0] = ["stir"]
    expected = 100 * (1 if every == 1 else (SAMPLE - 1) / SAMPLE)
    assert common_order(orders, [str(i) for i in range(count)]) == pytest.approx(expected)


def test_check_counts_background_and_each_video_as_its_own_group(disk_set):
    for name, labels in {
        "S1_a": ["cut"] * 9 + ["background"] * 5 + ["pour"] * 9,
        "S1_b": ["background"] * 9 + ["cut"] * 11 + ["pour"] * 9,
        "S2_a": ["pour"] * 31,
        "S2_b": ["pour"] * 30 + ["background"] * 7,
    }.items():
        disk_set.labels(name, labels)
    # The nearest have 1/3 (of S1_a and of S1_b) and 1/2.
    expected = pytest.approx(100 * (1 / 3 + 1 / 3 + 1 / 2 + 1 / 2) / 4)
    assert check_dataset(disk_set.root).common_order == expected
    assert check_dataset(disk_set.root, background=("pour",)).common_order == expected


def test_check_compares_subjects_where_they_are_known(disk_set):
    disk_set.write("mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(GTEA.classes)))
    for name, length in disk_set.lengths.items():
        disk_set.labels(name, [{"S1": "pour", "S2": "stir"}[name[:2]]] * length)
    assert check_dataset(disk_set.root).common_order == 0


def test_check_has_no_common_order_of_one_video_or_of_none(disk_set):
    assert isinstance(json.loads(check_dataset(disk_set.root).to_json())["common_order"], float)
    for name in ("S1_b", "S2_a", "S2_b"):
        (disk_set.root / "groundTruth" / f"{name}.txt").unlink()
    assert check_dataset(disk_set.root).common_order is None
    (disk_set.root / "groundTruth" / "S1_a.txt").unlink()
    assert json.loads(check_dataset(disk_set.root).to_json())["common_order"] is None
