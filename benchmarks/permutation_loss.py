"""What the permutation loss adds to the learnt heads: refinements trained side by side on one keypoint generator.

python benchmarks/permutation_loss.py RUN [--seeds 0 1 2] [--epochs 15] [--variants none linear ...] [--out results/...]
RUN is a finished run of rtk. The keypoint generator of each training is kept as it is (matching sends it no gradient
anyway). New refinements are trained on its heatmaps of the training videos, with dropout and mixed segments as in
training, and evaluated on the test videos. They differ in one thing (see VARIANTS); all see the same heatmaps in the
same order.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from keyseg.criteria.rtk import RTKCriterion, make_reference
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import KeypointOutput, decode
from keyseg.inference.predictor import Predictor
from keyseg.models.refinement import Refiner
from keyseg.models.rtk import RTK
from keyseg.reproduction.ablations import Decode, origin, score_decodings
from keyseg.timeline import Segmentation
from keyseg.training.augmentation import mix_segments
from keyseg.training.choice import choose
from keyseg.training.fit import Fit
from keyseg.training.objective import cosine
from keyseg.training.results import average_over_seeds
from keyseg.training.rtk_objective import context_losses
from keyseg.training.run import read_run
from keyseg.training.scoring import finished_predictor
from keyseg.training.settings import RTKRecipe
from keyseg.training.tables import score_table
from keyseg.training.videos import Videos, loader
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
    """A refinement and its criterion."""

    refiner: Refiner
    criterion: RTKCriterion
    optimiser: torch.optim.Optimizer


def candidate(recipe: RTKRecipe, classes: int, changes: Mapping[str, dict[str, Any]], seed: int) -> Candidate:
    """A new refinement for a recipe with some values changed."""
    torch.manual_seed(seed)
    sizes = recipe.network.refinement.model_copy(update=changes.get("refinement", {}))
    losses = recipe.losses.model_copy(update=changes.get("losses", {}))
    matching = recipe.matching.model_copy(update=changes.get("matching", {}))
    refiner = Refiner(sizes, recipe.network.backbone.channels, classes)
    criterion = RTKCriterion(losses, matching, sizes.neighbours)
    parameters = [*refiner.parameters(), *criterion.parameters()]
    settings = recipe.optimiser
    optimiser = torch.optim.Adam(parameters, lr=settings.context_learning_rate, weight_decay=settings.weight_decay)
    return Candidate(refiner, criterion, optimiser)


def train(fit: Fit, recipe: RTKRecipe, predictor: Predictor, candidates: Mapping[str, Candidate], epochs: int) -> None:
    """Train all candidates on the same heatmaps."""
    network = predictor.model
    assert isinstance(network, RTK)
    names = fit.dataset.names(fit.split, "train")
    batches = loader(Videos(fit.dataset, fit.split, names), seed=fit.seed)
    share = choose(fit).mixed_segments
    network.train()
    for epoch in range(epochs):
        batches.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        torch.manual_seed(1000 * fit.seed + epoch)
        for batch in batches:
            reference = make_reference(batch.labels, batch.mask, len(predictor.labels))
            with torch.no_grad():
                mixed = mix_segments(batch.features, batch.labels, batch.mask, share)
                maps = network(mixed, batch.mask).maps()
            for one in candidates.values():
                for group in one.optimiser.param_groups:
                    group["lr"] = recipe.optimiser.context_learning_rate * cosine(epoch, 0, epochs)
                losses = context_losses(one.refiner, one.criterion, maps, reference, recipe.proposals)
                one.optimiser.zero_grad()
                torch.stack(list(losses.values())).sum().backward()
                torch.nn.utils.clip_grad_norm_(one.refiner.parameters(), recipe.optimiser.clip_norm or float("inf"))
                one.optimiser.step()
    network.eval()


def with_classes(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """The heads alone, with the refined classes as evidence."""
    rules = decoder.rules.model_copy(update={"context_weight": 1.0})
    return decode(output, rules, refine=True).segmentation


DECODINGS: Mapping[str, Decode] = {
    "matched": lambda decoder, output, _: decoder.segments(output).segmentation,
    "heads alone": lambda decoder, output, _: decoder.unmatched(output, None).segmentation,
    "heads alone, classes count": with_classes,
}


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
    scores: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    fits = [fit for fit in run.fits() if fit.seed in options.seeds]
    for fit in fits:
        predictor = finished_predictor(fit)
        classes = len(predictor.labels)
        candidates = {name: candidate(recipe, classes, VARIANTS[name], fit.seed) for name in options.variants}
        train(fit, recipe, predictor, candidates, options.epochs)
        for name, one in candidates.items():
            predictor.model.refiner = one.refiner.eval()
            for how, report in score_decodings(fit, predictor, DECODINGS).items():
                scores.setdefault(f"{name}: {how}", []).append((fit.seed, report.to_json()))
        print(f"split {fit.split} seed {fit.seed} done", file=sys.stderr, flush=True)
    ordered = sorted(scores.items(), key=lambda item: item[0].split(": ")[1])
    rows = {name: average_over_seeds(found) for name, found in ordered}
    splits = ", ".join(map(str, run.splits))
    note = (
        f"{run.data.name}, split(s) {splits}, seed(s) {', '.join(map(str, options.seeds))}, {options.epochs} epochs of"
        f" the refinement alone on the generators trained by {origin(run)['trained by']}. Rows: permutation loss: how"
        " decoded."
    )
    write_results(options.out, "The permutation loss and the learnt heads", score_table(rows), rows, provenance(), note)


if __name__ == "__main__":
    main()
