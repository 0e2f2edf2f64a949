"""A stand-in for a network, which is trained in a second: for measurements that need hundreds of trainings.

Each step is classified by ridge regression of random features of the means of the features around it, and a Viterbi
decoding with the order and the lengths of the annotated segments makes a timeline of it. It is no system of keyseg.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from keyseg.data.dataset import Dataset
from keyseg.timeline import FloatArray, IntArray, Segmentation

WINDOWS = ((-3, 4), (-12, -3), (4, 13), (-30, -12), (13, 31))  # steps before and after, half-open
RANDOM, RIDGE = 300, 0.02  # number of random features; penalty per training step
SHARPNESS, TRUST = 8.0, 0.35  # of the softmax of the regression; of its log probabilities against the order


class LightLearner:
    """Learns from some training videos of a split; the sums of each video are made once."""

    def __init__(self, dataset: Dataset, split: int) -> None:
        self.dataset, self.split = dataset, split
        self.classes = len(dataset.labels)
        rows = np.concatenate([self._context(name) for name in dataset.names(split, "train")])
        self.mean, self.scale = rows.mean(0), rows.std(0) + 1e-6
        rng = np.random.default_rng(0)
        self.projection = 1.5 * rng.standard_normal((rows.shape[1], RANDOM)) / np.sqrt(rows.shape[1])
        self.offset = 0.5 * rng.standard_normal(RANDOM)
        self.labels = cache(lambda name: dataset.load(name, split).labels)
        self.rows = cache(self._rows)
        self.sums = cache(self._sums)

    def train(self, seen: Sequence[str]) -> None:
        """Forget what was learnt, and learn from these videos."""
        gram, target = (sum(parts) for parts in zip(*map(self.sums, seen), strict=True))
        steps = sum(len(self.labels(name)) for name in seen)
        self.weights = np.linalg.solve(gram + RIDGE * steps * np.eye(len(gram)), target)
        follows = np.full((self.classes, self.classes), 0.1)
        segments = [Segmentation.from_frames(self.labels(name)) for name in seen]
        for segmentation in segments:
            np.add.at(follows, (segmentation.labels[:-1], segmentation.labels[1:]), 1)
        np.fill_diagonal(follows, 0)
        length = steps / sum(len(segmentation.labels) for segmentation in segments)
        self.moves = np.log(follows / follows.sum(1, keepdims=True) + 1e-9) - np.log(length)
        np.fill_diagonal(self.moves, np.log(1 - 1 / length))

    def predict(self, name: str) -> Segmentation:
        """A timeline in steps."""
        scores = SHARPNESS * self.rows(name) @ self.weights
        scores = np.exp(scores - scores.max(1, keepdims=True))
        scores /= scores.sum(1, keepdims=True)
        return Segmentation.from_frames(_viterbi(TRUST * np.log(scores + 1e-4), self.moves))

    def _context(self, name: str) -> FloatArray:
        """(T, N) the features of each step, their means in windows around it, and its place in the video."""
        features = self.dataset.load(name, self.split).features.astype(np.float64)
        total, steps = np.pad(np.cumsum(features, 0), ((1, 0), (0, 0))), np.arange(len(features))
        columns = [features]
        for before, after in WINDOWS:
            low = np.clip(steps + before, 0, len(steps) - 1)
            high = np.maximum(np.clip(steps + after, 1, len(steps)), low + 1)
            columns.append((total[high] - total[low]) / (high - low)[:, None])
        place = steps[:, None] / len(steps)
        return np.hstack([*columns, place, place**2])

    def _rows(self, name: str) -> FloatArray:
        scaled = (self._context(name) - self.mean) / self.scale
        hidden = np.maximum(scaled @ self.projection + self.offset, 0)
        return np.hstack([hidden, scaled, np.ones((len(scaled), 1))])

    def _sums(self, name: str) -> tuple[Any, Any]:
        rows = self.rows(name)
        return rows.T @ rows, rows.T @ np.eye(self.classes)[self.labels(name)]


def _viterbi(scores: FloatArray, moves: FloatArray) -> IntArray:
    """(T,) classes of the best path. scores: (T, C) log probabilities; moves: (C, C), from class to class."""
    best, back = scores[0], np.zeros(scores.shape, np.int64)
    for step in range(1, len(scores)):
        paths = best[:, None] + moves
        back[step] = paths.argmax(0)
        best = paths.max(0) + scores[step]
    path = [int(best.argmax())]
    for step in range(len(scores) - 1, 0, -1):
        path.append(int(back[step, path[-1]]))
    return np.array(path[::-1])
