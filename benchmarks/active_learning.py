"""Scores, not speed: how many labelled minutes a model needs, videos added by the studio's ranking or by chance.

python benchmarks/active_learning.py DATA OUTPUTS --out FILE [--learner light] [--seeds 0 1 2]
DATA is a data set, or toy:N for toy kitchens, of seed N + s for series s. Series s uses split s + 1, modulo their
number. All ways start with the same random fifth of the minutes of the training videos and grow by 15 % at a time.
learner: rtk is a small RTK network, each of whose trainings sees as many feature steps, so that fewer videos are not
trained for less; light is a stand-in (`light_learner.py`). OUTPUTS keeps each training, so that the same command
resumes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keyseg.data.dataset import Dataset
from keyseg.metrics import evaluate_labels
from keyseg.studio.ranking import RankedVideo, rank
from keyseg.timeline import Segmentation
from keyseg.timeline.files import whole_folder, write_json
from keyseg.toy.kitchen_features import write_toy_kitchen
from keyseg.training.fit import Fit, train_network
from keyseg.training.recipe import load_recipe
from keyseg.training.tables import markdown_table
from light_learner import LightLearner
from provenance import provenance, write_results

AMOUNTS = (0.2, 0.35, 0.5, 0.65, 0.8)  # of the minutes of all training videos
ENOUGH = 0.95  # of the score with all training videos
SCORES = ("f1@10", "f1@25", "f1@50", "edit", "acc")
SMALL = (
    "model=rtk",
    "network.backbone.channels=32",
    "network.backbone.encoder_layers=6",
    "network.backbone.decoder_layers=3",
    "network.backbone.layer_dropout=0.2",
    "optimiser.learning_rate=0.002",
    "matching.fit=false",
    "augmentation.mixed_segments=0",
    "logging.loggers=[csv]",
)


@dataclass(frozen=True)
class Setting:
    """A data set as it is read and trained on here. epochs: with all training videos."""

    fps: str
    sample_rate: int
    epochs: int
    input_dropout: float = 0.2
    background: tuple[str, ...] = ("background",)


SETTINGS = {
    "toy": Setting("15", 1, 8),
    "gtea-spatialcnn": Setting("15", 2, 12, 0.3),
    "rat-social": Setting("25/3", 4, 4, background=("base",)),
    "billboard-chords": Setting("5", 3, 8, background=("none",)),
}

Predict = Callable[[str], Segmentation]
"""The timeline of a video, in steps."""


@dataclass(frozen=True)
class Series:
    """Trainings on more and more videos of one split. changes: of the recipe of RTK; None for the stand-in."""

    dataset: Dataset
    split: int
    seed: int
    cache: Path
    changes: tuple[str, ...] | None = field(repr=False)

    @cached_property
    def pool(self) -> tuple[str, ...]:
        """All training videos."""
        return self.dataset.names(self.split, "train")

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Length of each training video."""
        return {name: float(self.dataset.annotation(name).length / self.dataset.timebase.fps) for name in self.pool}

    @cached_property
    def light(self) -> LightLearner:
        """The stand-in."""
        return LightLearner(self.dataset, self.split)

    def share(self, names: Sequence[str]) -> float:
        """Of the minutes of all training videos."""
        return sum(self.seconds[name] for name in names) / sum(self.seconds.values())

    def until(self, order: Sequence[str], chosen: Sequence[str], amount: float) -> list[str]:
        """`chosen` and the next of `order`, so many that their share comes closest to an amount."""
        names = list(chosen)
        for name in order:
            if name in names:
                continue
            longer = [*names, name]
            if abs(self.share(longer) - amount) >= abs(self.share(names) - amount):
                break
            names = longer
        return names

    def trained(self, seen: Sequence[str]) -> dict[str, Any]:
        """Videos, test scores, and predicted seconds of each class in the others; from the cache if it has them."""
        key = hashlib.sha256(json.dumps([self.split, self.seed, sorted(seen), self.changes]).encode()).hexdigest()
        file = self.cache / f"{key[:16]}.json"
        if not file.exists():
            predict = self._light(seen) if self.changes is None else self._network(seen, self.changes)
            step = float(self.dataset.timebase.sample_rate / self.dataset.timebase.fps)
            others = {name: self._classes(predict(name), step) for name in self.pool if name not in seen}
            write_json(file, {"videos": list(seen), "scores": self._scores(predict), "classes": others})
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return content

    def _light(self, seen: Sequence[str]) -> Predict:
        self.light.train(seen)
        return self.light.predict

    def _network(self, seen: Sequence[str], changes: tuple[str, ...]) -> Predict:
        recipe = load_recipe(None, changes).at_pace(1 / self.share(seen))
        with tempfile.TemporaryDirectory() as folder:
            fit = Fit(self.dataset, self.split, self.seed, recipe, Path(folder))
            predictor = train_network(fit, recipe, recipe.decoder(), seen, (), fit.folder)[0].predictor

        def predict(name: str) -> Segmentation:
            features = self.dataset.load(name, self.split).features
            found = predictor.decode(predictor.run(features))
            steps = self.dataset.timebase.frames_to_steps(found.segmentation.to_frames())
            return Segmentation.from_frames(steps)

        return predict

    def _scores(self, predict: Predict) -> dict[str, float]:
        truth, found = {}, {}
        for name in self.dataset.names(self.split, "test"):
            truth[name] = self.dataset.annotation(name)
            labels = self.dataset.timebase.steps_to_frames(predict(name).to_frames(), truth[name].length)
            found[name] = Segmentation.from_frames(labels)
        report = evaluate_labels(truth, found, background=tuple(self.dataset.labels.background_ids)).to_json()
        return {key: report[key] for key in SCORES}

    def _classes(self, timeline: Segmentation, step: float) -> dict[str, float]:
        """Seconds of each class, background too."""
        counts = np.bincount(timeline.to_frames(), minlength=len(self.dataset.labels)) * step
        return {name: float(seconds) for name, seconds in zip(self.dataset.labels.names, counts, strict=True)}

    def ranked(self, trained: dict[str, Any]) -> list[str]:
        """The videos that are not labelled, in the order of the studio."""
        step = float(1 / self.dataset.timebase.fps)
        labelled = {name: self._classes(self.dataset.annotation(name), step) for name in trained["videos"]}
        classes = trained["classes"] | labelled
        videos = [RankedVideo(name, self.seconds[name], name in labelled, classes[name]) for name in self.pool]
        return [video["id"] for video in rank(videos)]

    def curve(self, way: str) -> list[tuple[float, float]]:
        """Share of the minutes and score after each addition; the last is that of all videos.

        way: chance, ranking, or shortest, which takes the shortest videos first.
        """
        order = [str(name) for name in np.random.default_rng(self.seed).permutation(self.pool)]
        names: list[str] = []
        points: list[tuple[float, float]] = []
        for amount in AMOUNTS:
            names = self.until(order, names, amount)
            trained = self.trained(names)
            points.append((self.share(names), one_score(trained)))
            if way == "ranking":
                order = self.ranked(trained)
            elif way == "shortest":
                order = sorted(self.pool, key=self.seconds.__getitem__)
        return [*points, (1.0, one_score(self.trained(self.pool)))]


def one_score(trained: dict[str, Any]) -> float:
    """Mean of F1@10, F1@25, F1@50, Edit and Acc, since each alone is noisy on few test videos."""
    return float(np.mean([trained["scores"][key] for key in SCORES]))


def needed(points: Sequence[tuple[float, float]], share: float = ENOUGH) -> float:
    """Where a curve first reaches a share of its last score; linear between its points.

    >>> needed([(0.2, 40.0), (0.4, 60.0), (1.0, 60.0)])
    0.37
    """
    wanted = share * points[-1][1]
    before = points[0]
    for place, score in points:
        if score >= wanted:
            rise = (wanted - before[1]) / (score - before[1]) if score > before[1] else 0.0
            return round(before[0] + rise * (place - before[0]), 6)
        before = (place, score)
    raise AssertionError("the last point reaches its own score")


def open_series(data: str, seed: int, learner: str, cache: Path) -> Series:
    """The series of a seed."""
    kitchen = data.startswith("toy:")
    root = cache / f"kitchen{int(data[4:]) + seed}" if kitchen else Path(data)
    if kitchen and not root.exists():
        with whole_folder(root) as partial:
            write_toy_kitchen(partial, videos=60, test_videos=20, seed=int(data[4:]) + seed)
    setting = SETTINGS["toy" if kitchen else root.name]
    dataset = Dataset.open(root, sample_rate=setting.sample_rate, background=setting.background, fps=setting.fps)
    own = (f"network.backbone.input_dropout={setting.input_dropout}", f"optimiser.epochs={setting.epochs}")
    changes = (*SMALL, *own) if learner == "rtk" else None
    return Series(dataset, seed % len(dataset.splits) + 1, seed, cache, changes)


def rows_of(curves: dict[str, list[list[tuple[float, float]]]], minutes: float) -> dict[str, list[str]]:
    """Table: of each way the mean score at each amount, and what it needs; the difference is paired by series."""
    rows = {}
    for way, series in curves.items():
        scores = np.array([[score for _, score in points] for points in series])
        need = np.array([needed(points) for points in series])
        saved = need - [needed(points) for points in curves["chance"]]
        together = needed(list(zip((*AMOUNTS, 1.0), scores.mean(0).tolist(), strict=True)))
        error = saved.std(ddof=1) / len(saved) ** 0.5 if len(saved) > 1 else float("nan")
        rows[way] = [
            *(f"{score:.1f}" for score in scores.mean(0)),
            f"{need.mean() * minutes:.1f} ({need.mean():.0%})",
            f"{saved.mean() * minutes:+.1f} ± {error * minutes:.1f}",
            f"{together * minutes:.1f} ({together:.0%})",
        ]
    return rows


def main() -> None:
    """Train what is missing; write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--learner", choices=("rtk", "light"), default="rtk")
    parser.add_argument("--ways", nargs="+", choices=("chance", "shortest", "ranking"), default=["chance", "ranking"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.outputs.mkdir(parents=True, exist_ok=True)
    curves: dict[str, list[list[tuple[float, float]]]] = {way: [] for way in options.ways}
    minutes = []
    for seed in options.seeds:
        series = open_series(options.data, seed, options.learner, options.outputs)
        minutes.append(sum(series.seconds.values()) / 60)
        for way in options.ways:
            curves[way].append(series.curve(way))
            scores = " ".join(f"{score:.1f}" for _, score in curves[way][-1])
            print(f"{options.data} series {seed} {way}: {scores}; {needed(curves[way][-1]):.0%}", flush=True)
    name = "toy kitchens" if options.data.startswith("toy:") else Path(options.data).resolve().name
    heads = [*(f"{amount:.0%}" for amount in AMOUNTS), "all", "minutes for 95 %", "against chance", "mean curve"]
    table = markdown_table(heads, rows_of(curves, float(np.mean(minutes))))
    learner = "a small RTK network" if options.learner == "rtk" else "the stand-in of light_learner.py, not RTK"
    note = (
        "Mean of F1@10, F1@25, F1@50, Edit and Acc on the test videos, by labelled share of the minutes of all"
        f" training videos ({np.mean(minutes):.1f}), with {learner}; series {', '.join(map(str, options.seeds))}."
        " Minutes for 95 % of the score with all: mean over the series, with its difference to chance (paired, ±"
        " its standard error), and read off the mean curve. An earlier ranking was measured on the same test videos of"
        " GTEA, rat-social and the toy kitchens, so this is a second look; its numbers are in docs/labelling.md."
    )
    found = {"curves": curves, "minutes": minutes}
    write_results(options.out, f"What to label next on {name}", table, found, provenance(), note)


if __name__ == "__main__":
    main()
