"""Data sets made from annotations in seconds."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.data import Dataset, check_dataset
from keyseg.data.layout import folds_by_group, frames_of, ready, write_layout
from keyseg.timeline import Annotation, ConfigError, DataError, Interval, LabelMap, Segmentation


def annotation(name: str, *intervals: tuple[float, float, str]) -> Annotation:
    return Annotation(name, tuple(Interval(Fraction(a), Fraction(b), label) for a, b, label in intervals))


ANNOTATIONS = {
    "day 1": annotation("day 1", (1, 2, "take cup"), (2.5, 3, "pour")),
    "day 2": annotation("day 2", (0, 1, "pour"), (1, 1.5, "background")),
}


def labelled(
    annotations: dict[str, Annotation], background: tuple[str, ...] = (), overlap: Any = "error"
) -> SimpleNamespace:
    """What `ready` returns and reports."""
    notes: list[str] = []
    resolved, labels = ready(annotations, background, overlap, notes.append)
    return SimpleNamespace(annotations=resolved, labels=labels, notes=tuple(notes))


def framed(
    annotations: dict[str, Annotation], frames: dict[str, int], labels: LabelMap, fps: Fraction
) -> tuple[dict[str, Segmentation], tuple[str, ...]]:
    """What `frames_of` returns and reports."""
    notes: list[str] = []
    return frames_of(annotations, frames, labels, fps, notes.append), tuple(notes)


def prepared() -> SimpleNamespace:
    return labelled(ANNOTATIONS)


def test_classes_are_background_first_and_without_white_space() -> None:
    labels = prepared().labels
    assert labels.names == ("background", "pour", "take_cup")
    assert labels.background == ("background",)


def test_labels_that_mean_nothing_become_gaps() -> None:
    idle = {
        "a": annotation("a", (0, 1, "Idle"), (1, 2, "pour"), (2, 3, "BACKGROUND")),
        "b": annotation("b", (0, 1, "idle")),
    }
    found = labelled(idle, ("idle",), "error")
    assert found.labels.names == ("background", "pour")
    assert [i.label for i in found.annotations["a"].intervals] == ["pour"]
    assert found.notes == ("b: no action is labelled, all of it is background",)


def test_labels_that_look_alike_are_reported() -> None:
    alike = {"a": annotation("a", (0, 1, "take cup"), (1, 2, "take_cup"), (2, 3, "Pour"), (3, 4, "pour"))}
    found = labelled(alike, (), "error")
    assert found.labels.names == ("background", "Pour", "pour", "take_cup")
    assert found.notes == (
        "'take cup' and 'take_cup' are one class, take_cup",
        "Pour and pour are different classes; rename one if they are the same",
    )


def test_what_is_written_passes_the_check(tmp_path: Path) -> None:
    labels = prepared().labels
    frames = {"day 1": 40, "day 2": 17}
    found, notes = framed(prepared().annotations, frames, labels, Fraction(10))
    assert notes == ()
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


def test_labels_that_outlast_the_pictures_are_cut_with_a_note_or_an_error() -> None:
    made = prepared()
    found, notes = framed(made.annotations, {"day 1": 27, "day 2": 17}, made.labels, Fraction(10))
    assert notes == ("day 1: the labels end at 3.00 s, the pictures at 2.70 s; cut there",)
    assert found["day 1"].length == 27
    assert made.labels.names[found["day 1"].to_frames()[-1]] == "pour"
    with pytest.raises(DataError, match=r"day 1: 'take cup' .*ends after the video"):
        framed(made.annotations, {"day 1": 19, "day 2": 17}, made.labels, Fraction(10))


@pytest.mark.parametrize("fps", [10, 15, Fraction(30000, 1001), 25, 60])
def test_a_label_to_the_end_of_a_video_of_any_length_reaches_its_last_frame(fps: Fraction) -> None:
    end = Fraction("6.04")
    made = labelled({"a": Annotation("a", (Interval(Fraction(0), end, "stir"),))}, (), "error")
    for forgiven in (0, Fraction(1, 1000)):  # as the video reader counts frames, by the ticks of the file
        frames = -int(-(end - forgiven) * fps // 1)
        found, _ = framed(made.annotations, {"a": frames}, made.labels, Fraction(fps))
        assert found["a"].to_frames().tolist() == [1] * frames


def test_only_the_last_label_fills_the_last_frame() -> None:
    both = {"a": annotation("a", (0, 2, "x"), (2, 6.01, "y"), (6.01, 6.04, "z"))}
    made = labelled(both, (), "error")
    found, notes = framed(made.annotations, {"a": 91}, made.labels, Fraction(15))
    assert made.labels.decode(found["a"].to_frames()) == ["x"] * 30 + ["y"] * 60 + ["z"]
    assert notes == ()


def test_a_label_after_the_pictures_is_left_out_with_a_note() -> None:
    made = labelled({"a": annotation("a", (2, 6.05, "y"), (6.06, 6.5, "z"))}, (), "error")
    found, notes = framed(made.annotations, {"a": 91}, made.labels, Fraction(15))
    assert set(made.labels.decode(found["a"].to_frames()[30:])) == {"y"}
    assert notes == (
        "a: the labels end at 6.50 s, the pictures at 6.07 s; cut there",
        "a: 'z' from 6.06 s to 6.5 s starts after the pictures; left out",
    )


def test_overlaps_are_found_before_anything_is_read() -> None:
    both = {"a": annotation("a", (0, 2, "x"), (1, 3, "y"))}
    with pytest.raises(DataError, match=r"a: 'x' from 0 s to 2 s and 'y' from 1 s to 3 s overlap"):
        labelled(both, (), "error")
    assert [i.label for i in labelled(both, (), "first").annotations["a"].intervals] == ["x", "y"]


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.integers(2, 5))
def test_folds_test_every_video_once_and_keep_groups_together(members: list[int], folds: int) -> None:
    groups = {f"v{i}": f"g{group}" for i, group in enumerate(members)}
    frames = {video: 10 + 7 * i for i, video in enumerate(groups)}
    if folds > len(set(members)):
        with pytest.raises(ConfigError, match=r"of one group|splits: there must be"):
            folds_by_group(groups, frames, folds)
        return
    made = folds_by_group(groups, frames, folds)
    assert sorted(video for fold in made for video in fold.test) == sorted(groups)
    for fold in made:
        assert fold.test
        assert set(fold.train) == set(groups) - set(fold.test)
        assert not {groups[v] for v in fold.train} & {groups[v] for v in fold.test}
    assert made == folds_by_group(dict(reversed(groups.items())), frames, folds)


def test_folds_are_of_similar_size() -> None:
    groups = {f"v{i}": f"g{i}" for i in range(9)}
    frames = {f"v{i}": size for i, size in enumerate([90, 10, 20, 30, 40, 50, 60, 70, 80])}
    sizes = [sum(frames[v] for v in fold.test) for fold in folds_by_group(groups, frames, 3)]
    assert max(sizes) - min(sizes) <= 20
