"""Which segments are right, and expected calibration error: against slow loops and on planted outcomes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.metrics import evaluate_labels
from keyseg.metrics.reliability import (
    ConfidenceBin,
    calibration_error,
    log_loss,
    pooled_reliability,
    reliability,
    right_segments,
)
from keyseg.timeline import DataError, Segmentation

cases = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)
frames = st.lists(st.integers(0, 2), min_size=30, max_size=30)


def arrays(pairs):
    return np.array([c for c, _ in pairs], float), np.array([r for _, r in pairs], bool)


def slow_error(pairs):
    """In percent, one tenth after the other."""
    total = 0.0
    for tenth in range(10):
        inside = [pair for pair in pairs if min(int(pair[0] * 10), 9) == tenth]
        if inside:
            confidence = sum(c for c, _ in inside) / len(inside)
            share = sum(r for _, r in inside) / len(inside)
            total += abs(confidence - share) * len(inside) / len(pairs)
    return 100 * total


@given(cases)
def test_the_error_is_that_of_a_slow_loop(pairs):
    table = reliability(*arrays(pairs))
    assert calibration_error(table) == pytest.approx(slow_error(pairs), abs=1e-8)
    assert sum(item.segments for item in table) == len(pairs)
    assert len(table) <= 10
    assert all(item.low <= item.confidence <= item.low + 0.1 + 1e-9 for item in table)


@given(cases, cases)
def test_pooled_tables_are_the_table_of_all(one, other):
    pooled = pooled_reliability([reliability(*arrays(one)), reliability(*arrays(other))])
    whole = reliability(*arrays(one + other))
    assert [(item.low, item.segments) for item in pooled] == [(item.low, item.segments) for item in whole]
    for a, b in zip(pooled, whole, strict=True):
        assert (a.confidence, a.right) == pytest.approx((b.confidence, b.right))


def test_outcomes_drawn_with_their_confidence_have_no_error():
    random = np.random.default_rng(5)
    confidence = random.random(40_000)
    drawn = random.random(40_000) < confidence
    assert calibration_error(reliability(confidence, drawn)) < 1.0
    too_sure = random.random(40_000) < confidence / 2
    assert calibration_error(reliability(confidence, too_sure)) == pytest.approx(25, abs=1)
    assert log_loss(confidence, drawn) < log_loss(confidence, too_sure)
    assert log_loss(np.array([0.5, 0.5]), np.array([True, False])) == pytest.approx(np.log(2))


@given(frames, frames)
def test_right_segments_are_the_true_positives_of_f1_at_50(reference, prediction):
    right = right_segments(np.array(reference), np.array(prediction))
    report = evaluate_labels({"v": reference}, {"v": prediction})
    assert right.sum() == report.segments[0.5].tp
    assert len(right) == report.segments[0.5].tp + report.segments[0.5].fp


def test_each_annotated_segment_makes_one_right_at_most_and_background_counts():
    reference = np.repeat([0, 1, 0], [4, 6, 4])
    prediction = np.repeat([0, 1, 0, 1, 0], [4, 3, 1, 2, 4])
    assert right_segments(reference, prediction).tolist() == [True, True, False, False, True]
    assert right_segments(Segmentation([0, 2], [1]), Segmentation([0, 2], [0])).tolist() == [False]


@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.nan])
def test_a_confidence_that_is_no_probability_is_refused(wrong):
    with pytest.raises(DataError, match="from 0 to 1"):
        reliability(np.array([0.5, wrong]), np.array([True, False]))


def test_outcomes_and_confidences_come_in_pairs():
    with pytest.raises(DataError, match="one outcome per confidence, got 2 and 1"):
        reliability(np.array([0.5, 0.5]), np.array([True]))


def test_nothing_has_no_error():
    nothing = reliability(np.empty(0), np.empty(0, bool))
    assert (nothing, calibration_error(nothing), pooled_reliability([nothing])) == ([], 0.0, [])
    assert log_loss(np.empty(0), np.empty(0, bool)) == 0.0
    assert np.isfinite(log_loss(np.array([0.0]), np.array([True])))
    assert reliability(np.array([1.0]), np.array([True])) == [ConfidenceBin(0.9, 1, 1.0, 1.0)]
