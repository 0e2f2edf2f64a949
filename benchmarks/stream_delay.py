"""Scores, not speed: what `keyseg stream` commits, by delay, beside the prediction of the whole video.

python benchmarks/stream_delay.py RUN... [--delays 0.5 1 2 5 10] [--window 60] [--keep FOLDER] [--note N] --out FILE
RUN is a folder of `keyseg train`; the test videos of each of its splits are streamed through its bundle. A bundle
without a match is also streamed with a match to the annotations of its training videos, whose weights are not learnt.
Labels are scored as `keyseg eval` does. --keep keeps the labels of each split, so that a later call can add runs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from keyseg.inference.bundle import load
from keyseg.inference.decoders import Match
from keyseg.inference.decoding import NetworkOutput
from keyseg.inference.predictor import Predictor
from keyseg.inference.stream import Stream
from keyseg.matching.alignment import MatchWeights
from keyseg.metrics import evaluate_labels
from keyseg.timeline import Interval, Segmentation
from keyseg.training.fit import annotations_in_steps
from keyseg.training.results import average_over_seeds
from keyseg.training.run import Run, read_run
from keyseg.training.tables import markdown_table, score_cells
from provenance import provenance, write_results

WHOLE = "whole video"
DECODERS = {"rules": "re-assembly", "match": "match"}
Labels = dict[str, dict[str, dict[str, list[int]]]]
"""Frame labels by decoder, delay and video."""


class Remembering(Predictor):
    """A predictor that runs its network once on the windows that two decoders see one after the other."""

    outputs: ClassVar[dict[bytes, NetworkOutput]] = {}

    def run(self, features: Any, *, refine: bool = True) -> NetworkOutput:
        """What the network says, from memory where it said it."""
        key = np.asarray(features, np.float32).tobytes()
        if key not in self.outputs:
            self.outputs[key] = super().run(features, refine=refine)
        return self.outputs[key]


def predictors(run: Run, split: int, seed: int) -> dict[str, Predictor]:
    """The predictor of a split by decoder: as trained, and with a match whose weights are not learnt."""
    trained = load(run.folder / f"split{split}" / f"seed{seed}" / "bundle")
    remembering = Remembering(**{field.name: getattr(trained, field.name) for field in fields(trained)})
    if trained.decoder.match is not None:
        return {"match": remembering}
    dataset = run.open_dataset()
    seen = annotations_in_steps(dataset, dataset.names(split, "train"))
    match = Match.to(seen, len(trained.labels), MatchWeights())
    return {"rules": remembering, "match": replace(remembering, decoder=trained.decoder.changed(match=match))}


def streamed(predictor: Predictor, steps: np.ndarray, frames: int, delay: float, window: float) -> list[int]:
    """The label of each frame as it was committed."""
    stream = Stream(predictor, delay=delay, window=window)
    segments: list[Interval] = stream.push(steps) + stream.finish(frames=frames)
    ends = [predictor.timebase.frame_at(segment.end_seconds) for segment in segments]
    labels = [predictor.labels.id(segment.label) for segment in segments]
    return Segmentation([0, *ends], labels).to_frames().tolist()


def labels_of(run: Run, split: int, seed: int, delays: Sequence[float], window: float) -> Labels:
    """What is committed for the test videos of a split."""
    dataset, found, decoders = run.open_dataset(), Labels(), predictors(run, split, seed)
    for name in dataset.names(split, "test"):
        sample = dataset.load(name, split)
        steps, frames = sample.features, sample.segmentation.length
        for decoder, predictor in decoders.items():
            by_delay = found.setdefault(decoder, {})
            for delay in delays:
                by_delay.setdefault(f"{delay:g} s", {})[name] = streamed(predictor, steps, frames, delay, window)
            whole = predictor.decode(predictor.run(steps), frames=frames)
            by_delay.setdefault(WHOLE, {})[name] = whole.segmentation.to_frames().tolist()
        Remembering.outputs.clear()
        print(run.folder, split, name, flush=True)
    return found


def scores(run: Run, labels: Mapping[str, list[int]]) -> dict[str, float]:
    """F1, Edit and Acc of the videos, and the number of segments per annotated one."""
    dataset = run.open_dataset()
    truth = {
        name: Segmentation.from_frames(dataset.annotation(name).to_frames()[: len(labels[name])]) for name in labels
    }
    segments = {name: Segmentation.from_frames(values) for name, values in labels.items()}
    report = evaluate_labels(truth, segments, background=tuple(dataset.labels.background_ids))
    ratio = sum(map(len, segments.values())) / sum(len(one) for one in truth.values())
    return {**report.to_json(), "segments": ratio}


def main() -> None:
    """Stream, score, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--delays", type=float, nargs="+", default=[0.5, 1.0, 2.0, 5.0, 10.0])
    parser.add_argument("--window", type=float, default=60.0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[tuple[str, str], list[tuple[int, dict[str, float]]]] = {}
    done: list[str] = []
    for run in map(read_run, options.runs):
        for split in run.splits:
            for seed in run.seeds:
                name = "-".join((run.folder.resolve().name, f"split{split}-seed{seed}", *map(str, options.delays)))
                kept = options.keep and options.keep / f"{name}-window{options.window:g}.json"
                if kept and kept.exists():
                    labels = json.loads(kept.read_text(encoding="utf-8"))
                else:
                    labels = labels_of(run, split, seed, options.delays, options.window)
                    if kept:
                        kept.parent.mkdir(parents=True, exist_ok=True)
                        kept.write_text(json.dumps(labels), encoding="utf-8")
                done.append(f"split {split} seed {seed}")
                for decoder, by_delay in labels.items():
                    for delay, videos in by_delay.items():
                        found.setdefault((decoder, delay), []).append((seed, scores(run, videos)))
    rows = {}
    for (decoder, delay), values in found.items():
        ratio = float(np.mean([row["segments"] for _, row in values]))
        rows[f"{DECODERS[decoder]}, {delay}"] = {**average_over_seeds(values), "segments": ratio}
    table = markdown_table(
        ("F1@10", "F1@25", "F1@50", "Edit", "Acc", "segments per annotated one"),
        {title: [*score_cells(row), f"{row['segments']:.2f}"] for title, row in rows.items()},
    )
    first = read_run(options.runs[0])
    note = (
        f"{first.data.name}, {', '.join(done)}, mean over splits; window {options.window:g} s, hop half of the delay,"
        f" at most 1 s; protocol ms-tcn, per frame. Trained with: {first.command} (commit {first.commit})."
        f" {options.note}"
    )
    write_results(options.out, f"{first.recipe.model} streamed, by delay", table, rows, provenance(), note)


if __name__ == "__main__":
    main()
