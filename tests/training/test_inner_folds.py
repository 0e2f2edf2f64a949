"""Inner folds of a split's training videos: who is held out, and whose features are read."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.data import Dataset
from keyseg.inference.decoders import FrameDecoder, KeypointDecoder
from keyseg.inference.decoding import (
    KeypointOutput,
    NetworkOutput,
    ProposalConfig,
    RefinementScores,
    propose_keypoints,
)
from keyseg.timeline import DataError, Segmentation
from keyseg.training.inner_folds import HeldOutVideo, inner_folds, read_outputs, save_outputs


class Videos:
    """A data set of names alone: each split's test videos; the groups are the letters before a name's digits.

    per_split: splits whose features are in a folder of their own; None: one folder for all.
    """

    def __init__(self, tests: dict[int, list[str]], per_split: tuple[int, ...] | None = None) -> None:
        self.tests, self.per_split = tests, per_split
        self.all = sorted({name for names in tests.values() for name in names})
        self.splits = tuple(sorted(tests))

    def names(self, split: int, subset: str) -> tuple[str, ...]:
        return tuple(name for name in self.all if (name in self.tests[split]) == (subset == "test"))

    def belongs_to_split(self, split: int) -> bool:
        return self.per_split is not None

    @property
    def root(self) -> Any:
        class Listed:
            def __truediv__(self, _: str) -> Any:
                return self

            def is_file(self) -> bool:
                return True

        return Listed()

    def group(self, name: str) -> str:
        return re.match(r"[a-z]+", name)[0]  # type: ignore[index]

    def feature_folder(self, split: int) -> None:
        if self.per_split is not None and split not in self.per_split:
            raise DataError("no such folder")


def videos(groups: list[int], tests: list[str] | None = None) -> Any:
    """So many videos of each group, and one split whose test videos are those given."""
    names = [f"{letter}{number}" for letter, count in zip("abcdefgh", groups, strict=False) for number in range(count)]
    found = Videos({1: tests or []})
    found.all = names
    return found


@given(st.lists(st.integers(1, 5), min_size=2, max_size=8), st.integers(2, 10))
def test_a_fold_holds_out_whole_groups_and_no_more_than_it_trains_on(groups: list[int], count: int) -> None:
    dataset = videos(groups, tests=["a0"])
    names = dataset.names(1, "train")
    left = {dataset.group(name) for name in names}
    folds = inner_folds(dataset, 1, count)
    assert len(folds) <= (min(count, len(left)) if len(left) > 1 else 0)
    assert folds or len(left) < 2
    for number, fold in enumerate(folds, 1):
        assert (fold.number, fold.split) == (number, 1)
        assert fold.seen
        assert fold.held_out
        assert len(fold.held_out) <= len(fold.seen)
        assert not {dataset.group(name) for name in fold.seen} & {dataset.group(name) for name in fold.held_out}
        assert sorted((*fold.seen, *fold.held_out)) == sorted(names)
        assert list(fold.seen) == [name for name in names if name in fold.seen]  # in the order of the split
    held_out = [name for fold in folds for name in fold.held_out]
    assert len(held_out) == len(set(held_out))
    sizes = [len({dataset.group(name) for name in fold.held_out}) for fold in folds]
    if folds:
        parts = min(max(count, 3), len(left))
        assert {*sizes} <= {len(left) // parts, -(-len(left) // parts)}
        assert set(held_out) != set(names) or count >= parts
    assert inner_folds(dataset, 1, count) == folds


def test_groups_of_one_size_are_all_held_out_once() -> None:
    folds = inner_folds(videos([2] * 6), 1, 3)
    assert [len(fold.held_out) for fold in folds] == [4, 4, 4]
    assert len({name for fold in folds for name in fold.held_out}) == 12


def test_a_group_of_most_videos_is_not_held_out() -> None:
    folds = inner_folds(videos([10, 1, 1]), 1, 2)
    assert sorted((fold.number, fold.held_out) for fold in folds) in (
        [(1, ("b0",)), (2, ("c0",))],
        [(1, ("c0",)), (2, ("b0",))],
    )


@pytest.mark.parametrize("groups", [[1], [5]])
def test_one_video_or_one_group_cannot_be_divided(groups: list[int]) -> None:
    assert inner_folds(videos(groups), 1, 3) == ()


def test_groups_are_drawn_not_taken_in_order() -> None:
    alternating = [("a0", "c0", "e0", "g0"), ("b0", "d0", "f0", "h0")]
    assert [fold.held_out for fold in inner_folds(videos([1] * 8), 1, 2)] not in (alternating, alternating[::-1])


FOUR: dict[int, list[str]] = {1: ["a0", "a1"], 2: ["b0", "b1"], 3: ["c0", "c1"], 4: ["d0", "d1"]}


def test_features_of_each_split_are_read_from_other_splits() -> None:
    folds = inner_folds(Videos(FOUR, per_split=(1, 2, 3, 4)), 2, 3)  # type: ignore[arg-type]
    assert [(fold.number, fold.split) for fold in folds] == [(1, 3), (2, 4), (3, 1)]  # the later ones first
    assert [fold.held_out for fold in folds] == [("c0", "c1"), ("d0", "d1"), ("a0", "a1")]
    assert folds[0].seen == ("a0", "a1", "d0", "d1")
    for fold in folds:
        assert not {*fold.seen, *fold.held_out} & set(FOUR[2])  # no test video of the outer split
        assert not set(fold.seen) & set(FOUR[fold.split])  # and none that its features were not trained on


def test_only_splits_with_features_count_and_no_more_than_asked_for() -> None:
    folds = inner_folds(Videos(FOUR, per_split=(1, 2, 4)), 2, 3)  # type: ignore[arg-type]
    assert [fold.split for fold in folds] == [4, 1]
    folds = inner_folds(Videos(FOUR, per_split=(1, 2, 3, 4)), 4, 2)  # type: ignore[arg-type]
    assert [fold.split for fold in folds] == [1, 2]
    assert inner_folds(Videos({1: ["a0"]}, per_split=(1,)), 1, 3) == ()  # type: ignore[arg-type]


def test_a_split_with_the_same_test_videos_holds_out_nothing() -> None:
    same = {1: ["a0"], 2: ["a0"], 3: ["b0"], 4: ["c0"]}
    folds = inner_folds(Videos(same, per_split=(1, 2, 3, 4)), 1, 3)  # type: ignore[arg-type]
    assert [(fold.number, fold.split) for fold in folds] == [(1, 3), (2, 4)]


def test_a_folder_of_one_split_that_is_named_has_no_other_split(workshop: Any, tmp_path: Path) -> None:
    """`data.features=features_split1`: the features of the other splits are not there to be read."""
    root = workshop.write(tmp_path / "set")
    (root / "features").rename(root / "features_split1")
    (root / "features_split2").mkdir()
    named = Dataset.open(root, features="features_split1")
    assert inner_folds(named, 1, 3) == ()
    (found,) = inner_folds(Dataset.open(root), 1, 3)
    assert (found.split, found.held_out) == (2, ("v0", "v1"))
    assert found.seen == ("v2", "v3", "v4", "v5")
    # Whatever the folders of splits are called.
    for split in (1, 2):
        (root / f"features_split{split}").rename(root / f"i3d_split{split}")
    dataset = Dataset.open(root, features="i3d_split*")
    assert inner_folds(dataset, 1, 3) == (found,)
    # A split that is not complete is of no use to others.
    (root / "splits" / "test.split2.bundle").unlink()
    assert inner_folds(dataset, 1, 3) == ()


def test_kept_outputs_come_back(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kept = {}
    for name, steps in (("S1_Tea/x", 30), ("plain", 1)):
        frames, action = random.random((2, 3, steps), np.float32)
        boundary = random.random(steps, np.float32)
        output = KeypointOutput(
            frames, frames[None], action, boundary, *propose_keypoints(action, boundary, ProposalConfig())
        )
        kept[name] = HeldOutVideo(output, Segmentation.from_frames(random.integers(0, 3, steps)))
    save_outputs(tmp_path / "fold1.npz", kept)
    assert [path.name for path in tmp_path.iterdir()] == ["fold1.npz"]
    strict = KeypointDecoder(proposals=ProposalConfig(action_threshold=0.8, boundary_threshold=0.7, limit=2))
    found = read_outputs(tmp_path / "fold1.npz", strict)
    assert list(found) == list(kept)
    for name, video in found.items():
        there = kept[name].output
        assert isinstance(video.output, KeypointOutput)
        assert isinstance(there, KeypointOutput)
        assert video.reference == kept[name].reference
        for part in ("frames", "action", "boundary"):
            assert getattr(video.output, part) == pytest.approx(getattr(there, part), abs=5e-4)  # float16
            assert getattr(video.output, part).dtype == np.float32
        actions, boundaries = propose_keypoints(video.output.action, video.output.boundary, strict.proposals)
        assert video.output.actions.time.tolist() == actions.time.tolist()
        assert video.output.boundaries.time.tolist() == boundaries.time.tolist()


def test_refined_keypoints_come_back_as_they_were(tmp_path: Path) -> None:
    """Their proposals are those of the same heatmaps, to the last bit: half precision would move peaks."""
    random = np.random.default_rng(1)
    frames, action = random.random((2, 3, 200), np.float32)
    boundary = random.random(200, np.float32)
    boundary[100:102] = 1.0, 1.0001  # one number in half precision, whose peak is the first
    actions, boundaries = propose_keypoints(action, boundary, ProposalConfig())
    assert 101 in boundaries.time
    scores = RefinementScores(
        *random.random((2, len(actions))), random.random((len(actions), 3)), boundaries.time + 0.25
    )
    scores = replace(scores, keep_boundary=random.random(len(boundaries)))
    output = KeypointOutput(frames, frames[None], action, boundary, actions, boundaries, scores)
    reference = Segmentation([0, 200], [1])
    save_outputs(tmp_path / "f.npz", {"v": HeldOutVideo(output, reference)})
    decoder = KeypointDecoder(refine=True)
    found = read_outputs(tmp_path / "f.npz", decoder)["v"].output
    assert isinstance(found, KeypointOutput)
    assert found.refinement is not None
    for field in fields(RefinementScores):
        np.testing.assert_array_equal(getattr(found.refinement, field.name), getattr(scores, field.name))
    assert found.actions.time.tolist() == actions.time.tolist()
    assert found.boundaries.time.tolist() == boundaries.time.tolist()
    assert decoder.segments(found).boundaries.time.tolist() == decoder.segments(output).boundaries.time.tolist()
    assert (
        decoder.segments(found).boundaries.time.tolist()
        != decoder.segments(found, "rtk-no-refinement").boundaries.time.tolist()
    )


def test_outputs_of_a_frame_wise_network_come_back(tmp_path: Path) -> None:
    frames = np.float32([[0.25, 0.5], [0.75, 0.5]])
    save_outputs(
        tmp_path / "f.npz", {"v": HeldOutVideo(NetworkOutput(frames, frames[None]), Segmentation([0, 2], [1]))}
    )
    found = read_outputs(tmp_path / "f.npz", FrameDecoder())["v"]
    assert type(found.output) is NetworkOutput
    assert found.output.frames.tolist() == frames.tolist()
    assert found.reference == Segmentation([0, 2], [1])
