"""Scores, not speed: systems on equal terms, from the outputs that `network_outputs.py` kept.

python benchmarks/equal_terms.py DATA OUTPUTS [--systems rtk asformer] [--mixed 0.3] [--seeds 0 1 2] --out FILE
For each split the match is learnt from the outputs of the inner folds, as `keyseg train` does, and decodes the outputs
for the test videos; both in feature steps. The last rows know the annotation: they are no results.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keyseg.data.dataset import Dataset
from keyseg.inference.decoders import Decoder, KeypointDecoder, Match
from keyseg.inference.decoding import KeypointOutput, lattice_of
from keyseg.inference.systems import SYSTEMS
from keyseg.keypoints import BoundaryKeypoints
from keyseg.matching.alignment import MatchWeights, align
from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.matching.lattice import Lattice
from keyseg.metrics import evaluate_labels
from keyseg.timeline import Segmentation
from keyseg.training.fit import annotations_in_steps
from keyseg.training.inner_folds import HeldOutVideo, inner_folds, read_outputs
from keyseg.training.match_weights import LearntMatch, learn_match
from keyseg.training.recipe import recipe_for
from keyseg.training.results import average_over_seeds
from keyseg.training.tables import markdown_table, score_cells
from network_outputs import outputs_name
from provenance import provenance, write_results

Videos = Mapping[str, HeldOutVideo]
Decoding = Callable[[HeldOutVideo], Segmentation]


@dataclass(frozen=True)
class Source:
    """Where the outputs of one system are."""

    dataset: Dataset
    outputs: Path
    system: str
    mixed: float
    decoder: Decoder

    def read(self, split: int, fold: int, seed: int = 0) -> Videos | None:
        """The outputs of one network, None if there are none."""
        file = self.outputs / outputs_name(self.system, split, fold, self.mixed, seed)
        return read_outputs(file, self.decoder) if file.exists() else None

    def annotations(self, names: tuple[str, ...]) -> list[Segmentation]:
        """Annotations in steps."""
        return list(annotations_in_steps(self.dataset, names))


def learn(source: Source, split: int, folds: int) -> LearntMatch:
    """What the inner folds of a split say, from those whose outputs are there; without any, weights that are not
    learnt."""
    pairs = []
    for fold in inner_folds(source.dataset, split, folds):
        videos = source.read(split, fold.number)
        if videos is not None:
            pairs.append((videos, source.annotations(fold.seen)))
    labels = source.dataset.labels
    if not pairs:
        return LearntMatch(weights=MatchWeights(), plain=(0, 0, 0), matched=(0, 0, 0), videos=0)
    return learn_match(pairs, source.decoder, len(labels), tuple(labels.background_ids))


def decodings(source: Source, split: int, learnt: LearntMatch) -> dict[str, Decoding]:
    """Ways to decode an output, by title."""
    classes, decoder, title = len(source.dataset.labels), source.decoder, SYSTEMS[source.system].title
    seen = source.annotations(source.dataset.names(split, "train"))
    graph = AnnotationGraph.of(seen, classes)
    weights = learnt.weights or MatchWeights()
    matched = decoder if learnt.weights is None else decoder.changed(match=Match.to(seen, classes, learnt.weights))

    def aligned(lattice: Lattice, used: MatchWeights = weights) -> Segmentation:
        return align(lattice, used).segmentation

    found: dict[str, Decoding] = {
        f"{title}": lambda video: matched.segments(video.output).segmentation,
        f"{title} without the match": lambda video: decoder.segments(video.output).segmentation,
        f"{title}, weights not learnt": lambda video: aligned(lattice_of(video.output, graph), MatchWeights()),
    }
    if not isinstance(decoder, KeypointDecoder):
        return found
    loose = weights.changed(moves=(0.0,) * len(weights.moves), switch=0.0, jump=1.0, opening=0.0, closing=0.0)
    strict = weights.changed(switch=0.0, jump=1e-6)
    without = {
        "frame scores": {"frames": 0.0, "mean": 0.0},
        "action keypoints": {"action": 0.0, "rivals": 0.0},
        "durations": {"duration": 0.0},
        "boundary keypoints' confidence": {"boundary": 0.0},
    }
    found[f"{title}, no keypoints: cuts where its frame scores change"] = lambda video: aligned(
        Lattice.of(graph, video.output.frames)
    )
    found |= {
        f"{title}, match without {name}": lambda video, zero=zero: aligned(  # type: ignore[misc]
            lattice_of(video.output, graph), weights.changed(**zero)
        )
        for name, zero in without.items()
    }
    found[f"{title}, match without order"] = lambda video: aligned(lattice_of(video.output, graph), loose)
    found[f"{title}, match with the order kept throughout"] = lambda video: aligned(
        lattice_of(video.output, graph), strict
    )
    found["oracle: the video's annotation among the others"] = lambda video: aligned(
        lattice_of(video.output, AnnotationGraph.of([*seen, video.reference], classes))
    )
    found["oracle: true boundaries as cuts"] = lambda video: aligned(_true_cuts(video, graph))
    found["oracle: true classes of RTK's segments"] = lambda video: _true_classes(
        matched.segments(video.output).segmentation, video.reference
    )
    return found


def _true_cuts(video: HeldOutVideo, graph: AnnotationGraph) -> Lattice:
    interior = video.reference.boundaries[1:-1].astype(np.float64)
    known = BoundaryKeypoints(interior, np.ones(len(interior)))
    assert isinstance(video.output, KeypointOutput)
    lattice = lattice_of(replace(video.output, boundaries=known), graph)
    true = np.isin(lattice.times, video.reference.boundaries)
    fields = ("times", "confidence", "frames", "actions")
    return replace(lattice, **{name: getattr(lattice, name)[true] for name in fields})


def _true_classes(found: Segmentation, truth: Segmentation) -> Segmentation:
    frames = truth.to_frames()
    spans = zip(found.boundaries[:-1], found.boundaries[1:], strict=True)
    labels = [np.bincount(frames[start:end]).argmax() for start, end in spans]
    return Segmentation(found.boundaries, np.array(labels)).merged()


def main() -> None:
    """Learn, decode, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--systems", nargs="+", default=["asformer", "rtk"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--mixed", type=float, default=0.3)
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    scores: dict[str, list[tuple[int, dict[str, float]]]] = {}
    inner = {}
    for system in options.systems:
        recipe = recipe_for(options.data, system)[0]
        dataset = Dataset.open(options.data, **dict(recipe.data))
        source = Source(dataset, options.outputs, system, options.mixed, recipe.decoder())
        background = tuple(dataset.labels.background_ids)
        for split in dataset.splits:
            learnt = learn(source, split, recipe.matching.folds)
            inner[f"{system} split {split}"] = learnt.model_dump(mode="json")
            for seed in options.seeds:
                videos = source.read(split, 0, seed)
                assert videos is not None, f"{system}, split {split}, seed {seed}: no outputs"
                truth = {name: video.reference for name, video in videos.items()}
                for title, decode in decodings(source, split, learnt).items():
                    segments = {name: decode(video) for name, video in videos.items()}
                    report = evaluate_labels(truth, segments, background=background)
                    everything = evaluate_labels(truth, segments, background=())
                    row = {**report.to_json(), "edit, all classes": everything.edit}
                    scores.setdefault(title, []).append((seed, row))
            print(split, system, learnt.plain, learnt.matched, flush=True)
    rows = {title: average_over_seeds(found) for title, found in scores.items()}
    for title, found in scores.items():
        rows[title]["edit, all classes"] = float(np.mean([row["edit, all classes"] for _, row in found]))
    table = markdown_table(
        ("F1@10", "F1@25", "F1@50", "Edit", "Acc", "Edit, background counted"),
        {title: [*score_cells(row), f"{row['edit, all classes']:.1f}"] for title, row in rows.items()},
    )
    seeds = ", ".join(map(str, options.seeds))
    note = (
        f"{options.data.resolve().name}, splits {', '.join(map(str, dataset.splits))}, seeds {seeds}, last epoch,"
        f" protocol ms-tcn, in feature steps; {options.mixed:g} of the segments mixed for every system. {options.note}"
    )
    title = f"Equal terms on {options.data.resolve().name}"
    write_results(options.out, title, table, {"scores": rows, "inner folds": inner}, provenance(), note)


if __name__ == "__main__":
    main()
