"""keyseg eval: scores of a run, or of predictions against annotations."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.background import Background, background_names
from keyseg.timeline import ConfigError, DataError

SCORES = ("acc", "edit", "f1@10", "f1@25", "f1@50", "videos", "frames")


def evaluate(
    run: Path | None = None,
    /,
    *,
    ref: Path | None = None,
    pred: Path | None = None,
    background: Background = None,
    protocol: str = "ms-tcn",
    details: bool = False,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Score a run's bundles on their test videos, or a folder of predictions against a folder of annotations.

    Scores are in percent: frame accuracy, segmental edit score, segmental F1 at IoU 10, 25 and 50 %. Annotations
    without a prediction are left out, which is said.

    Parameters
    ----------
    run
        Folder that keyseg train made. Or give --ref and --pred.
    ref
        Folder of annotations, a label a line, VIDEO.txt.
    pred
        Folder of predictions, VIDEO.txt or VIDEO: a label a line, or the field's two-line recog files.
    background
        Classes that edit and F1 leave out, one or several names, or none. Default: the class 'background'.
    protocol
        How to count: ms-tcn, ms-tcn2-eval, bcn or tcn.
    details
        With --json also the protocol, and scores by class, by video and by training.
    json_
        One JSON object on stdout instead of a table.
    """
    if (run is None) == (ref is None and pred is None) or (ref is None) != (pred is None):
        raise ConfigError("give a run folder, or both --ref and --pred; see: keyseg eval --help")
    if run is not None:
        content = _run_scores(run, protocol, background, details)
    else:
        assert ref is not None
        assert pred is not None
        content = _folder_scores(ref, pred, protocol, background_names(background), details)
    if json_:
        print(json.dumps(content if details else {key: content[key] for key in SCORES}, indent=1))
    else:
        print(_table(content))
    return 0


def _run_scores(run: Path, protocol: str, background: list[str] | None, details: bool) -> dict[str, Any]:
    from keyseg.training.results import evaluate_run
    from keyseg.training.run import read_run

    if background is not None:
        raise ConfigError("--background goes with --ref and --pred; a run has its own")
    mean, parts = evaluate_run(read_run(run), protocol)
    content = mean.to_json()
    if len(parts) > 1:
        content["trainings"] = {name: report.to_json(details=details) for name, report in parts.items()}
    elif details:
        content = next(iter(parts.values())).to_json(details=True)
    return content


def _folder_scores(ref: Path, pred: Path, protocol: str, background: list[str] | None, details: bool) -> dict[str, Any]:
    from keyseg.formats.frame_labels import read_frame_labels
    from keyseg.metrics import evaluate as score

    references, predictions = _label_files(ref), _label_files(pred)
    if not predictions:
        raise DataError(f"{pred}: no predictions here; expected VIDEO.txt or VIDEO, a label a line, or recog files")
    unknown = sorted(set(predictions) - set(references))
    if unknown:
        raise DataError(f"{pred}: no annotation in {ref} for {', '.join(unknown[:10])} ({len(unknown)} in all)")
    if len(predictions) < len(references):
        left_out = len(references) - len(predictions)
        note = f"note: {left_out} of {len(references)} annotated videos have no prediction and are not scored"
        print(note, file=sys.stderr)
    reference = {name: read_frame_labels(references[name]) for name in predictions}
    prediction = {name: read_frame_labels(path) for name, path in predictions.items()}
    labels = {label for videos in (reference, prediction) for video in videos.values() for label in video}
    for name in sorted(set(background or ()) - labels):
        print(f"note: no frame is labelled {name!r}, so leaving it out changes nothing", file=sys.stderr)
    names = ["background"] if background is None else background
    return score(reference, prediction, background=names, protocol=protocol).to_json(details=details)


def _label_files(folder: Path) -> dict[str, Path]:
    """Video name -> file: `NAME.txt`, or `NAME` without a suffix."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one with a file of labels a video")
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return {path.stem if path.suffix == ".txt" else path.name: path for path in files if path.suffix in ("", ".txt")}


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
