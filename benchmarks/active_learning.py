"""Scores, not speed: how many labelled minutes a model needs, videos added by the studio's ranking or by chance.

python benchmarks/active_learning.py DATA OUTPUTS [--ways chance ranking] [--seeds 0 1 2] [--out FILE]
DATA is a data set, or toy:N for a toy kitchen of seed N onwards (one per seed). Each series starts with the same random
fifth of the training videos and grows by 15 % of their minutes at a time; seed s uses split s + 1. Every training
sees as many feature steps as any other, so that no way is trained for longer. OUTPUTS keeps each training, so that the
same command resumes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keyseg.data.dataset import Dataset
from keyseg.inference.predictor import Predictor
from keyseg.metrics import evaluate_labels
from keyseg.studio.ranking import RankedVideo, feature_summary, rank
from keyseg.timeline.files import write_json
from keyseg.toy.kitchen_features import write_toy_kitchen
from keyseg.training.fit import Fit, train_network
from keyseg.training.recipe import load_recipe
from keyseg.training.settings import Recipe

AMOUNTS = (0.2, 0.35, 0.5, 0.65, 0.8)  # of the minutes of all training videos
ENOUGH, LEAST = 0.95, 0.5  # of the full score; a series has at least this amount
SCORES = ("f1@10", "f1@25", "f1@50", "edit", "acc")
SMALL = (
    "network.backbone.channels=32",
    "network.backbone.encoder_layers=6",
    "network.backbone.decoder_layers=3",
    "network.backbone.layer_dropout=0.2",
    "optimiser.learning_rate=0.002",
    "matching.fit=false",
    "matching.join_epoch=null",
    "augmentation.mixed_segments=0",
    "logging.loggers=[csv]",
)


@dataclass(frozen=True)
class Setting:
    """A data set as it is trained on here. epochs: with all training videos."""

    fps: str
    sample_rate: int
    epochs: int
    input_dropout: float
    background: tuple[str, ...] = ("background",)


SETTINGS = {
    "toy": Setting("15", 1, 12, 0.2),
    "gtea-spatialcnn": Setting("15", 2, 12, 0.3),
    "rat-social": Setting("25/3", 4, 4, 0.2, ("base",)),
    "billboard-sections": Setting("2", 1, 8, 0.2, ("none",)),
    "billboard-chords": Setting("5", 2, 8, 0.2, ("none",)),
}


@dataclass(frozen=True)
class Series:
    """Trainings on more and more videos of one split."""

    dataset: Dataset
    recipe: Recipe
    split: int
    seed: int

    @property
    def pool(self) -> tuple[str, ...]:
        """All training videos."""
        return self.dataset.names(self.split, "train")

    def seconds(self, name: str) -> float:
        """Length of a video."""
        return float(self.dataset.annotation(name).length / self.dataset.timebase.fps)

    def until(self, order: Sequence[str], chosen: Sequence[str], amount: float) -> list[str]:
        """`chosen` and the next of `order`, for the minutes that come closest to this share of the pool's."""
        wanted = amount * sum(map(self.seconds, self.pool))
        names, total = list(chosen), sum(map(self.seconds, chosen))
        for name in (name for name in order if name not in chosen):
            longer = total + self.seconds(name)
            if abs(longer - wanted) >= abs(total - wanted):
                break
            names, total = [*names, name], longer
        return names

    def trained(self, seen: Sequence[str], cache: Path) -> dict[str, Any]:
        """Test scores, and predicted segments of the other videos, of a network of these videos; kept in a file."""
        name = hashlib.sha256(json.dumps([self.split, self.seed, sorted(seen)]).encode()).hexdigest()[:16]
        file = cache / f"{name}.json"
        if not file.exists():
            began = time.monotonic()
            predictor = self._train(seen)
            trained = {"scores": self._scores(predictor), "segments": self._segments(predictor, seen)}
            write_json(file, {**trained, "videos": list(seen), "took": time.monotonic() - began})
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return content

    def _train(self, seen: Sequence[str]) -> Predictor:
        share = sum(map(self.seconds, seen)) / sum(map(self.seconds, self.pool))
        recipe = self.recipe.at_pace(1 / share)
        with tempfile.TemporaryDirectory() as folder:
            fit = Fit(self.dataset, self.split, self.seed, recipe, Path(folder))
            return train_network(fit, recipe, recipe.decoder(), seen, (), fit.folder)[0].predictor

    def _scores(self, predictor: Predictor) -> dict[str, float]:
        truth, found = {}, {}
        for name in self.dataset.names(self.split, "test"):
            sample = self.dataset.load(name, self.split)
            truth[name] = sample.segmentation
            prediction = predictor.decode(predictor.run(sample.features), frames=sample.segmentation.length)
            found[name] = prediction.segmentation
        report = evaluate_labels(truth, found, background=tuple(self.dataset.labels.background_ids))
        return {key: score for key, score in report.to_json().items() if key in SCORES}

    def _segments(self, predictor: Predictor, seen: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
        """Seconds and confidence of what is predicted for the videos that are not labelled."""
        found = {}
        for name in sorted(set(self.pool) - set(seen)):
            prediction = predictor.decode(predictor.run(self.dataset.load(name, self.split).features))
            seconds = np.diff(prediction.segmentation.boundaries) / float(self.dataset.timebase.fps)
            found[name] = list(zip(seconds.tolist(), prediction.confidence, strict=True))
        return found

    def ranked(self, trained: dict[str, Any]) -> list[str]:
        """The videos that are not labelled, in the order of the studio."""
        videos = []
        for name in self.pool:
            features = tuple(feature_summary(self.dataset.load(name, self.split).features))
            segments = tuple((seconds, confidence) for seconds, confidence in trained["segments"].get(name, ()))
            videos.append(RankedVideo(name, self.seconds(name), name in trained["videos"], segments, features))
        return [video["id"] for video in rank(videos)]

    def curve(self, way: str, cache: Path) -> list[tuple[float, float]]:
        """Labelled minutes and score after each addition, up to the first that reaches `ENOUGH` of the full score."""
        full = one_score(self.trained(self.pool, cache))
        order = [str(name) for name in np.random.default_rng(self.seed).permutation(self.pool)]
        names: list[str] = []
        points: list[tuple[float, float]] = []
        for amount in AMOUNTS:
            names = self.until(order, names, amount)
            trained = self.trained(names, cache)
            points.append((sum(map(self.seconds, names)) / 60, one_score(trained)))
            print(
                self.dataset.root.name,
                self.seed,
                way,
                amount,
                len(names),
                f"{points[-1][1]:.1f} of {full:.1f}",
                flush=True,
            )
            if points[-1][1] >= full * ENOUGH and amount >= LEAST:
                break
            order = self.ranked(trained) if way == "ranking" else order
        return [*points, (sum(map(self.seconds, self.pool)) / 60, full)]


def one_score(trained: dict[str, Any]) -> float:
    """Mean of F1@10, F1@25, F1@50, Edit and Acc, since each alone is noisy on few test videos."""
    return float(np.mean([trained["scores"][key] for key in SCORES]))


def needed(points: Sequence[tuple[float, float]], share: float = 0.95) -> float:
    """Labelled minutes at which the score first reaches a share of the full one, the last; linear in between.

    >>> needed([(1.0, 40.0), (2.0, 60.0), (5.0, 60.0)])
    1.85
    """
    wanted = share * points[-1][1]
    before = points[0]
    for minutes, score in points:
        if score >= wanted:
            rise = (wanted - before[1]) / (score - before[1]) if score > before[1] else 1.0
            return before[0] + rise * (minutes - before[0])
        before = (minutes, score)
    return points[-1][0]


def open_series(data: str, seed: int, cache: Path) -> Series:
    """The series of a seed."""
    kitchen = data.startswith("toy:")
    root = cache / f"kitchen{int(data[4:]) + seed}" if kitchen else Path(data)
    if kitchen and not root.exists():
        write_toy_kitchen(root, videos=60, test_videos=20, seed=int(data[4:]) + seed)
    setting = SETTINGS["toy" if kitchen else root.name]
    changes = (*SMALL, f"network.backbone.input_dropout={setting.input_dropout}", f"optimiser.epochs={setting.epochs}")
    recipe = load_recipe(None, ("model=rtk", *changes))
    dataset = Dataset.open(root, sample_rate=setting.sample_rate, background=setting.background, fps=setting.fps)
    return Series(dataset, recipe, 1 if kitchen else seed + 1, seed)


def main() -> None:
    """Train what is missing; write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--ways", nargs="+", default=["chance", "ranking"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    options.outputs.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        series = open_series(options.data, seed, options.outputs)
        for way in options.ways:
            points = series.curve(way, options.outputs)
            print(seed, way, f"{needed(points):.1f} of {points[-1][0]:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
