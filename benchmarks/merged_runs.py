"""Scores, not speed: one table of runs that trained parts of a data set each, say a split and a seed.

python benchmarks/merged_runs.py RUN... [--also TABLE1.json ROW TITLE]... [--title T] [--note N] --out FILE
RUN is a folder of `keyseg train` with its results.json; scores are those of the last epoch. --also adds a row of a
table that `keyseg reproduce table1` wrote.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keyseg.training.results import average_over_seeds
from keyseg.training.tables import score_table
from provenance import provenance, write_results

Run = dict[str, Any]


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """What results.json says of each run. Raises ValueError if they are of several data sets, or if two of a system
    have the same split and seed."""
    runs = [json.loads((folder / "results.json").read_text(encoding="utf-8")) for folder in folders]
    fits = [(run["system"], name) for run in runs for name in run["cost"]]
    twice = sorted({fit for fit in fits if fits.count(fit) > 1})
    if twice:
        raise ValueError(f"more than one run has {twice[0]}")
    if len({_dataset(run) for run in runs}) > 1:
        raise ValueError(f"runs of several data sets: {sorted({_dataset(run) for run in runs})}")
    return runs


def dataset_of(runs: Sequence[Run]) -> str:
    """Name of the data set that the runs share."""
    return _dataset(runs[0])


def _dataset(run: Run) -> str:
    """Without the number at the end of a copy for one split, 50salads-shuffled1."""
    return re.sub(r"(?<=-shuffled)\d+$", "", run["data"])


def merged(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """By system and part of it: the mean over splits per seed, then mean and standard deviation over seeds."""
    found: dict[str, list[tuple[int, dict[str, float]]]] = {}
    for run in runs:
        for variant, fits in run["by_split"].items():
            found.setdefault(variant, []).extend((_seed(name), scores) for name, scores in fits.items())
    return {variant: average_over_seeds(rows) for variant, rows in found.items()}


def _seed(fit: str) -> int:
    return int(fit.rpartition("seed")[2])


def origin(runs: Sequence[Run]) -> dict[str, str]:
    """How the runs were trained, by system."""
    found = {}
    for system in dict.fromkeys(run["system"] for run in runs):
        own = [run for run in runs if run["system"] == system]
        costs = [cost for run in own for cost in run["cost"].values()]
        splits, seeds, epochs, machines, versions = (
            ", ".join(map(str, sorted(values)))
            for values in (
                {split for run in own for split in run["splits"]},
                {seed for run in own for seed in run["seeds"]},
                {run["epochs"] for run in own},
                {cost["machine"] for cost in costs},
                {cost["keyseg"] for cost in costs},
            )
        )
        found[system] = f"splits {splits}, seeds {seeds}, {epochs} epochs, keyseg {versions}, {machines}"
    return found


def main() -> None:
    """Merge, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--also", nargs=3, action="append", default=[], metavar=("FILE", "ROW", "TITLE"))
    parser.add_argument("--title", default="Scores")
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    runs = read_runs(options.runs)
    rows = merged(runs)
    for file, row, title in options.also:
        rows[title] = json.loads(Path(file).read_text(encoding="utf-8"))["rows"][row]["scores"]
    note = f"Last epoch, protocol ms-tcn. {options.note}"
    title = f"{options.title} on {dataset_of(runs)}"
    write_results(options.out, title, score_table(rows), rows, origin(runs) | provenance(), note)


if __name__ == "__main__":
    main()
