"""Data sets made from annotations in seconds."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.data import Dataset, check_dataset
from keyseg.data.layout import classes_of, folds_by_group, frames_of, write_layout
from keyseg.timeline import Annotation, ConfigError, DataError, Interval


def annotation(name: str, *intervals: tuple[float, float, str]) -> Annotation:
    return Annotation(name, tuple(Interval(Fraction(a), Fraction(b), label) for a, b, label in intervals))


ANNOTATIONS = {
    "day 1": annotation("day 1", (1, 2, "take cup"), (2.5, 3, "pour")),
    "day 2": annotation("day 2", (0, 1, "pour"), (1, 1.5, "background")),
}


def test_classes_are_background_first_and_without_blanks() -> None:
    labels = classes_of(ANNOTATIONS, "background")
    assert labels.names == ("background", "pour", "take_cup")
    assert labels.background == ("background",)
    assert classes_of(ANNOTATIONS, "idle").names == ("idle", "background", "pour", "take_cup")


def test_what_is_written_passes_the_check(tmp_path: Path) -> None:
    labels = classes_of(ANNOTATIONS, "background")
    frames = {"day 1": 40, "day 2": 17}
    found = frames_of(ANNOTATIONS, frames, labels, Fraction(10))
    assert labels.decode(found["day 1"].to_frames()) == (
        ["background"] * 10 + ["take_cup"] * 10 + ["background"] * 5 + ["pour"] * 5 + ["background"] * 10
    )
    write_layout(tmp_path, found, labels, folds_by_group({name: name for name in frames}, frames, 2))
    (tmp_path / "features").mkdir()
    for name, length in frames.items():
        np.save(tmp_path / "features" / f"{name}.npy", np.ones((length, 3), np.float32))
    assert check_dataset(tmp_path).problems == ()
    dataset = Dataset.open(tmp_path)
    assert dataset.splits == (1, 2)
    assert dataset.names(1, "test") == ("day 1",)
    assert dataset.annotation("day 1") == found["day 1"]


def test_an_error_names_the_video() -> None:
    labels = classes_of(ANNOTATIONS, "background")
    with pytest.raises(DataError, match=r"annotation of day 1: .*pour"):
        frames_of(ANNOTATIONS, {"day 1": 20, "day 2": 17}, labels, Fraction(10))  # it goes on to 3 s


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.integers(2, 5))
def test_folds_test_every_video_once_and_keep_groups_together(members: list[int], folds: int) -> None:
    groups = {f"v{i}": f"g{group}" for i, group in enumerate(members)}
    frames = {video: 10 + 7 * i for i, video in enumerate(groups)}
    if folds > len(set(members)):
        with pytest.raises(ConfigError, match="splits need at least as many groups"):
            folds_by_group(groups, frames, folds)
        return
    made = folds_by_group(groups, frames, folds)
    assert sorted(video for fold in made for video in fold.test) == sorted(groups)
    for fold in made:
        assert fold.test
        assert set(fold.train) == set(groups) - set(fold.test)
        assert not {groups[v] for v in fold.train} & {groups[v] for v in fold.test}
    assert made == folds_by_group(dict(reversed(groups.items())), frames, folds)


def test_folds_are_of_like_size() -> None:
    groups = {f"v{i}": f"g{i}" for i in range(9)}
    frames = {f"v{i}": size for i, size in enumerate([90, 10, 20, 30, 40, 50, 60, 70, 80])}
    sizes = [sum(frames[v] for v in fold.test) for fold in folds_by_group(groups, frames, 3)]
    assert max(sizes) - min(sizes) <= 20
