"""keyseg eval: scores of a run, or of predictions against annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.options import Background, FrameRate, Options
from keyseg.cli.verb import note
from keyseg.formats import AS_IT_IS, AnnotationOptions
from keyseg.timeline import ConfigError, Overlap
from keyseg.training.evaluation import evaluate

_SUMMARY = ("acc", "edit", "f1@10", "f1@25", "f1@50", "videos", "frames")


def eval_verb(
    run: Path | None = None,
    /,
    *,
    ref: Path | None = None,
    pred: Path | None = None,
    background: Background = None,
    protocol: str = "ms-tcn",
    fps: FrameRate | None = None,
    overlap: Overlap = "error",
    options: Annotated[AnnotationOptions, Options] = AS_IT_IS,
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
        background: Names of classes that edit score and F1 leave out; none for no class. Default: the class
            'background', and what the files name.
        protocol: Evaluation protocol: ms-tcn, ms-tcn2-eval, bcn or tcn.
        fps: Frames per second of timelines that do not state it. Scores count frames of the annotation's rate, else of
            the prediction's, else of this one; two files with one label per frame need none.
        overlap: Where two labels of a timeline overlap: error reports both; first keeps the one that starts first; last
            lets the one that starts last interrupt it; score keeps the one with the higher score.
        details: With --json, also print the protocol, and the scores per class, per video and per training.
        json_: Print one JSON object instead of a table.
    """
    first = ref if run is None else run
    if first is None or (run is not None and ref is not None) or (ref is None) != (pred is None):
        raise ConfigError("give a run folder, or both --ref and --pred; see: keyseg eval --help")
    report = evaluate(
        first,
        pred,
        background=background,
        protocol=protocol,
        fps=fps,
        overlap=overlap,
        options=options,
        report=note,
    )
    content = report.to_json(details=details)
    if json_:
        print(json.dumps(content if details else {key: content[key] for key in _SUMMARY}, indent=1))
    else:
        print(_table(content))
    return 0


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
