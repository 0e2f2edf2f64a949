"""What matching costs: in predicting a video, by its length and by the number of annotations, and in training RTK.

python benchmarks/matching.py [--repeats 9]
Annotations are random, and heatmaps and class probabilities are drawn from them with noise, since those of an untrained
network are flat. Both sides of a ratio are measured in turn, and ratios are the medians of the rounds. Writes
benchmarks/results/matching.md and matching.json.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit, softmax

from keyseg.data.batches import Batch
from keyseg.inference.decoding import KeypointOutput, ProposalConfig, lattice_of, match, propose_keypoints
from keyseg.keypoints import encode
from keyseg.matching.alignment import MatchWeights
from keyseg.matching.annotation_graph import NODE_LIMIT, AnnotationGraph
from keyseg.models.rtk import RTK, RTKConfig
from keyseg.timeline import LabelMap, Segmentation
from keyseg.training.rtk_objective import RTKObjective
from keyseg.training.settings import RTKRecipe
from provenance import provenance, write_results

CLASSES, DIMENSION = 11, 128  # as GTEA
STEPS, SEGMENTS, ANNOTATIONS = 1060, 33, 21  # of a video of GTEA, and of the training videos of a split
LENGTHS = (500, 1000, 2000, 4000, 8000, 16000, 32000)
NUMBERS = (20, 200, 2000)  # of annotations, with 30 segments each
PER_SEGMENT = 32  # steps, where the length of a video varies
TRAINED_SEGMENTS, TRAINED_STEPS, TRAINED_VIDEOS, TRAINED_EPOCHS = (30, 95), 1000, 8, 30

Map = npt.NDArray[Any]


def draw_annotation(rng: np.random.Generator, steps: int, segments: int) -> Segmentation:
    """A segmentation in which no class follows itself and lengths vary by a factor of two."""
    lengths = rng.lognormal(0, 0.8, segments)
    bounds = np.rint(np.cumsum(lengths) / lengths.sum() * (steps - segments)).astype(int) + np.arange(1, segments + 1)
    labels = np.cumsum(rng.integers(1, CLASSES, segments)) % CLASSES
    return Segmentation(np.concatenate(([0], bounds)), labels)


def draw_maps(rng: np.random.Generator, annotation: Segmentation) -> tuple[Map, Map, Map]:
    """Heatmaps of actions (C, T) and boundaries (T,) and class probabilities (C, T), right most of the time."""

    def noise(*shape: int) -> Map:
        values = gaussian_filter1d(rng.standard_normal(shape), 3, axis=-1)
        return values / values.std()

    maps = encode(annotation, CLASSES)
    action = expit(6 * maps.action - 5 + 2.2 * noise(CLASSES, annotation.length))
    boundary = expit(6 * maps.boundary - 4 + 1.5 * noise(annotation.length))
    right = np.eye(CLASSES)[annotation.to_frames()].T
    frames = softmax(4 * right + 1.6 * noise(CLASSES, annotation.length), axis=0)
    return action.astype(np.float32), boundary.astype(np.float32), frames.astype(np.float32)


def read(maps: tuple[Map, Map, Map]) -> KeypointOutput:
    """The maps of a video with the keypoints that they propose."""
    action, boundary, frames = maps
    return KeypointOutput(
        frames, frames[None], action, boundary, *propose_keypoints(action, boundary, ProposalConfig())
    )


def annotations(rng: np.random.Generator, number: int, segments: int) -> AnnotationGraph:
    """The graph of as many annotations with as many segments each."""
    drawn = [draw_annotation(rng, PER_SEGMENT * segments, segments) for _ in range(number)]
    return AnnotationGraph.of(drawn, CLASSES)


def in_turn(calls: Sequence[Callable[[], Any]], repeats: int) -> list[list[float]]:
    """Seconds of every call (rows of rounds), after a round to warm up."""
    rounds = []
    for _ in range(repeats + 1):
        rounds.append([])
        for call in calls:
            started = time.perf_counter()
            call()
            rounds[-1].append(time.perf_counter() - started)
    return rounds[1:]


def prediction(threads: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of a forward pass, of reading keypoints and of the match, for a video as those of GTEA."""
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    graph, maps = annotations(rng, ANNOTATIONS, SEGMENTS), draw_maps(rng, draw_annotation(rng, STEPS, SEGMENTS))
    network, output = RTK(RTKConfig(), DIMENSION, CLASSES).eval(), read(maps)
    features, mask = torch.randn(1, DIMENSION, STEPS), torch.ones(1, STEPS, dtype=torch.bool)

    def forward() -> None:
        with torch.inference_mode():
            network(features, mask)

    rounds = in_turn([forward, lambda: read(maps), lambda: match(output, graph, MatchWeights())], repeats)
    network_ms, keypoints_ms, match_ms = (1000 * median(column) for column in zip(*rounds, strict=True))
    return {
        "threads": threads,
        "cuts": len(lattice_of(output, graph)),
        "network_ms": network_ms,
        "keypoints_ms": keypoints_ms,
        "match_ms": match_ms,
        "ratio": median(sum(row) / row[0] for row in rounds),
    }


def matches(cases: Sequence[tuple[int, int]], repeats: int) -> list[dict[str, Any]]:
    """Seconds and peak memory of the match for each case, a number of steps and one of annotations of 30 segments."""
    calls, rows = [], []
    for steps, number in cases:
        graph = annotations(np.random.default_rng(0), number, 30)
        rng = np.random.default_rng(1)
        output = read(draw_maps(rng, draw_annotation(rng, steps, steps // PER_SEGMENT)))
        calls.append(lambda output=output, graph=graph: match(output, graph, MatchWeights()))
        tracemalloc.start()
        calls[-1]()
        mib = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        cuts = len(lattice_of(output, graph))
        rows.append({"T": steps, "annotations": number, "nodes": len(graph), "cuts": cuts, "mib": mib})
    rounds = in_turn(calls, repeats)
    for index, row in enumerate(rows):
        row["seconds"] = median(seconds[index] for seconds in rounds)
        row["growth"] = median(seconds[index] / seconds[0] for seconds in rounds)
    return rows


def training(segments: int, repeats: int) -> list[dict[str, Any]]:
    """Seconds of an epoch before and after matching has joined: with untrained heatmaps, and with trained ones."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    recipe = RTKRecipe().mixing(0.3)
    recipe = recipe.changed(matching=recipe.matching.changed(join_epoch=1))
    network = RTK(recipe.network, DIMENSION, CLASSES)
    objective = RTKObjective(recipe, LabelMap(tuple(f"action{i}" for i in range(CLASSES))))
    parameters = [*network.parameters(), *objective.parameters()]
    optimiser = torch.optim.Adam(parameters, recipe.optimiser.learning_rate)
    prototypes, mask = torch.randn(CLASSES, DIMENSION), torch.ones(1, TRAINED_STEPS, dtype=torch.bool)
    batches = []
    for _ in range(TRAINED_VIDEOS):
        annotation = draw_annotation(rng, TRAINED_STEPS, segments)
        labels = torch.from_numpy(annotation.to_frames())[None]
        features = (prototypes[labels] + 4 * torch.randn(1, TRAINED_STEPS, DIMENSION)).mT
        batches.append(Batch(features, mask, labels, ("V",), (annotation,)))

    def epoch(number: int) -> None:
        for batch in batches:
            optimiser.zero_grad()
            torch.stack(list(objective.losses(network, batch, number).values())).sum().backward()
            optimiser.step()

    def measured(heatmaps: str) -> dict[str, Any]:
        weights = {name: value.clone() for name, value in network.state_dict().items()}

        def once(number: int) -> None:
            network.load_state_dict(weights)
            epoch(number)

        proposed = [count_proposals(network, batch, recipe.proposals) for batch in batches]
        rounds = in_turn([lambda: once(0), lambda: once(1)], repeats)
        before, joined = (median(column) for column in zip(*rounds, strict=True))
        return {
            "segments": segments,
            "heatmaps": heatmaps,
            "keypoints": round(float(np.mean(proposed))),
            "before": before,
            "joined": joined,
            "ratio": median(row[1] / row[0] for row in rounds),
        }

    untrained = measured("untrained")
    for _ in range(TRAINED_EPOCHS):
        epoch(0)
    return [untrained, measured(f"after {TRAINED_EPOCHS} epochs")]


def count_proposals(network: RTK, batch: Batch, config: ProposalConfig) -> int:
    """Number of keypoints that the network proposes for a batch of one video."""
    with torch.inference_mode():
        maps = network(batch.features, batch.mask).maps()
    return sum(
        len(keypoints) for keypoints in propose_keypoints(maps.action[0].numpy(), maps.boundary[0].numpy(), config)
    )


def table(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> list[str]:
    """A table of the keys of rows; columns: the title of each key with its format, such as {"mib": "MiB:.0f"}."""
    titles, formats = zip(*(value.rsplit(":", 1) for value in columns.values()), strict=True)
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        cells = (format(row[key], spec) for key, spec in zip(columns, formats, strict=True))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    rows = {
        "prediction": [prediction(threads, 3 * repeats) for threads in (1, 2)],
        "length": matches([(steps, 20) for steps in LENGTHS], repeats),
        "annotations": matches([(1000, number) for number in NUMBERS], repeats),
        "training": [row for segments in TRAINED_SEGMENTS for row in training(segments, max(1, repeats // 3))],
    }
    size = {"T": "T:,", "annotations": "annotations:,", "nodes": "nodes:,", "cuts": "cuts:,"}
    cost = {"seconds": "seconds:.4f", "growth": "growth:.1f", "mib": "memory, MiB:.1f"}
    milliseconds = {"network_ms": "network, ms:.1f", "keypoints_ms": "keypoints, ms:.1f", "match_ms": "match, ms:.1f"}
    epochs = {"before": "before, s:.2f", "joined": "joined, s:.2f", "ratio": "ratio:.2f"}
    lines = [
        f"Prediction of a video of {STEPS:,} steps and {DIMENSION} channels, matched to {ANNOTATIONS} annotations of"
        f" {SEGMENTS} segments; {CLASSES} classes:",
        "",
        *table(
            {"threads": "threads:d", "cuts": "cuts:,", **milliseconds, "ratio": "sum / network:.2f"}, rows["prediction"]
        ),
        "",
        "The match by the length of the video, with 20 annotations of 30 segments:",
        "",
        *table(size | cost, rows["length"]),
        "",
        f"The match by the number of annotations of 30 segments; those beyond {NODE_LIMIT:,} nodes are left out:",
        "",
        *table(size | cost, rows["annotations"]),
        "",
        f"An epoch of RTK on {TRAINED_VIDEOS} videos of {TRAINED_STEPS:,} steps, before and after matching has joined:",
        "",
        *table(
            {"segments": "segments:d", "heatmaps": "heatmaps:s", "keypoints": "keypoints:,"} | epochs, rows["training"]
        ),
    ]
    note = (
        "Medians; the machine is shared, so trust ratios alone. keypoints: mean number of those proposed per video."
        " memory: largest allocation of a match. ratio: an epoch after matching has joined divided by one before."
    )
    path = Path(__file__).parent / "results" / "matching"
    write_results(path, "Matching to annotations, in prediction and in training", lines, rows, provenance(), note)


if __name__ == "__main__":
    main()
