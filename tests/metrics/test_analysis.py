"""What the errors look like: planted ones, and the counts against torchmetrics and the evaluator."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from keyseg.metrics import evaluate_labels
from keyseg.metrics.analysis import analyse
from keyseg.metrics.analysis_table import class_table

# In `tea` cut starts 2 frames late and ends 3 early, and pour starts 3 early and ends 2 late.
REFERENCE = {"tea": ["background"] * 3 + ["cut"] * 11 + ["pour"] * 7 + ["background"] * 9, "milk": ["pour"] * 5}
PREDICTION = {"tea": ["background"] * 5 + ["cut"] * 6 + ["pour"] * 12 + ["stir"] * 7, "milk": ["pour"] * 5}


def test_planted_errors() -> None:
    found = analyse(REFERENCE, PREDICTION, fps=Fraction(10))
    assert found.classes == ("cut", "pour", "stir", "background")
    assert found.ignored == (False, False, False, True)
    assert found.confusion.tolist() == [[6, 3, 0, 2], [0, 12, 0, 0], [0, 0, 0, 0], [0, 2, 7, 3]]
    assert [lengths.tolist() for lengths in found.annotated_lengths] == [[11], [5, 7], [], [3, 9]]
    assert [lengths.tolist() for lengths in found.predicted_lengths] == [[6], [5, 12], [7], [5]]
    assert [side.tolist() for side in found.lengths()] == [[11, 5, 7], [6, 5, 12, 7]]
    # cut and pour of tea are true positives; pour of milk too, but a video's edges are no boundaries.
    assert found.start_errors.tolist() == [-3, 2]
    assert found.end_errors.tolist() == [-3, 2]
    assert found.hits.tolist() == [1, 2, 0, 1]
    table = found.per_class()
    assert table["cut"] == {
        "annotated": 1,
        "predicted": 1,
        "f1@50": 100,
        "precision": 100,
        "recall": pytest.approx(600 / 11),
        "mean_annotated": 1.1,
        "mean_predicted": 0.6,
        "ignored": False,
    }
    assert table["stir"]["f1@50"] == table["stir"]["precision"] == 0
    assert table["stir"]["recall"] is table["stir"]["mean_annotated"] is table["background"]["f1@50"] is None
    assert repr(found) == "Analysis(4 classes, 2 videos, 35 frames)"


def test_only_segments_that_overlap_by_half_have_boundaries_to_measure() -> None:
    reference = {"v": [0] * 5 + [1] * 10 + [0] * 15}
    for shift, errors in ((3, [3]), (4, [])):  # IoU 7/13 and 6/14
        prediction = {"v": [0] * (5 + shift) + [1] * 10 + [0] * (15 - shift)}
        found = analyse(reference, prediction, background=(0,))
        assert found.start_errors.tolist() == found.end_errors.tolist() == errors
        assert (found.unit, found.in_units(3)) == ("frames", 3)


def test_an_annotation_at_the_edge_has_one_boundary_and_background_none() -> None:
    reference, prediction = {"v": [1] * 10 + [0] * 10}, {"v": [0] * 1 + [1] * 8 + [0] * 11}
    found = analyse(reference, prediction, background=(0,))
    assert (found.start_errors.tolist(), found.end_errors.tolist()) == ([], [-1])
    counted = analyse(reference, prediction, background=())
    assert (counted.start_errors.tolist(), counted.end_errors.tolist()) == ([-1], [-1])  # and the start of class 0


def random_videos() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    random = np.random.default_rng(3)
    sides = []
    for _ in range(2):
        labels = {f"v{i}": np.repeat(random.integers(0, 5, 40), 3 + i) for i in range(6)}
        sides.append(labels)
    return sides[0], sides[1]


def test_frames_are_counted_as_torchmetrics_counts_them() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    reference, prediction = random_videos()
    found = analyse(reference, prediction, background=())
    assert found.classes == (0, 1, 2, 3, 4)
    sides = (torch.from_numpy(np.concatenate(list(side.values()))) for side in (prediction, reference))
    assert found.confusion.tolist() == functional.multiclass_confusion_matrix(*sides, num_classes=5).tolist()


@pytest.mark.parametrize("protocol", ["ms-tcn", "ms-tcn2-eval", "tcn"])
def test_the_classes_are_those_of_the_evaluator(protocol: str) -> None:
    reference, prediction = random_videos()
    found = analyse(reference, prediction, background=(2,), protocol=protocol)
    report = evaluate_labels(reference, prediction, background=(2,), protocol=protocol)
    for name, scores in found.per_class().items():
        wanted = report.per_class[int(name)]
        assert (scores["precision"], scores["recall"]) == (wanted.frame_precision, wanted.frame_recall)
        assert scores["f1@50"] == (None if wanted.ignored else wanted.f1[0.5])
        counts = wanted.segments[0.5]
        assert (scores["annotated"], scores["predicted"]) == (counts.tp + counts.fn, counts.tp + counts.fp)
    hits = sum(report.per_class[label].segments[0.5].tp for label in (0, 1, 3, 4))
    assert 0 < len(found.start_errors) <= hits
    assert sum(map(len, found.lengths())) < sum(map(len, (*found.annotated_lengths, *found.predicted_lengths)))


def test_json_holds_what_the_pictures_are_drawn_from() -> None:
    content = analyse(REFERENCE, PREDICTION, fps=Fraction(30000, 1001)).to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert (content["fps"], content["videos"], content["protocol"]) == ("30000/1001", 2, "ms-tcn")
    assert content["background"] == ["background"]
    assert content["confusion"]["classes"] == ["cut", "pour", "stir", "background"]
    assert content["confusion"]["frames"][0] == [6, 3, 0, 2]
    assert content["segment_lengths"]["pour"] == {"annotated": {"5": 1, "7": 1}, "predicted": {"5": 1, "12": 1}}
    assert content["boundary_errors"] == {"start": {"-3": 1, "2": 1}, "end": {"-3": 1, "2": 1}}


def test_nothing_to_analyse() -> None:
    found = analyse({"v": []}, {"v": []})
    assert (found.classes, found.per_class(), found.confusion.shape) == ((), {}, (0, 0))
    assert json.dumps(found.to_json())
    alone = analyse({"v": ["background"] * 3}, {"v": ["background"] * 3})
    assert [len(side) for side in alone.lengths()] == [0, 0]
    assert alone.per_class()["background"]["recall"] == 100


def test_the_table_of_classes() -> None:
    found = analyse({"v": ["a|b"] * 4 + ["c"] * 4}, {"v": ["a|b"] * 6 + ["d"] * 2}, fps=Fraction(2))
    lines = class_table(found.per_class(), found.unit)
    assert lines[2] == "| a\\|b | 1 | 1 | 100.0 | 66.7 | 100.0 | 2.0 s | 3.0 s |"
    assert lines[3] == "| c | 1 | 0 | 0.0 | - | 0.0 | 2.0 s | - |"
    assert lines[4] == "| d | 0 | 1 | 0.0 | 0.0 | - | - | 1.0 s |"
