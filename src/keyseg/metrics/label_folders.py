"""Score a folder of predicted label files against a folder of annotations."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from pathlib import Path

from keyseg.formats.frame_labels import read_frame_labels
from keyseg.metrics.evaluator import evaluate
from keyseg.metrics.report import Report
from keyseg.timeline import DataError


def evaluate_folders(
    reference: Path,
    prediction: Path,
    *,
    background: Collection[str] | None = None,
    protocol: str = "ms-tcn",
    report: Callable[[str], None] = lambda note: None,
) -> Report:
    """Scores of the predicted videos, as `evaluate` computes them.

    reference, prediction: folders of `VIDEO.txt` or `VIDEO`, with one label per line or in the recog format.
    background: classes that edit score and F1 leave out, None for `background`. report: called with a note about videos
    that are not scored, and about classes of `background` that do not occur.
    Raises DataError where a folder or an annotation is missing, or a file cannot be read.
    """
    annotated, predicted = _label_files(reference), _label_files(prediction)
    if not predicted:
        raise DataError(
            f"{prediction}: no predictions here; expected VIDEO.txt or VIDEO, with one label per line or in the recog"
            " format"
        )
    unknown = sorted(set(predicted) - set(annotated))
    if unknown:
        raise DataError(
            f"{prediction}: no annotation in {reference} for {', '.join(unknown[:10])} ({len(unknown)} in all)"
        )
    if len(predicted) < len(annotated):
        missing = len(annotated) - len(predicted)
        report(f"{missing} of {len(annotated)} annotated videos have no prediction and are not scored")
    truth = {name: read_frame_labels(annotated[name]) for name in predicted}
    labels = {name: read_frame_labels(path) for name, path in predicted.items()}
    occurring = {label for videos in (truth, labels) for video in videos.values() for label in video}
    for name in sorted({unicodedata.normalize("NFC", name) for name in background or ()} - occurring):
        report(f"no frame is labelled {name!r}, so leaving it out changes nothing")
    names = ("background",) if background is None else background
    return evaluate(truth, labels, background=names, protocol=protocol)


def _label_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by video name in the form NFC: `NAME.txt`, or `NAME` without a suffix."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one label file per video")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in ("", ".txt") and path.is_file() and not path.name.startswith("."):
            name = unicodedata.normalize("NFC", path.name.removesuffix(".txt"))
            other = files.setdefault(name, path)
            if other != path:
                raise DataError(f"{other} and {path} are both of the video {name}; remove one of them")
    return files
