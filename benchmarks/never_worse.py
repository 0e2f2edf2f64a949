"""Scores, not speed: whether the match, which a training switches on or off by itself, is ever worse than none.

python benchmarks/never_worse.py RUN... [--note N] --out FILE
RUN is a folder of `keyseg train` with its results.json, one split and one seed each, of one data set, or of the copies
COPY-shuffled1, COPY-shuffled2, ... of it that `shuffled_dataset.py` makes. RTK's network is the same with and without
the match.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from keyseg.inference.decoding import Rules
from keyseg.training.tables import score_table
from merged_runs import Run, dataset_of, merged, origin, read_runs
from provenance import provenance, write_results

_WITH, _WITHOUT = "rtk", "rtk-no-refinement"
_MEASURES = {"f1@50": "F1@50", "edit": "Edit", "acc": "Acc"}
_MOST_LOSS = 0.3  # points: less is not worse

_RULES = ("action_threshold", "boundary_threshold", "frame_weight")

Row = dict[str, float | str]


def system_rows(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Mean scores of RTK with and without the match, and of the other systems."""
    rows = merged(runs)
    systems = {run["system"] for run in runs}
    titles = {_WITH: "RTK", _WITHOUT: "RTK without the match"}
    return {titles.get(name, name): rows[name] for name in rows if name in systems | {_WITHOUT}}


def split_rows(runs: Sequence[Run]) -> dict[str, Row]:
    """By training of RTK: what its inner folds chose, and what the match changes, promised and on the test videos."""
    rows = {}
    for run in runs:
        for name, chosen in run["chosen"].items():
            match = chosen["match"]
            rules = chosen.get("rules") or Rules().model_dump()  # earlier trainings learnt none
            row: Row = {"mixed": chosen["mixed_segments"], "match": "on" if match["weights"] else "off"}
            row["rules"] = ", ".join(f"{rules[key]:g}" for key in _RULES)
            row |= {
                f"promised {measure}": with_match - plain
                for measure, plain, with_match in zip(_MEASURES, match["plain"], match["matched"], strict=True)
            }
            found, without = (run["by_split"][variant][name] for variant in (_WITH, _WITHOUT))
            rows[name] = row | {measure: found[measure] - without[measure] for measure in _MEASURES}
    return dict(sorted(rows.items()))


def mean_difference(rows: Mapping[str, Row]) -> dict[str, float]:
    """What the match changes on the test videos, mean over the trainings."""
    return {measure: fmean(float(row[measure]) for row in rows.values()) for measure in _MEASURES}


def verdict(difference: Mapping[str, float]) -> str:
    """In which measures the match is worse than none."""
    said = ", ".join(f"{_MEASURES[measure]} {value:+.2f}" for measure, value in difference.items())
    worse = [_MEASURES[measure] for measure, value in difference.items() if value < -_MOST_LOSS]
    if worse:
        return f"On average the match makes {' and '.join(worse)} worse by more than {_MOST_LOSS:g} ({said})."
    return f"On average the match makes no measure worse by more than {_MOST_LOSS:g} ({said})."


def table(rows: Mapping[str, Row], difference: Mapping[str, float]) -> list[str]:
    """By training, and the mean."""
    lines = [
        "| RTK | mixed segments | rules: actions, boundaries, frames | match"
        " | promised by inner folds: F1@50, Edit, Acc | with the match - without |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        promised, found = (", ".join(f"{row[lead + key]:+.1f}" for key in _MEASURES) for lead in ("promised ", ""))
        lines.append(f"| {name} | {row['mixed']:g} | {row['rules']} | {row['match']} | {promised} | {found} |")
    means = ", ".join(f"{value:+.2f}" for value in difference.values())
    return [*lines, f"| mean | | | | | {means} |"]


def main() -> None:
    """Read, compare, write both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    runs = read_runs(options.runs)
    systems, splits = system_rows(runs), split_rows(runs)
    difference = mean_difference(splits)
    blocks = [*score_table(systems), "", *table(splits, difference)]
    rows = {"systems": systems, "by training": splits, "mean difference": difference}
    note = f"Last epoch, protocol ms-tcn. {verdict(difference)} {options.note}"
    title = f"The match against none on {dataset_of(runs)}"
    write_results(options.out, title, blocks, rows, origin(runs) | provenance(), note)


if __name__ == "__main__":
    main()
