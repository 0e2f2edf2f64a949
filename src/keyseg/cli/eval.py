"""keyseg eval: scores of a run, or of predictions against annotations; pictures of the errors; two systems compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.options import Background, FrameRateOrNone, Options
from keyseg.cli.terminal import note, say, say_failed, show, show_data
from keyseg.formats import AS_IT_IS, AnnotationOptions
from keyseg.metrics import evaluate_labels
from keyseg.metrics.analysis import Analysis, analyse
from keyseg.metrics.label_folders import read_folders
from keyseg.timeline import ConfigError, Overlap
from keyseg.timeline.failures import Failures
from keyseg.training.evaluation import compare as compare_systems
from keyseg.training.evaluation import evaluate

_SUMMARY = ("acc", "edit", "f1@10", "f1@25", "f1@50", "videos", "frames")


def eval_verb(
    run: Path | None = None,
    /,
    *,
    ref: Path | None = None,
    pred: Path | None = None,
    compare: tuple[Path, Path] | None = None,
    background: Background = None,
    protocol: str = "ms-tcn",
    fps: FrameRateOrNone = None,
    overlap: Overlap = "error",
    options: Annotated[AnnotationOptions, Options] = AS_IT_IS,
    analysis: Path | None = None,
    details: bool = False,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Score the bundles of a run on their test videos, or predictions against annotations.

    Scores are in percent: frame accuracy, segmental edit score, and segmental F1 at an overlap (IoU) of 10, 25 and
    50 %. Annotated videos without a prediction are not scored; a note counts them.

    Args:
        run: Folder that keyseg train wrote; or give --ref and --pred instead.
        ref: Folder of annotations, or one file, in any format of keyseg convert. Folders that hold VIDEO.txt are read
            for these alone.
        pred: Folder of predictions, or one file, likewise.
        compare: Two run folders, A and B, or with --ref two folders of predictions: the difference B - A of their
            scores with a 95 % interval, by a paired bootstrap over the videos, as a Markdown table. Runs are
            compared by the predictions that their trainings left.
        background: Names of classes that edit score and F1 leave out; none for no class. Default: the class
            'background', and what the files name.
        protocol: Evaluation protocol: ms-tcn, ms-tcn2-eval, bcn or tcn.
        fps: Frames per second of timelines that do not state it. Scores count frames of the annotation's rate, else of
            the prediction's, else of this one; two files with one label per frame need none.
        overlap: Where two labels of a timeline overlap: error reports both; first keeps the one that starts first; last
            lets the one that starts last interrupt it; score keeps the one with the higher score.
        analysis: Folder to write pictures of the errors to: confusion matrix, lengths of segments, errors of their
            starts and ends; with the counts, and a table by class. Those of an earlier analysis are overwritten.
        details: With --json, also print the protocol, and the scores per class, per video and per training.
        json_: Print one JSON object instead of a table.
    """
    reading: dict[str, Any] = {"background": background, "fps": fps, "overlap": overlap, "options": options}
    reading["report"], failures = note, Failures()
    if compare is not None:
        if run is not None or pred is not None or analysis is not None:
            raise ConfigError("--compare goes with --ref or alone, not with a run folder, --pred or --analysis")
        result = compare_systems(*compare, ref=ref, protocol=protocol, **reading)
        if json_:
            show_data(json.dumps(result.to_json(), indent=1))
        else:
            show(result.to_markdown(*_distinct_names(compare)))
        return 0
    if run is not None and ref is None and pred is None:
        report = evaluate(run, background=background, protocol=protocol)
        errors = _run_errors(run, protocol) if analysis else None
    elif run is None and ref is not None and pred is not None:
        found = read_folders(ref, pred, failures=failures, **reading)
        scored: Any = {"background": found.background, "protocol": protocol}
        report = evaluate_labels(found.reference, found.prediction, **scored)
        errors = analyse(found.reference, found.prediction, fps=found.fps, **scored) if analysis else None
    else:
        raise ConfigError("give a run folder, or both --ref and --pred; see: keyseg eval --help")
    content = report.to_json(details=details)
    if json_:
        show_data(json.dumps(content if details else {key: content[key] for key in _SUMMARY}, indent=1))
    else:
        show(_table(content))
    if analysis and errors:
        _write_errors(errors, analysis)
    return say_failed(failures.reasons, len(failures.tried))


def _run_errors(run: Path, protocol: str) -> Analysis:
    from keyseg.training.analysis import analyse_fits
    from keyseg.training.run import read_run

    return analyse_fits(read_run(run).fits(), protocol)


def _write_errors(errors: Analysis, folder: Path) -> None:
    from keyseg.viz.error_pictures import write_analysis

    for path in write_analysis(errors, folder):
        say(f"wrote {path}")


def _distinct_names(places: tuple[Path, Path]) -> tuple[str, str]:
    """The last parts of two paths from where they differ on: fig/rtk and fig/asformer are rtk and asformer."""
    a, b = (place.resolve().parts for place in places)
    different = next((i for i, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), 0)
    names = "/".join(a[different:]), "/".join(b[different:])
    return names if all(names) and names[0] != names[1] else ("A", "B")


def _table(content: dict[str, Any]) -> str:
    names = ("f1@10", "f1@25", "f1@50", "edit", "acc")
    rows = [("mean" if "trainings" in content else "", content), *content.get("trainings", {}).items()]
    width = max(len(name) for name, _ in rows)
    lines = [" " * width + "".join(f"{name:>9}" for name in (*names, "videos", "frames"))]
    for name, scores in rows:
        cells = "".join(f"{scores[key]:>9.2f}" for key in names)
        lines.append(f"{name:<{width}}{cells}{scores['videos']:>9}{scores['frames']:>9}")
    ignored = ", ".join(map(str, content["background"])) or "none"
    lines.append(f"protocol {content['protocol']}; left out of edit and F1: {ignored}")
    return "\n".join(lines)
