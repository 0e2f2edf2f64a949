"""How sure the network is of each segment: the mean probability of its class, as a loop over its frames finds it."""

import numpy as np
import pytest

from keyseg.inference.prediction import Prediction
from keyseg.timeline import LabelMap, Segmentation, TimeBase

LABELS = LabelMap(("background", "pour", "stir"), ("background",))


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
