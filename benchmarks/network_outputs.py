"""Train networks, and keep what they say about videos that they were not trained on, for `equal_terms.py`.

python benchmarks/network_outputs.py DATA OUTPUTS --systems rtk asformer [--splits 1 2] [--seeds 0 1 2] [--epochs N]
    [--mixed 0.3] [--parts folds final]
Writes OUTPUTS/SYSTEM-splitK-foldF-mixedM-seedS.npz: the held-out videos of inner fold F, trained at the pace of the
recipe with seed 0, or for F = 0 the test videos of split K. What is there is kept; the same command may run several
times at once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path

from filelock import FileLock, Timeout

from keyseg.data.dataset import Dataset
from keyseg.training.fit import Fit, train_network
from keyseg.training.inner_folds import InnerFold, inner_folds, run_held_out, save_outputs
from keyseg.training.recipe import recipe_for
from keyseg.training.settings import Recipe


def outputs_name(system: str, split: int, fold: int, mixed: float, seed: int) -> str:
    """File name of the outputs of one network."""
    return f"{system}-split{split}-fold{fold}-mixed{mixed:g}-seed{seed}.npz"


def write_outputs(dataset: Dataset, recipe: Recipe, fold: InnerFold, seed: int, file: Path) -> None:
    """Train on the seen videos of a fold and keep the outputs for the others."""
    with tempfile.TemporaryDirectory() as folder:
        fit = Fit(dataset, fold.split, seed, recipe, Path(folder))
        module, seconds = train_network(fit, recipe, recipe.decoder(), fold.seen, (), fit.folder)
        save_outputs(file, run_held_out(module.predictor, dataset, fold))
    print(f"{file.name}: {seconds:.0f} s", file=sys.stderr, flush=True)


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--systems", nargs="+", default=["rtk", "asformer"])
    parser.add_argument("--splits", type=int, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--mixed", type=float, default=0.3)
    parser.add_argument("--parts", nargs="+", choices=("folds", "final"), default=["folds", "final"])
    options = parser.parse_args()
    options.outputs.mkdir(parents=True, exist_ok=True)
    for system, part in product(options.systems, options.parts):
        recipe = recipe_for(options.data, system, epochs=options.epochs)[0].mixing(options.mixed)
        dataset = Dataset.open(options.data, **dict(recipe.data))
        for split in options.splits or dataset.splits:
            seen, test = dataset.names(split, "train"), dataset.names(split, "test")
            whole = part == "final"
            folds = [InnerFold(0, split, seen, test)] if whole else inner_folds(dataset, split, recipe.matching.folds)
            chosen = recipe if whole else recipe.at_pace(recipe.matching.pace)
            for fold, seed in product(folds, options.seeds if whole else (0,)):
                file = options.outputs / outputs_name(system, split, fold.number, options.mixed, seed)
                try:
                    with FileLock(f"{file}.lock", timeout=0):
                        if not file.exists():
                            write_outputs(dataset, chosen, fold, seed, file)
                except Timeout:
                    continue


if __name__ == "__main__":
    main()
