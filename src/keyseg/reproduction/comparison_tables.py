"""Table 1 as Markdown and as LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keyseg.inference.systems import variant_title
from keyseg.training.tables import score_cells, score_table

_COLUMNS = ("F1@10", "F1@25", "F1@50", "Edit", "Acc", "parameters", "s / epoch", "GFLOP / 1,000 steps")


def as_markdown(table: Mapping[str, Any]) -> str:
    """The table, the best epochs separately and labelled, and where everything comes from."""
    splits, seeds = table["splits"], table["seeds"]
    lines = [
        f"# Table 1 on {table['data']}",
        "",
        f"Mean of {len(splits)} split(s) ({', '.join(map(str, splits))}), seed(s) {', '.join(map(str, seeds))};"
        f" protocol {table['protocol']}; features: {table['features']}.",
        "",
        "## Last epoch: the result",
        "",
        f"| | {' | '.join(_COLUMNS)} |",
        "|---" * (len(_COLUMNS) + 1) + "|",
    ]
    for variant, row in table["rows"].items():
        lines.append(f"| {variant_title(variant)} | {' | '.join(score_cells(row['scores']) + _costs(row))} |")
    lines += [
        "",
        "Seconds were measured while training, possibly beside other programs, and compare only within one machine."
        " BCN's epochs include the short ones of its barrier generator alone. A multiplication and an addition count as"
        " two FLOP, over everything that is computed for a test video.",
        "",
        "## Best epoch, chosen on the test fold: not a result, only for comparison with published tables",
        "",
        *score_table({variant: row["best_epoch_on_the_test_fold"] for variant, row in table["rows"].items()}),
        "",
        "## Where this comes from",
        "",
    ]
    for system, origin in table["runs"].items():
        changes = "; ".join(origin["differs from the recipe"])
        lines.append(
            f"- {variant_title(system)}: `{origin['command']}`, commit {', '.join(origin['commits'])}, recipe"
            f" {origin['recipe']}{f' except for {changes}' if changes else ''}, {origin['epochs']} epochs, thresholds:"
            f" {origin['thresholds']}; {', '.join(origin['machine'])}"
        )
    return "\n".join(lines) + "\n"


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
