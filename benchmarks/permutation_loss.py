"""What the permutation loss is worth to the learnt heads: refinements trained side by side on one keypoint generator.

python benchmarks/permutation_loss.py RUN [--seeds 0 1 2] [--epochs 15] [--variants none linear ...] [--out results/...]
RUN is a finished run of rtk. Of each training the keypoint generator stays as it is (matching sends no gradient to it
anyway), and new refinements are trained on its heatmaps of the training videos, with all of its dropouts and mixed
segments, then judge the test videos. They differ in one thing, see VARIANTS; all see the same heatmaps in one order.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from keyseg.criteria.rtk import RTKCriterion, make_reference
from keyseg.inference.bundle import load_bundle
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import decode, propose
from keyseg.inference.predictor import Predictor
from keyseg.matching.nodes import annotated_keypoints, keypoint_nodes
from keyseg.metrics import evaluate
from keyseg.models.refinement import Refiner
from keyseg.models.rtk import RTK
from keyseg.timeline import Segmentation
from keyseg.training.augmentation import mix_segments
from keyseg.training.fit import Fit
from keyseg.training.objective import cosine
from keyseg.training.run import read_run
from keyseg.training.settings import RTKRecipe
from keyseg.training.tables import SCORES, score_table
from keyseg.training.videos import Videos, training_loader
from provenance import provenance, write_results

VARIANTS: Mapping[str, dict[str, Any]] = {
    "none": {"losses": {"permutation": 0.0}},
    "linear": {},
    "quadratic": {"matching": {"method": "quadratic"}},
    "linear, 1 round of messages": {"refinement": {"layers": 1}},
    "linear, 5 rounds of messages": {"refinement": {"layers": 5}},
}


@dataclass
class Candidate:
    """A refinement with the criterion that it learns from."""

    refiner: Refiner
    criterion: RTKCriterion
    optimiser: torch.optim.Optimizer


def candidate(recipe: RTKRecipe, classes: int, changes: Mapping[str, dict[str, Any]], seed: int) -> Candidate:
    """A new refinement of a recipe with some values changed."""
    torch.manual_seed(seed)
    sizes = recipe.network.refinement.model_copy(update=changes.get("refinement", {}))
    losses = recipe.losses.model_copy(update=changes.get("losses", {}))
    matching = recipe.matching.model_copy(update=changes.get("matching", {}))
    refiner = Refiner(sizes, recipe.network.backbone.channels, classes)
    criterion = RTKCriterion(losses, matching)
    parameters = [*refiner.parameters(), *criterion.parameters()]
    settings = recipe.optimiser
    optimiser = torch.optim.Adam(parameters, lr=settings.context_learning_rate, weight_decay=settings.weight_decay)
    return Candidate(refiner, criterion, optimiser)


def train(fit: Fit, recipe: RTKRecipe, predictor: Predictor, candidates: Mapping[str, Candidate], epochs: int) -> None:
    """Train all candidates on the same heatmaps."""
    network = predictor.model
    assert isinstance(network, RTK)
    names = fit.dataset.names(fit.split, "train")
    loader = training_loader(Videos(fit.dataset, fit.split, names), batch_size=1, seed=fit.seed)
    network.train()
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        torch.manual_seed(1000 * fit.seed + epoch)
        for batch in loader:
            reference = make_reference(batch.labels, batch.mask, len(predictor.labels))
            with torch.no_grad():
                mixed = mix_segments(batch.features, reference.segmentations, recipe.augmentation.mixed_segments)
                maps = network(mixed, batch.mask).maps()
            proposals = [propose(maps.action[0].numpy(), maps.boundary[0].numpy(), recipe.proposals)]
            nodes = keypoint_nodes(proposals)
            annotated = keypoint_nodes([annotated_keypoints(s) for s in reference.segmentations])
            for one in candidates.values():
                for group in one.optimiser.param_groups:
                    group["lr"] = recipe.optimiser.context_learning_rate * cosine(epoch, 0, epochs)
                source, target = one.refiner(maps, nodes), one.refiner.graph(maps, annotated)
                losses = one.criterion.context(source, target, proposals, nodes, reference)
                one.optimiser.zero_grad()
                torch.stack(list(losses.values())).sum().backward()
                torch.nn.utils.clip_grad_norm_(one.refiner.parameters(), recipe.optimiser.clip_norm or float("inf"))
                one.optimiser.step()
    network.eval()


def score(fit: Fit, predictor: Predictor, refiner: Refiner) -> dict[str, dict[str, float]]:
    """Scores of the test videos with these heads, with and without matching to the remembered annotations."""
    network, decoder = predictor.model, predictor.decoder
    assert isinstance(network, RTK)
    assert isinstance(decoder, KeypointDecoder)
    network.refiner = refiner.eval()
    samples = [fit.dataset.load(name, fit.split) for name in fit.dataset.names(fit.split, "test")]
    truth = {sample.name: Segmentation.from_frames(sample.labels) for sample in samples}
    readings = {sample.name: predictor.read(sample.features) for sample in samples}
    context = decoder.rules.model_copy(update={"context_weight": 1.0})
    found = {}
    for name, rules, memory in (
        ("matched", decoder.rules, decoder.memory),
        ("heads alone", decoder.rules, None),
        ("heads alone, classes count", context, None),
    ):
        videos = {n: decode(r, rules, refine=True, memory=memory).segmentation for n, r in readings.items()}  # type: ignore[arg-type]
        background = tuple(sorted(fit.dataset.labels.background_ids))
        found[name] = evaluate(truth, videos, background=background).to_json()
    return found


def main() -> None:
    """Train, score, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "permutation_loss")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = read_run(options.run)
    recipe = run.recipe
    assert isinstance(recipe, RTKRecipe)
    scores: dict[str, list[tuple[int, dict[str, float]]]] = {}
    fits = [fit for fit in run.fits() if fit.seed in options.seeds]
    for fit in fits:
        predictor = load_bundle(fit.bundle)
        classes = len(predictor.labels)
        candidates = {name: candidate(recipe, classes, VARIANTS[name], fit.seed) for name in options.variants}
        train(fit, recipe, predictor, candidates, options.epochs)
        for name, one in candidates.items():
            for how, values in score(fit, predictor, one.refiner).items():
                scores.setdefault(f"{name}: {how}", []).append((fit.seed, values))
        print(f"split {fit.split} seed {fit.seed} done", file=sys.stderr, flush=True)
    rows = {name: _average(found) for name, found in sorted(scores.items(), key=lambda item: item[0].split(": ")[1])}
    splits = ", ".join(map(str, run.splits))
    note = (
        f"{run.data.name}, split(s) {splits}, seed(s) {', '.join(map(str, options.seeds))}, {options.epochs} epochs of"
        f" the refinement alone on the generators of `{run.command}` (commit {run.commit}). Rows: permutation loss: how"
        " decoded."
    )
    write_results(options.out, "The permutation loss and the learnt heads", score_table(rows), rows, provenance(), note)


def _average(found: list[tuple[int, dict[str, float]]]) -> dict[str, float]:
    seeds = sorted({seed for seed, _ in found})
    means = {name: [fmean(v[name] for s, v in found if s == seed) for seed in seeds] for name in SCORES}
    average = {name: fmean(values) for name, values in means.items()}
    if len(seeds) > 1:
        average |= {f"{name} sd": stdev(values) for name, values in means.items()}
    return average


if __name__ == "__main__":
    main()
