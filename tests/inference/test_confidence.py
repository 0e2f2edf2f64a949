"""How sure a prediction is of each segment: what is known about it, as loops find it, and the calibrated result."""

import numpy as np
import pytest

from keyseg.inference.confidence import Calibration, second_labels, segment_confidence, segment_facts
from keyseg.inference.prediction import Prediction
from keyseg.timeline import LabelMap, Segmentation, TimeBase

LABELS = LabelMap(("background", "pour", "stir"), ("background",))
CALIBRATION = Calibration(intercept=-1.0, mean=0.7, length=0.3, edges=1.5, segments=90)


@pytest.mark.parametrize("sample_rate", [1, 2, 5])
def test_a_segment_scores_the_mean_of_its_class_over_its_steps(sample_rate):
    segmentation = Segmentation([0, 3, 4, 11, 20], [0, 2, 1, 0])
    timebase = TimeBase(sample_rate=sample_rate)
    scores = np.random.default_rng(7).random((3, timebase.steps(20))).astype(np.float32)
    prediction = Prediction(segmentation, scores, scores[None], LABELS, timebase, None)
    expected = []
    for segment in segmentation:
        steps = {frame // sample_rate for frame in range(segment.start_frame, segment.end_frame)}
        expected.append(np.mean([scores[segment.label, step] for step in sorted(steps)]))
    assert prediction.confidence == pytest.approx(expected)
    assert all(isinstance(score, float) and 0 <= score <= 1 for score in prediction.confidence)


def slow_facts(scores, segmentation, sample_rate):
    """The facts of each segment, by loops."""
    steps, facts = scores.shape[1], []
    for segment in segmentation:
        inside = sorted({frame // sample_rate for frame in range(segment.start_frame, segment.end_frame)})
        row = scores[segment.label]
        mean = min(max(np.mean([row[step] for step in inside]), 0.001), 0.999)
        width = min(max(len(inside) // 2, 1), 8)
        before = [row[step] for step in range(inside[0] - width, inside[0]) if step >= 0]
        after = [row[step] for step in range(inside[-1] + 1, inside[-1] + 1 + width) if step < steps]
        sharp = np.mean([row[step] for step in inside[:width]]) + np.mean([row[step] for step in inside[-width:]])
        sharp -= (np.mean(before) if before else 0) + (np.mean(after) if after else 0)
        facts.append([np.log(mean / (1 - mean)), np.log(len(inside)), sharp / 2])
    return facts


@pytest.mark.parametrize("sample_rate", [1, 2, 5])
@pytest.mark.parametrize("bounds", [[0, 3, 4, 11, 20], [0, 20], [0, 1, 2, 19, 20], [0, 10, 20]])
def test_the_facts_are_those_of_a_slow_loop(bounds, sample_rate):
    segmentation = Segmentation(bounds, np.resize([0, 2, 1, 0], len(bounds) - 1))
    scores = np.random.default_rng(8).random((3, TimeBase(sample_rate=sample_rate).steps(20)))
    found = segment_facts(scores, segmentation, sample_rate)
    assert found == pytest.approx(np.array(slow_facts(scores, segmentation, sample_rate)))


def test_certain_scores_have_finite_facts_and_confidence():
    scores, segmentation = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), Segmentation([0, 2, 3], [0, 0])
    facts = segment_facts(scores, segmentation)
    assert np.isfinite(facts).all()
    sure = segment_confidence(scores, segmentation, 1, CALIBRATION)
    assert ((sure > 0) & (sure < 1)).all()
    assert sure[0] > sure[1]


def test_a_calibration_counts_in_the_confidence_of_a_prediction():
    segmentation, scores = Segmentation([0, 3, 8], [0, 1]), np.random.default_rng(1).random((3, 8)).astype(np.float32)
    common = (segmentation, scores, scores[None], LABELS, TimeBase(), None)
    plain, sure = Prediction(*common), Prediction(*common, calibration=CALIBRATION)
    assert sure.confidence == pytest.approx(CALIBRATION.confidence(segment_facts(scores, segmentation)).tolist())
    assert plain.confidence != sure.confidence
    assert Prediction(Segmentation.from_frames([]), *common[1:], calibration=CALIBRATION).confidence == []


def test_the_second_label_is_the_most_probable_other_class():
    scores = np.array([[0.5, 0.5, 0.1, 0.1], [0.3, 0.3, 0.6, 0.2], [0.2, 0.2, 0.3, 0.7]], np.float32)
    assert second_labels(scores, Segmentation([0, 2, 4], [0, 1])) == [1, 2]
    assert second_labels(scores, Segmentation([0, 4], [2])) == [1]
    assert second_labels(scores[:1], Segmentation([0, 4], [0])) == [None]
