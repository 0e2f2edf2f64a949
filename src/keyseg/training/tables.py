"""The tables of a run, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from keyseg.inference.bundle import find_bundle
from keyseg.inference.systems import variant_title
from keyseg.metrics.analysis_table import class_table, picture_link
from keyseg.training.calibration import KINDS
from keyseg.training.run import Run

SCORES = ("f1@10", "f1@25", "f1@50", "edit", "acc")
SCORE_COLUMNS = ("F1@10", "F1@25", "F1@50", "Edit", "Acc")
_EXPLAINED = "https://github.com/keyseg/keyseg/blob/main/docs/protocols.md#pictures-of-the-errors"
RELIABILITY = "reliability.png"
BEST_EPOCH = "## Best epoch, chosen on the test fold: not a result, only for comparison with published tables"


def summary_lines(run: Run, summary: Mapping[str, Any]) -> list[str]:
    """What to print after training: the scores, where everything is, and what to do next."""
    scored, final = ([f for f in fits if f.name in summary["cost"]] for fits in (run.fits(), run.final_fits()))
    if not scored and not final:
        return [f"{run.folder}: no training is finished yet; another command works on it"]
    fit = [*final, *scored][0]
    origin = fit.dataset.origin(fit.split)
    new = "FEATURES.npy" if origin is None else "TRACKS.csv" if origin.extractor == "poses" else "VIDEO.mp4"
    model = run.folder if len(final) == 1 or (summary["ensemble"] and not final) else fit.bundle
    scores = [
        f"Last epoch, mean over {len(summary['splits'])} split(s) and {len(summary['seeds'])} seed(s):",
        *score_table(summary["last_epoch"]),
        "",
    ]
    return [
        "",
        *(scores if summary["splits"] else ()),
        *kept_lines(summary),
        f"tables:      {run.folder / 'results.md'}",
        f"bundle:      {find_bundle(model)}",
        *([f"predictions: {scored[0].folder / 'predictions'}"] if scored else ()),
        f"next:        keyseg predict {quote(str(model))} {new} --out predictions",
    ]


def kept_lines(summary: Mapping[str, Any]) -> list[str]:
    """What to expect of the models that no video is left to test: the final one, and the ensemble."""
    lines, several, labelled = [], len(summary["splits"]) > 1, summary["labelled_videos"]
    expected = "; expect the score of the splits, whose models were trained on fewer" if summary["splits"] else ""
    for name, videos in summary["final"].items():
        kind = f"all {videos} labelled videos"
        if videos < labelled:
            kind = (
                f"{videos} videos, before there were the {labelled} labelled ones of today (to train on these, delete"
                f" {name} and resume)"
            )
        lines.append(f"{name}: trained on {kind}. None is left to test it on, so it has no score{expected}.")
    if summary["ensemble"]:
        reason = ": what one split tests on, another trains on" if several else ""
        lines.append(
            f"ensemble: the average of {summary['ensemble']} models. It has no score{reason}. The confidence of its"
            " segments is not calibrated."
        )
    return lines


def mean_of(table: Mapping[str, Any]) -> str:
    """Which splits and seeds a table is the mean of."""
    splits, seeds = (", ".join(map(str, table[key])) for key in ("splits", "seeds"))
    return f"Mean of {len(table['splits'])} split(s) ({splits}), seed(s) {seeds}"


def results_markdown(summary: Mapping[str, Any]) -> str:
    """The tables of a run with their provenance, as Markdown."""
    origin = [f"- command: `{summary['command']}`"]
    if summary["package"]:
        origin.append(f"- system of the package {summary['package']}")
    for name, cost in summary["cost"].items():
        origin.append(
            f"- {name}: commit {cost['commit']}, {cost['seconds']:.0f} s and {cost['inner_seconds']:.0f} s of"
            f" inner folds, peak {cost['peak_memory_mib'] or '?'} MiB, {cost['parameters']:,} parameters,"
            f" {computed_on(cost)}"
        )
    kept, chosen = kept_lines(summary), chosen_lines(summary["chosen"])
    scored = [
        f"{mean_of(summary)}; protocol ms-tcn; features: {summary['features']}.",
        f"## Last epoch ({summary['epochs']}): the result",
        score_table(summary["last_epoch"]),
        BEST_EPOCH,
        score_table(summary["best_epoch_on_the_test_fold"]),
        f"## {variant_title(summary['system'])}, last epoch, by training",
        score_table(summary["by_split"][summary["system"]]),
        *analysis_blocks(summary["analysis"]),
        "## Confidence of segments, on the test videos",
        *confidence_blocks(summary["confidence"]),
    ]
    return markdown(
        f"# {summary['data']}",
        *(scored if summary["splits"] else [f"Features: {summary['features']}."]),
        *(["## To keep", [f"- {line}" for line in kept]] if kept else []),
        *(["## Chosen on inner folds of the training videos", chosen] if chosen else []),
        "## Where this comes from",
        origin,
    )


def computed_on(cost: Mapping[str, Any]) -> str:
    """Machine, threads, processes if there were several, and precision, which earlier versions did not state."""
    several = f"{cost['processes']} processes" if cost.get("processes", 1) > 1 else None
    words = (cost["machine"], f"{cost['threads']} thread(s)", several, cost.get("precision"))
    return ", ".join(word for word in words if word)


def analysis_blocks(analysis: Mapping[str, Any]) -> list[str | list[str]]:
    """The errors of a run by class, with its pictures once there are any; nothing without a finished training."""
    if not analysis:
        return []
    trainings, ignored = analysis["trainings"], ", ".join(analysis["background"]) or "no class"
    return [
        "## By class",
        f"Test videos of {trainings} training(s) together; a video counts once for each that was tested on it. Left out"
        f" of F1 and of the histograms: {ignored}. [How to read this]({_EXPLAINED}).",
        class_table(analysis["per_class"], analysis["unit"]),
        *map(picture_link, analysis["pictures"]),
    ]


def chosen_lines(chosen: Mapping[str, Any]) -> list[str]:
    """What the inner folds chose for each training."""
    lines = []
    for name, choice in chosen.items():
        line = f"- {name}: {choice['mixed_segments']:g} of the segments mixed, "
        if rules := choice.get("rules"):
            line += (
                f"action keypoints from {rules['action_threshold']:g}, boundaries from {rules['boundary_threshold']:g},"
                f" frames weighing {rules['frame_weight']:g}, "
            )
        match = choice["match"]
        if match is None:
            lines.append(line + "nothing matched")
            continue
        scores = [" / ".join(f"{value:.1f}" for value in match[key]) for key in ("plain", "matched")]
        verdict = "matched" if match["weights"] else "not matched"
        lines.append(line + f"{verdict}: F1@50 / Edit / Acc {scores[0]} without, {scores[1]} with the match")
    return lines


def confidence_blocks(confidence: Mapping[str, Any]) -> list[str | list[str]]:
    """How far the confidence of segments could be trusted, for each training and for all of them, with the picture."""
    rows = {**confidence["by_training"], "all": confidence["pooled"]}
    return [
        "The expected calibration error is how far confidence and share of right segments differ, on average.",
        [f"- {name}: {_confidence_line(found)}" for name, found in rows.items()],
        *([picture_link(RELIABILITY)] if confidence["pooled"]["segments"] else []),
    ]


def _confidence_line(found: Mapping[str, Any]) -> str:
    errors = ", ".join(f"{found[kind]['calibration_error']:.1f} % ({kind})" for kind in KINDS if kind in found)
    return f"{found['segments']} segments, expected calibration error {errors or '-'}"


def markdown(*blocks: str | Sequence[str]) -> str:
    """Blocks, each one line or several, with an empty line between them."""
    return "\n\n".join(block if isinstance(block, str) else "\n".join(block) for block in blocks) + "\n"


def score_table(rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """One row per key, with a standard deviation after the mean if there is one, and a dash for a missing score."""
    return markdown_table(SCORE_COLUMNS, {key: score_cells(scores) for key, scores in rows.items()})


def markdown_table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> list[str]:
    """Rows of cells, each with the title of its system or part."""
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return lines + [f"| {variant_title(key)} | {' | '.join(cells)} |" for key, cells in rows.items()]


def score_cells(scores: Mapping[str, float], sign: str = "±") -> list[str]:
    """F1@10, 25, 50, Edit and Acc with one decimal, each with its standard deviation if there is one."""
    return [
        f"{scores[n]:.1f}" + (f" {sign} {scores[f'{n} sd']:.1f}" if f"{n} sd" in scores else "") if n in scores else "-"
        for n in SCORES
    ]
