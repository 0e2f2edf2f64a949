"""Short runs of features, and their standardisation."""

from __future__ import annotations

import numpy as np
import pytest

from keyseg.proposals import runs as module
from keyseg.proposals.runs import MOST_RUNS, mean_runs, segment_means, standardised, steps_per_run
from keyseg.timeline import DataError


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_runs_are_means_also_when_read_in_parts(chunk, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    features = np.random.default_rng(0).standard_normal((11, 3)).astype(np.float16)
    found = mean_runs("tea", features, 4)
    wanted = [features[start : start + 4].astype(np.float64).mean(0) for start in (0, 4, 8)]
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array(wanted), abs=1e-6)


def test_eight_hours_make_few_runs():
    steps = 8 * 3600 * 15
    assert -(-steps // steps_per_run(steps, 15.0)) <= MOST_RUNS
    assert steps_per_run(100, 1.0) == 1


def test_a_bad_value_is_named_with_its_video_and_step():
    features = np.zeros((9, 2))
    features[7, 1] = np.inf
    with pytest.raises(DataError, match="tea: NaN or infinite features at step 7"):
        mean_runs("tea", features, 2)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((0, 3)), np.zeros((3, 2), complex), np.zeros((2, 2, 2))])
def test_what_is_not_features_is_refused(array):
    with pytest.raises(DataError, match="tea: expected features"):
        mean_runs("tea", array, 1)


def test_neither_scale_nor_place_counts():
    runs = np.random.default_rng(3).standard_normal((20, 4)).astype(np.float32)
    assert standardised(8 * runs + 3) == pytest.approx(standardised(runs), abs=1e-5)


def test_one_strong_run_does_not_outweigh_the_others():
    runs = np.zeros((100, 1), np.float32)
    runs[:50], runs[50:99], runs[99] = 1, -1, 1000
    found = standardised(runs)
    assert np.abs(found).max() < 1
    assert standardised(np.ones((4, 2), np.float32)).tolist() == [[0, 0]] * 4


def test_means_of_segments():
    runs = np.array([[1], [3], [5], [9]], np.float32)
    assert segment_means(runs, np.array([0, 2, 3, 4])).tolist() == [[2], [5], [9]]
