"""The scripted annotator: planted mistakes cost what mending them costs, and no sequence of edits is quicker."""

from __future__ import annotations

import sys
from heapq import heappop, heappush
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from keyseg.timeline import Segmentation

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from scripted_annotator import EDITS, REVIEW, Work, correct, from_nothing

TRUTH = Segmentation([0, 10, 20, 30, 40], [0, 1, 2, 3])


def edits(found: Segmentation, truth: Segmentation = TRUTH, tolerance: int = 0) -> dict[str, int]:
    work = correct(found, truth, tolerance)
    return {name: getattr(work, name) for name in (*EDITS, "reviews") if getattr(work, name)}


def test_a_right_timeline_costs_nothing():
    assert edits(TRUTH) == {}
    assert correct(TRUTH, TRUTH).seconds == 0


def test_a_shifted_boundary_is_moved_once():
    assert edits(Segmentation([0, 12, 20, 30, 40], [0, 1, 2, 3])) == {"move": 1}
    assert edits(Segmentation([0, 12, 20, 30, 40], [0, 1, 2, 3]), tolerance=2) == {}
    assert edits(Segmentation([0, 12, 20, 30, 40], [0, 1, 2, 3]), tolerance=1) == {"move": 1}


def test_moves_name_their_frames():
    assert correct(Segmentation([0, 12, 20, 27, 40], [0, 1, 2, 3]), TRUTH).moves == ((12, 10), (27, 30))


def test_a_wrong_class_is_relabelled():
    assert edits(Segmentation([0, 10, 20, 30, 40], [0, 4, 2, 3])) == {"relabel": 1}


def test_an_extra_segment_is_merged_away_on_both_sides():
    assert edits(Segmentation([0, 10, 13, 15, 20, 30, 40], [0, 1, 4, 1, 2, 3])) == {"merge": 2}


def test_an_extra_segment_beside_a_boundary_takes_one_merge():
    assert edits(Segmentation([0, 10, 17, 20, 30, 40], [0, 1, 4, 2, 3])) == {"merge": 1}


def test_a_missing_segment_is_inserted():
    assert edits(Segmentation([0, 20, 30, 40], [0, 2, 3])) == {"insert": 1, "reviews": 1}
    truth = Segmentation([0, 10, 20, 40], [0, 1, 0])
    assert edits(Segmentation([0, 40], [0]), truth) == {"insert": 1, "reviews": 2}


def test_neighbours_of_one_class_are_one_segment():
    assert edits(Segmentation([0, 10, 15, 20, 30, 40], [0, 1, 1, 2, 3])) == {}


def test_from_nothing_is_one_edit_per_segment_where_no_class_occurs_twice():
    assert (from_nothing(TRUTH).actions, from_nothing(TRUTH).reviews) == (4, 3)
    assert from_nothing(Segmentation([0, 9], [5])) == Work(relabel=1)


def test_from_nothing_background_is_given_to_all_and_actions_are_drawn_on_it():
    truth = Segmentation([0, 5, 9, 15, 20, 30], [0, 1, 0, 2, 0])
    assert from_nothing(truth) == Work(relabel=1, insert=2, reviews=4)


def test_what_is_left_of_a_segment_may_be_relabelled():
    truth = Segmentation([0, 5, 9, 30], [0, 1, 2])
    assert edits(Segmentation([0, 30], [0]), truth) == {"relabel": 1, "insert": 1, "reviews": 2}


def test_nothing_found_costs_as_much_as_from_nothing():
    assert correct(Segmentation([0, 40], [9]), TRUTH) == from_nothing(TRUTH)


def test_work_adds_up():
    assert Work(move=1, reviews=1, moves=((1, 2),)) + Work(move=1, merge=2, moves=((3, 4),)) == Work(
        move=2, merge=2, reviews=1, moves=((1, 2), (3, 4))
    )


def test_lengths_have_to_agree():
    with pytest.raises(ValueError, match="39 frames found, 40 annotated"):
        correct(Segmentation([0, 39], [0]), TRUTH)


def quickest(found: Segmentation, truth: Segmentation, classes: int) -> float:
    """Seconds of the quickest sequence of single edits, by search over all timelines."""
    goal = (tuple(truth.boundaries.tolist()), tuple(truth.labels.tolist()))
    start = (tuple(found.boundaries.tolist()), tuple(found.labels.tolist()))
    best, ties, queue = {start: 0.0}, count(), []
    heappush(queue, (0.0, next(ties), start))
    while queue:
        seconds, _, state = heappop(queue)
        if state == goal:
            return seconds
        if seconds > best[state]:
            continue
        for cost, after in edited(*state, classes):
            if seconds + cost < best.get(after, np.inf) - 1e-9:
                best[after] = seconds + cost
                heappush(queue, (best[after], next(ties), after))
    raise AssertionError("every timeline can be reached")


def edited(times, labels, classes):
    """Every timeline that is one edit away, with the seconds of it."""
    for i in range(len(labels)):
        start, end = times[i : i + 2]
        for label in set(range(classes)) - {labels[i]}:
            yield EDITS["relabel"], (times, (*labels[:i], label, *labels[i + 1 :]))
            for low in range(start, end):
                for high in range(low + 1, end + 1):
                    new = [at for at in (low, high) if start < at < end]
                    if new:
                        parts = [labels[i]] * (low > start) + [label] + [labels[i]] * (high < end)
                        after = (*times[: i + 1], *new, *times[i + 1 :]), (*labels[:i], *parts, *labels[i + 1 :])
                        yield EDITS["insert"] + REVIEW * len(new), after
        if i:
            for label in {labels[i - 1], labels[i]}:
                yield EDITS["merge"], ((*times[:i], *times[i + 1 :]), (*labels[: i - 1], label, *labels[i + 1 :]))
            for at in range(times[i - 1] + 1, times[i + 1]):
                yield EDITS["move"], ((*times[:i], at, *times[i + 1 :]), labels)


@pytest.mark.slow
def test_no_sequence_of_edits_is_quicker():
    """In four frames nothing can be drawn over what was drawn, which the annotator does not do."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        found, truth = (Segmentation.from_frames(rng.integers(0, 3, 4)) for _ in range(2))
        assert correct(found, truth).seconds == pytest.approx(quickest(found, truth, 3)), (found, truth)
