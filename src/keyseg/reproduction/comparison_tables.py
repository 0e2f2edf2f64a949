"""Table 1 as Markdown and as LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keyseg.inference.systems import variant_title
from keyseg.training.tables import (
    BEST_EPOCH,
    SCORE_COLUMNS,
    markdown,
    markdown_table,
    mean_of,
    score_cells,
    score_table,
)

_COLUMNS = (*SCORE_COLUMNS, "parameters", "s / epoch", "GFLOP / 1,000 steps")


def as_markdown(table: Mapping[str, Any]) -> str:
    """The table, the best epochs separately and labelled, and where everything comes from."""
    rows = table["rows"]
    origins = []
    for system, origin in table["runs"].items():
        changes = "; ".join(origin["differs from the recipe"])
        origins.append(
            f"- {variant_title(system)}: `{origin['command']}`, commit {', '.join(origin['commits'])}, recipe"
            f" {origin['recipe']}{f' except for {changes}' if changes else ''}, {origin['epochs']} epochs, thresholds:"
            f" {origin['thresholds']}; {', '.join(origin['machine'])}"
        )
    return markdown(
        f"# Table 1 on {table['data']}",
        f"{mean_of(table)}; protocol {table['protocol']}; features: {table['features']}.",
        "## Last epoch: the result",
        markdown_table(_COLUMNS, {variant: score_cells(row["scores"]) + _costs(row) for variant, row in rows.items()}),
        "Seconds were measured while training, possibly beside other programs, and compare only within one machine."
        " BCN's epochs include the short ones of its barrier generator alone. A multiplication and an addition count as"
        " two FLOP, over everything that is computed for a test video.",
        BEST_EPOCH,
        score_table({variant: row["best_epoch_on_the_test_fold"] for variant, row in rows.items()}),
        "## Where this comes from",
        origins,
    )


def as_latex(table: Mapping[str, Any]) -> str:
    """The table of last epochs as a tabular; needs booktabs."""
    lines = [
        f"% Table 1 on {table['data']}: last epoch, splits {table['splits']}, seeds {table['seeds']}, protocol"
        f" {table['protocol']}, features {table['features']}",
        r"\begin{tabular}{lrrrrrrrr}",
        r"\toprule",
        " & ".join(("", *_COLUMNS)).replace("#", r"\#") + r" \\",
        r"\midrule",
    ]
    for variant, row in table["rows"].items():
        cells = score_cells(row["scores"], r"$\pm$") + _costs(row)
        lines.append(f"{variant_title(variant)} & {' & '.join(cells)} \\\\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _costs(row: Mapping[str, float]) -> list[str]:
    return [f"{row['parameters'] / 1e6:.2f} M", f"{row['seconds_an_epoch']:.1f}", f"{row['gflop_per_1000_steps']:.2f}"]
