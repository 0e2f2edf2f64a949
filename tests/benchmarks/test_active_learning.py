"""The curves of the labelling measurement: where they reach enough, and which videos a step adds."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from keyseg.data.dataset import Dataset
from keyseg.timeline import Segmentation
from keyseg.toy.kitchen_features import write_toy_kitchen

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from active_learning import needed, open_series
from light_learner import LightLearner, _viterbi


def test_needed_is_linear_between_points():
    assert needed([(0.2, 50.0), (0.4, 90.0), (1.0, 100.0)]) == pytest.approx(0.4 + 5 / 10 * 0.6)
    assert needed([(0.2, 50.0), (0.4, 90.0), (1.0, 100.0)], share=0.7) == pytest.approx(0.3)


def test_needed_is_the_first_amount_where_that_is_enough():
    assert needed([(0.2, 97.0), (0.4, 60.0), (1.0, 100.0)]) == 0.2


def test_a_step_comes_closest_to_its_amount_in_the_given_order(tmp_path):
    series = open_series("toy:3", 0, "light", tmp_path)
    chosen = series.until(series.pool, (), 0.2)
    assert chosen == list(series.pool[: len(chosen)])
    one_less, one_more = series.pool[: len(chosen) - 1], series.pool[: len(chosen) + 1]
    assert abs(series.share(chosen) - 0.2) <= min(abs(series.share(names) - 0.2) for names in (one_less, one_more))
    assert series.until(series.pool, chosen, 0.3)[: len(chosen)] == chosen


def test_viterbi_is_the_best_path_by_brute_force():
    rng = np.random.default_rng(0)
    scores, moves = rng.standard_normal((5, 3)), rng.standard_normal((3, 3))

    def total(path):
        return sum(scores[t, c] for t, c in enumerate(path)) + sum(moves[a, b] for a, b in pairwise(path))

    paths = np.array(np.meshgrid(*[range(3)] * 5)).reshape(5, -1).T
    assert _viterbi(scores, moves).tolist() == max(paths.tolist(), key=total)


@pytest.mark.slow
def test_the_stand_in_learns_the_toy_kitchen(tmp_path):
    dataset = Dataset.open(write_toy_kitchen(tmp_path / "kitchen", videos=24, test_videos=4))
    learner = LightLearner(dataset, 1)
    learner.train(dataset.names(1, "train"))
    right = []
    for name in dataset.names(1, "test"):
        found = learner.predict(name)
        assert isinstance(found, Segmentation)
        right.append(np.mean(found.to_frames() == dataset.annotation(name).to_frames()))
    assert np.mean(right) > 0.6
