"""Table 1 as Markdown and as LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keyseg.inference.systems import variant_title
from keyseg.training.tables import (
    BEST_EPOCH,
    SCORE_COLUMNS,
    chosen_lines,
    markdown,
    markdown_table,
    mean_of,
    score_cells,
    score_table,
)

_COLUMNS = (*SCORE_COLUMNS, "parameters", "s / epoch", "GFLOP / 1,000 steps")
_Block = Mapping[str, Any]


def as_markdown(table: Mapping[str, Any]) -> str:
    """A part for each of the terms, the best epochs separately and labelled, and where everything comes from."""
    blocks: Mapping[str, _Block] = table["blocks"]
    return markdown(
        f"# Table 1 on {table['data']}",
        f"{mean_of(table)}; last epoch; protocol {table['protocol']}; features: {table['features']}.",
        *(part for terms, block in blocks.items() for part in _parts(terms, block)),
        "Seconds were measured while training, possibly beside other programs, and compare only within one machine;"
        " those of inner folds are not included. BCN's epochs include the short ones of its barrier generator alone. A"
        " multiplication and an addition count as two FLOP, over everything that is computed for a test video.",
        BEST_EPOCH,
        *(part for terms, block in blocks.items() for part in (f"{_title(terms)}:", _best_epochs(block["rows"]))),
        "## Where this comes from",
        [
            f"- {_title(terms)}, {variant_title(system)}: {_origin(origin)}"
            for terms, block in blocks.items()
            for system, origin in block["runs"].items()
        ],
    )


def _parts(terms: str, block: _Block) -> Iterator[str | Sequence[str]]:
    """What the terms are, the scores and costs on them, what follows from the scores, and what inner folds chose."""
    yield f"## {_title(terms)}"
    yield block["terms"]
    yield markdown_table(_COLUMNS, {v: score_cells(row["scores"]) + _costs(row) for v, row in block["rows"].items()})
    if block["rtk_minus"]:
        yield [
            f"- RTK minus {variant_title(peer)}: F1@50 {by['f1@50']:+.1f}, Edit {by['edit']:+.1f}, Acc {by['acc']:+.1f}"
            for peer, by in block["rtk_minus"].items()
        ]
    if block["background_counted"]:
        yield "The same with background counted as a class:"
        cells = {system: score_cells(scores)[2:4] for system, scores in block["background_counted"].items()}
        yield markdown_table(SCORE_COLUMNS[2:4], cells)
    chosen = {system: origin["chosen"] for system, origin in block["runs"].items() if origin["chosen"]}
    for system, choices in chosen.items():
        yield f"Chosen on inner folds for {variant_title(system)}:"
        yield chosen_lines(choices)


def _best_epochs(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return score_table({variant: row["best_epoch_on_the_test_fold"] for variant, row in rows.items()})


def _origin(origin: Mapping[str, Any]) -> str:
    changes = "; ".join(origin["differs from the recipe"])
    package = f", package {origin['package']}" if origin["package"] else ""
    return (
        f"`{origin['command']}`, commit {', '.join(origin['commits'])}{package}, recipe {origin['recipe']}"
        f"{f' except for {changes}' if changes else ''}, {origin['epochs']} epochs; {', '.join(origin['machine'])}"
    )


def as_latex(table: Mapping[str, Any]) -> str:
    """The table of last epochs as a tabular, in which the rows of the same terms are together; needs booktabs."""
    blocks: Mapping[str, _Block] = table["blocks"]
    lines = [
        f"% Table 1 on {table['data']}: last epoch, splits {table['splits']}, seeds {table['seeds']}, protocol"
        f" {table['protocol']}, features {table['features']}",
        *(f"% {_title(terms)}: {block['terms']}" for terms, block in blocks.items()),
        r"\begin{tabular}{lrrrrrrrr}",
        r"\toprule",
        " & ".join(("", *_COLUMNS)).replace("#", r"\#") + r" \\",
    ]
    for terms, block in blocks.items():
        lines += [r"\midrule", rf"\multicolumn{{{len(_COLUMNS) + 1}}}{{l}}{{{_title(terms)}}} \\"]
        for variant, row in block["rows"].items():
            cells = score_cells(row["scores"], r"$\pm$") + _costs(row)
            lines.append(f"{variant_title(variant)} & {' & '.join(cells)} \\\\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _title(terms: str) -> str:
    """Title of a part of the table.

    >>> _title("equal-terms")
    'Equal terms'
    """
    return terms.replace("-", " ").capitalize()


def _costs(row: Mapping[str, float]) -> list[str]:
    return [f"{row['parameters'] / 1e6:.2f} M", f"{row['seconds_an_epoch']:.1f}", f"{row['gflop_per_1000_steps']:.2f}"]
