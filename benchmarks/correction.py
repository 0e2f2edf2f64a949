"""Work, not scores: edits and seconds to correct predictions, against labelling from nothing.

python benchmarks/correction.py DATA OUTPUTS LEARNT [--seeds 0 1 2] --out FILE
OUTPUTS: what `network_outputs.py` kept of RTK. LEARNT: the JSON file of `equal_terms.py`, whose matches, learnt on
inner folds, decode the outputs here as there. The annotator is that of `scripted_annotator.py`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equal_terms import Source, decodings
from keyseg.data.dataset import Dataset
from keyseg.inference.decoding import KeypointOutput
from keyseg.timeline import FloatArray, Segmentation
from keyseg.training.match_weights import LearntMatch
from keyseg.training.recipe import recipe_for
from keyseg.training.tables import markdown_table
from provenance import provenance, write_results
from scripted_annotator import EDITS, REVIEW, Work, correct, from_nothing

TOLERANCES = (0, 3, 7, 15)  # frames


@dataclass(frozen=True)
class Corrected:
    """One test video: its annotation, what was predicted, and where the boundary keypoints are, in frames."""

    truth: Segmentation
    found: Segmentation
    keypoints: FloatArray


def predictions(source: Source, learnt: dict[str, Any], seeds: list[int]) -> Iterator[Corrected]:
    """The test videos of all splits and seeds."""
    for split in source.dataset.splits:
        match = LearntMatch.model_validate(learnt[f"rtk split {split}"])
        decode = decodings(source, split, match)["RTK"]
        for seed in seeds:
            videos = source.read(split, 0, seed)
            assert videos is not None, f"split {split}, seed {seed}: no outputs"
            for video in videos.values():
                assert isinstance(video.output, KeypointOutput)
                yield Corrected(video.reference, decode(video), video.output.boundaries.time)


def near(places: FloatArray, true: FloatArray, within: int) -> int:
    """How many true places have one of `places` within so many frames."""
    return int((np.abs(true[:, None] - places[None]) <= within).any(1).sum()) if len(places) else 0


def row(works: list[Work], nothing: list[Work], seconds: float) -> list[str]:
    """Cells of a row: per video, and against labelling from nothing."""
    total, base, videos = sum(works, Work()), sum(nothing, Work()), len(works)
    counts = [f"{getattr(total, kind) / videos:.1f}" for kind in EDITS]
    return [
        *counts,
        f"{total.actions / videos:.1f}",
        f"{total.actions / base.actions:.0%}",
        f"{total.seconds / videos:.0f}",
        f"{total.seconds / base.seconds:.0%}",
        f"{(total.seconds + seconds) / (base.seconds + seconds):.0%}",
    ]


def boundaries(videos: list[Corrected]) -> list[str]:
    """Sentences on where the true boundaries are seen."""
    total = sum(len(video.truth.boundaries) - 2 for video in videos)
    sentences = []
    for within in (1, 3, 7):
        found = sum(near(v.found.boundaries[1:-1], v.truth.boundaries[1:-1], within) for v in videos)
        keypoint = sum(near(v.keypoints, v.truth.boundaries[1:-1], within) for v in videos)
        sentences.append(
            f"Within {within} frame{'s' * (within > 1)} of a true boundary there is a predicted boundary for"
            f" {found / total:.0%}, and a boundary keypoint, to which a drag snaps, for {keypoint / total:.0%}."
        )
    return sentences


def main() -> None:
    """Correct all videos, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("learnt", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--mixed", type=float, default=0.3)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    recipe = recipe_for(options.data, "rtk")[0]
    dataset = Dataset.open(options.data, **dict(recipe.data))
    fps = float(dataset.timebase.fps)
    source = Source(dataset, options.outputs, "rtk", options.mixed, recipe.decoder())
    learnt = json.loads(options.learnt.read_text(encoding="utf-8"))["rows"]["inner folds"]
    videos = list(predictions(source, learnt, options.seeds))
    seconds = sum(video.truth.length for video in videos) / fps
    nothing = [from_nothing(video.truth) for video in videos]
    rows = {"from nothing": row(nothing, nothing, seconds)}
    found = {}
    for tolerance in TOLERANCES:
        works = [correct(video.found, video.truth, tolerance) for video in videos]
        rows[f"corrected, within {tolerance}"] = row(works, nothing, seconds)
        found[f"corrected, within {tolerance}"] = [vars(work) for work in works]
    heads = (*EDITS, "edits", "of those from nothing", "seconds", "of those from nothing", "the video watched too")
    name = options.data.resolve().name
    costs = ", ".join(f"{kind} {cost:.2f} s" for kind, cost in EDITS.items())
    splits, seeds = (", ".join(map(str, numbers)) for numbers in (dataset.splits, options.seeds))
    note = (
        f"{name}, test videos of splits {splits}, seeds {seeds}, RTK as in equal-terms.md; means per video"
        f" ({seconds / len(videos):.0f} s). 'within N': each boundary may be off by N frames at {fps:g} per second."
        f" Keystroke-level model: {costs}, {REVIEW:g} s more for each new boundary. The last column adds watching each"
        " video once, at its own speed, on both sides. Labels are taken as known at once, and the annotator as never"
        " mistaken. " + " ".join(boundaries(videos))
    )
    write_results(
        options.out, f"Correcting predictions on {name}", markdown_table(heads, rows), found, provenance(), note
    )


if __name__ == "__main__":
    main()
