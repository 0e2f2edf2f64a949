"""Score predicted timelines against annotations: folders or files, in any format."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np

from keyseg.formats import (
    AS_IT_IS,
    AnnotationOptions,
    find_sources,
    format_named,
    on_one_grid,
    read_annotations,
    read_with_rate,
)
from keyseg.formats.frame_labels import read_frame_labels
from keyseg.formats.table_of_formats import format_of
from keyseg.metrics.evaluator import evaluate_labels
from keyseg.metrics.frame_labels import LabelRuns
from keyseg.metrics.paired import Comparison, SplitPredictions, compare_trainings
from keyseg.metrics.report import Report
from keyseg.timeline import Annotation, ConfigError, DataError, Overlap, Segmentation, class_name
from keyseg.timeline.failures import Failures, noting

_LABELS = ("txt", "recog")  # one label per frame, without a rate
_EXACT = (*_LABELS, "json")  # the last frame is the end of the video
_Report = Callable[[str], None]


@dataclass(frozen=True)
class _Timeline:
    """Of one video: the file, its format, and what it holds; None for labels of frames, which are read when needed."""

    file: Path
    form: str
    annotation: Annotation | None = None


@dataclass(frozen=True)
class FolderLabels:
    """One label per frame of annotated and of predicted videos, by name. fps: None where unknown or not the same."""

    reference: Mapping[str, LabelRuns]
    prediction: Mapping[str, LabelRuns]
    background: tuple[str, ...]
    fps: Fraction | None


def evaluate_folders(
    reference: Path | Mapping[str, Annotation],
    prediction: Path | Mapping[str, Annotation],
    *,
    protocol: str = "ms-tcn",
    bootstrap: int = 0,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Scores of the predicted videos, as `evaluate_labels` computes them; options and errors as of `read_folders`."""
    found = read_folders(reference, prediction, **options)
    scored: Any = {"background": found.background, "protocol": protocol, "bootstrap": bootstrap, "seed": seed}
    return evaluate_labels(found.reference, found.prediction, **scored)


def compare_folders(
    reference: Path | Mapping[str, Annotation],
    a: Path | Mapping[str, Annotation],
    b: Path | Mapping[str, Annotation],
    *,
    protocol: str = "ms-tcn",
    **options: Any,
) -> Comparison:
    """Paired bootstrap of the predictions in two folders, by `compare_labels`; options: those of `read_folders`.

    Raises DataError also if the two hold different videos, or if their files name different background classes.
    """
    sides = [read_folders(reference, place, **options) for place in (a, b)]
    first, second = (side.background for side in sides)
    if set(first) != set(second):
        raise DataError(
            f"{_called(a)} leaves out {', '.join(first)}, and {_called(b)} {', '.join(second)}; name the background"
            " classes of both with --background"
        )
    tested_a, tested_b = ([SplitPredictions(1, side.reference, side.prediction)] for side in sides)
    return compare_trainings(tested_a, tested_b, first, protocol)


def read_folders(
    reference: Path | Mapping[str, Annotation],
    prediction: Path | Mapping[str, Annotation],
    *,
    background: Collection[str] | None = None,
    fps: Fraction | None = None,
    overlap: Overlap = "error",
    options: AnnotationOptions = AS_IT_IS,
    report: _Report = lambda note: None,
    failures: Failures | None = None,
) -> FolderLabels:
    """The predicted videos and their annotations, frame by frame.

    reference, prediction: folders of timelines, one file per video or several videos in a file, or single files, in any
    format; or annotations by the name of their video. A folder that holds `VIDEO.txt` or `VIDEO` without a suffix is
    read for these alone. Frame labels on both sides are compared as they are. Otherwise both are brought to the frames
    of the reference: to its frame rate, else to that of the prediction, else to `fps`, which also is the rate of files
    that count frames and state none.

    background: classes that edit score and F1 leave out, None for `background` and those that the files name. overlap,
    options: as in `convert`. report: called with a note about videos that are not scored, files that are left out, and
    classes of `background` that do not occur. failures: gets the files that cannot be read, whose videos are not
    scored; without it, the first one raises.

    Raises DataError where a folder or an annotation is missing, a file cannot be read, or two timelines do not belong
    to one video; ConfigError where a frame rate must be given.
    """
    annotated, predicted = _by_video(reference, prediction, fps, options, report, failures)
    truth: dict[str, LabelRuns] = {}
    labels: dict[str, LabelRuns] = {}
    rates = set()
    pairing = _Pairing(fps, overlap, tuple(background or ()), report)
    for name, timelines in predicted.items():
        with noting(failures, timelines[0].file):
            truth[name], labels[name] = pairing.frames(annotated[name], timelines)
            rates.add(pairing.rate(annotated[name], timelines))
    if failures:
        failures.raise_unless(labels)
    occurring = {label for videos in (truth, labels) for video in videos.values() for label in video.classes}
    for name in sorted({unicodedata.normalize("NFC", name) for name in background or ()} - occurring):
        report(f"no frame is labelled {name!r}, so leaving it out changes nothing")
    if background is None:
        sides = [side for name in predicted for side in (*annotated[name], *predicted[name])]
        named = {class_name(idle) for side in sides if side.annotation for idle in side.annotation.background}
        background = ("background", *sorted(named - {"background"}))
    return FolderLabels(truth, labels, tuple(background), rates.pop() if len(rates) == 1 else None)


def _by_video(
    reference: Path | Mapping[str, Annotation],
    prediction: Path | Mapping[str, Annotation],
    fps: Fraction | None,
    options: AnnotationOptions,
    report: _Report,
    failures: Failures | None,
) -> tuple[dict[str, list[_Timeline]], dict[str, list[_Timeline]]]:
    """Annotated and predicted timelines by video. Raises DataError where predictions or annotations are missing."""
    annotated, predicted = (_timelines(place, fps, options, report, failures) for place in (reference, prediction))
    if failures:
        failures.raise_unless(annotated and predicted)
    if not predicted:
        raise DataError(
            f"{_called(prediction)}: no predictions here; expected VIDEO.txt or VIDEO, with one label per line or in"
            " the recog format, or files of another format of keyseg convert"
        )
    single = all(isinstance(place, Path) and not place.is_dir() for place in (reference, prediction))
    if single and len(annotated) == len(predicted) == 1:
        annotated = _renamed(annotated, predicted, report)
    unknown = sorted(set(predicted) - set(annotated))
    if unknown and failures and failures.reasons:  # they may be in what could not be read
        report(f"{len(unknown)} predictions have no annotation that can be read and are not scored")
        predicted = {name: timelines for name, timelines in predicted.items() if name in annotated}
    elif unknown:
        swapped = "; are --ref and --pred exchanged?" if set(annotated) < set(predicted) else ""
        raise DataError(
            f"{_called(prediction)}: no annotation in {_called(reference)} for {', '.join(unknown[:10])}"
            f" ({len(unknown)} in all){swapped}"
        )
    if len(predicted) < len(annotated):
        missing = len(annotated) - len(predicted)
        report(f"{missing} of {len(annotated)} annotated videos have no prediction and are not scored")
    return annotated, predicted


def _called(place: Path | Mapping[str, Annotation]) -> str:
    return str(place) if isinstance(place, Path) else "the mapping"


def _timelines(
    place: Path | Mapping[str, Annotation],
    fps: Fraction | None,
    options: AnnotationOptions,
    report: _Report,
    failures: Failures | None,
) -> dict[str, list[_Timeline]]:
    """The timelines of a file or folder by the name of their video; several of one video are in different files."""
    if not isinstance(place, Path):
        return {
            unicodedata.normalize("NFC", name): [_Timeline(Path(name), "", annotation)]
            for name, annotation in place.items()
        }
    if not place.exists():
        raise DataError(f"{place}: no such folder; expected one label file per video, or a file of timelines")
    result: dict[str, list[_Timeline]] = {}
    for file, form in _files(place, report).items():
        with noting(failures, file):
            for name, timeline in _in_file(file, form, fps, options, report).items():
                result.setdefault(unicodedata.normalize("NFC", name), []).append(timeline)
    return result


def _in_file(
    file: Path, form: str, fps: Fraction | None, options: AnnotationOptions, report: _Report
) -> dict[str, _Timeline]:
    """The timelines of a file by the name of their video."""
    if form in _LABELS:
        return {file.name.removesuffix(".txt").removesuffix(".recog"): _Timeline(file, form)}
    annotations, _ = read_with_rate(file, fps, options=options, note=report)
    # Files of one name in two folders are called as in a data set: P01_cam1 and P02_cam1.
    names = [annotation.name.replace("/", "_") for annotation in annotations]
    found = {name: _Timeline(file, form, one) for name, one in zip(names, annotations, strict=True)}
    if len(found) < len(names):
        ((twice, _),) = Counter(names).most_common(1)
        raise DataError(f"{file}: two timelines in it would both be called {twice!r}; rename one")
    return found


def _files(place: Path, report: _Report) -> dict[Path, str]:
    """The files to read, with their formats."""
    if not place.is_dir():
        return find_sources(place).formats
    visible = [path for path in sorted(place.iterdir()) if path.is_file() and not path.name.startswith(".")]
    plain = {path: _plain_format(path) for path in visible if path.suffix in ("", ".txt")}
    try:
        formats = find_sources(place).formats
    except DataError:
        if visible and not plain:
            raise
        formats = {}
    # Beside other text files, one that looks like nothing is read as frame labels, which says what is wrong.
    only_others = formats and not any(plain.values())
    read = formats if only_others else {path: form or "txt" for path, form in plain.items()}
    videos = {path.stem for path in read}
    others = [path.name for path in sorted({*plain, *formats}) if path not in read and path.stem not in videos]
    if others:
        report(f"{place}: {len(others)} other files are left out: {', '.join(others[:5])}{' ...' * (len(others) > 5)}")
    return read


def _plain_format(file: Path) -> str:
    """The format of a text file, nothing where it looks like none."""
    try:
        return format_of(file)
    except DataError:
        return ""


def _renamed(
    annotated: Mapping[str, list[_Timeline]], predicted: Mapping[str, list[_Timeline]], report: _Report
) -> dict[str, list[_Timeline]]:
    """Two single timelines belong together, whatever they are called; but two tables that name videos must agree."""
    ((before, (truth,)), (after, (other,))) = *annotated.items(), *predicted.items()
    if before == after or all(format_named(side.form).several for side in (truth, other)):
        return dict(annotated)
    report(f"{before} of {truth.file} is compared with {after} of {other.file}")
    return {after: [truth]}


def _cut(segmentation: Segmentation, end: int, length: int) -> Segmentation:
    """The frames before `end`; the last label then lasts until `length`."""
    kept = int(np.searchsorted(segmentation.boundaries, end))
    return Segmentation(np.append(segmentation.boundaries[:kept], length), segmentation.labels[:kept])


@dataclass(frozen=True)
class _Pairing:
    """Brings annotation and prediction to one grid. background: as the user named it, () for what the files say."""

    fps: Fraction | None
    overlap: Overlap
    background: tuple[str, ...]
    report: _Report

    def frames(self, truths: Sequence[_Timeline], predictions: Sequence[_Timeline]) -> tuple[LabelRuns, LabelRuns]:
        """One label per frame of both. Raises DataError where files of one video differ."""
        grid = self.rate(truths, predictions)
        length = self._length([*truths, *predictions], grid)
        first = self._pair(truths[0], predictions[0], grid, length)
        for truth, prediction in chain(product(truths[1:], predictions[:1]), product(truths[:1], predictions[1:])):
            if self._pair(truth, prediction, grid, length) != first:
                both = truths if truth is not truths[0] else predictions
                raise DataError(
                    f"{' and '.join(str(side.file) for side in both)} are of one video and differ; move all but one of"
                    " them elsewhere"
                )
        return first

    def rate(self, truths: Sequence[_Timeline], predictions: Sequence[_Timeline]) -> Fraction | None:
        """Frames per second of the labels of a video; None if nothing tells it."""
        rates = [side.annotation.fps for side in (*truths, *predictions) if side.annotation and side.annotation.fps]
        return rates[0] if rates else self.fps

    def _length(self, sides: Sequence[_Timeline], grid: Fraction | None) -> int:
        """Frames of a video: as the first file says that states it, else up to the last end.

        Notes files that end before; raises DataError where one ends after, or states another length.
        """
        if grid is None or all(side.annotation is None for side in sides):
            return 0  # frame labels, which count
        annotations = [self._annotation(side, self.fps or grid) for side in sides]
        ends = [annotation.frame_spans(grid, overlap=self.overlap)[1] for annotation in annotations]
        exact = [side.form in _EXACT for side in sides]
        length = next((end for end, known in zip(ends, exact, strict=True) if known), max(ends))
        # One frame of the coarser rate: the last picture of a video may be cut or kept.
        rates = {annotation.fps or grid for annotation in annotations}
        slack = 0 if len(rates) == 1 else math.ceil(grid / min(rates))
        for side, end, known in zip(sides, ends, exact, strict=True):
            if end > length + slack or (known and end < length - slack):
                raise DataError(
                    f"{side.file}: ends at {float(end / grid):.2f} s, and the other timeline of this video at"
                    f" {float(length / grid):.2f} s; are both of one video, and is the frame rate right?"
                )
            if end < length - grid:
                self.report(
                    f"{side.file}: ends at {float(end / grid):.2f} s, and the other timeline of this video at"
                    f" {float(length / grid):.2f} s; what comes after counts as background"
                )
        return length

    def _pair(
        self, truth: _Timeline, prediction: _Timeline, grid: Fraction | None, length: int
    ) -> tuple[LabelRuns, LabelRuns]:
        sides = (truth, prediction)
        if truth.annotation is None and prediction.annotation is None:
            return LabelRuns.of(read_frame_labels(truth.file)), LabelRuns.of(read_frame_labels(prediction.file))
        if grid is None:
            raise ConfigError(f"{truth.file}, {prediction.file}: the frame rate of both is unknown; give --fps")
        both = [self._annotation(side, self.fps or grid) for side in sides]
        rows, labels = on_one_grid(both, grid, frames=length, overlap=self.overlap)
        reference, predicted = (_cut(row, length, length) for row in rows)
        if all(side.form in _EXACT for side in sides):
            end = both[1].frame_spans(grid, overlap=self.overlap)[1]
            if 0 < end < length:
                predicted = _cut(predicted, end, length)
        return LabelRuns(reference, labels), LabelRuns(predicted, labels)

    def _annotation(self, side: _Timeline, rate: Fraction) -> Annotation:
        """With the background that counts, and the file as its name in errors."""
        annotation = side.annotation or read_annotations(side.file, side.form, fps=rate)[0]
        background = self.background or annotation.background
        return replace(annotation, video=f"{side.file}, {annotation.name}", background=background)
