"""Predict many inputs, videos or their features, into one folder of timelines."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keyseg.data.input_names import input_name, is_feature_file
from keyseg.formats import FORMATS, format_named, timeline_text
from keyseg.inference.review import REVIEW, ReviewRow, review_rows, write_review
from keyseg.timeline import BundleError, ConfigError, DataError, OutputExistsError, Segmentation, TimelineError
from keyseg.timeline.failures import Failures
from keyseg.timeline.files import check_file_names, refuse_file, write_bytes
from keyseg.video.extraction import FeatureCache
from keyseg.video.find_videos import one_a_name, tracks_inside, videos_inside
from keyseg.video.poses import Poses

if TYPE_CHECKING:  # what needs torch is imported by the work itself, so that the help is shown at once
    from keyseg.inference.prediction import Prediction
    from keyseg.inference.predictor import Predictor

_SCORES, _PAGE = "scores", "page"  # kinds of output beside the formats
_ENDINGS = {_SCORES: ".scores.npz", _PAGE: ".html"}

WritePage = Callable[[Path, Path, "Prediction"], None]
"""Writes a page, its first argument, about a video or its features and their prediction."""


@dataclass(frozen=True)
class PredictedFiles:
    """inputs: number of inputs to predict. written: the files of each. failed: inputs that could not be read, or whose
    timeline could not be written in every format, with the reason."""

    inputs: int
    written: Mapping[Path, tuple[Path, ...]]
    failed: Mapping[Path, str]


def predict_files(
    bundle: Path | str,
    inputs: Sequence[Path | str],
    *,
    out: Path | str,
    formats: Sequence[str] = ("txt",),
    scores: bool = False,
    tier: str | None = None,
    page: WritePage | None = None,
    review: bool = False,
    extractor: Path | str | None = None,
    device: str | None = None,
    batch: int | None = None,
    cache: Path | str | None = None,
    damaged: bool = False,
    resume: bool = False,
    force: bool = False,
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[[Path, int, int | None], None] = lambda video, frames, expected: None,
) -> PredictedFiles:
    """Label the timelines of videos, from the video files or from their features; write OUT/VIDEO.txt and the like.

    A file that cannot be read is reported, and the others are still processed.

    Args:
        bundle: Bundle that keyseg train wrote, or a run folder that holds one.
        inputs: Video files, if the bundle was trained on features of keyseg features: it records how to make them;
            files of tracks, if these features were poses. Or .npy files, (D, T) or (T, D), made by the extractor that
            the bundle was trained with. Or folders of either.
        out: Folder for the timelines.
        formats: txt (one label per line), csv, json, eaf (ELAN), vtt and more (see keyseg convert); several as
            txt,eaf,vtt.
        scores: Also write OUT/VIDEO.scores.npz. Its array stages holds the output of every stage of the network,
            (stages, C, T) float32, with T in feature steps. RTK adds its heatmaps: action (C, T) and boundary (T,).
        tier: Tier of ELAN and Praat, and track of OpenTimelineIO, that is written. Default: the first --tier of keyseg
            init, or else actions.
        page: Also write OUT/VIDEO.html, a page that plays the video beside its timeline.
        review: Also write OUT/review.csv: every segment of all videos, the least sure first, with the second best
            label, so that one knows what to check. With --resume, kept timelines are predicted again for it.
        extractor: Folder of the feature extractor's model, if it is a local one that has moved since training.
        device: Where the feature extractor's network and the model run, such as cpu or cuda. Default: the extractor on
            a GPU if there is one, the model on the CPU.
        batch: Clips of pictures that the feature extractor's network sees at once; fewer need less memory.
        cache: Folder that keeps the features of videos. Default: keyseg/features in the system's cache folder.
        damaged: Accept damaged videos: the last good picture fills each gap.
        resume: Keep existing timelines and write those that are missing.
        force: Overwrite existing timelines.
        report: Called with one line per event: files written, gaps, failures.
        progress: Called with a video, the frames that are read and the number expected, None if unknown.
    """
    from keyseg.inference.bundle import find_bundle, load, read_config

    out, cache = Path(out), None if cache is None else Path(cache)
    formats = tuple(dict.fromkeys(formats))
    for name in formats:
        format_named(name)
    if resume and force:
        raise ConfigError("--resume keeps existing timelines and --force overwrites them; choose one")
    others = [*([_SCORES] if scores else []), *([_PAGE] if page else [])]
    _refuse_exchanged(Path(bundle), map(Path, inputs))
    folder = find_bundle(Path(bundle))
    made = read_config(folder).features
    failures = Failures(report)
    files = input_files(map(Path, inputs), failures, tracks=made is not None and made.extractor == "poses")
    targets = output_files(files, [*formats, *others], out, review=review)
    existing = dict.fromkeys(path for paths in targets.values() for path in paths.values() if path.exists())
    taken = [*existing, *([out / REVIEW] if review and (out / REVIEW).exists() else [])]
    if resume:
        report(f"{len(existing)} existing files are kept")
        missing = {file: {k: p for k, p in paths.items() if p not in existing} for file, paths in targets.items()}
        targets = {file: paths for file, paths in missing.items() if paths or review}
    elif taken and not force:
        raise OutputExistsError(
            f"{taken[0]} exists ({len(taken)} such files); choose another --out, continue with --resume, or use --force"
        )
    predictor = load(folder)
    _check_formats(predictor, formats)
    videos = any(not is_feature_file(file) for file in targets)
    made_by = predictor.extractor(device=device, folder=extractor, batch=batch) if videos else None
    if videos:
        FeatureCache(cache)  # raises if a file is in its place
    if isinstance(made_by, Poses):
        report(f"tracks are read at {made_by.track_fps} frames per second, as in training")

    written: dict[Path, tuple[Path, ...]] = {}
    rows: list[ReviewRow] = []
    for file, paths in targets.items():
        with failures.of(file):
            shown = partial(progress, file)
            prediction = predictor.predict(
                file, extractor=made_by, cache=cache, damaged=damaged, device=device, progress=shown
            )
            for note in prediction.notes:
                report(f"note: {file}: {note}")
            written[file] = _write(prediction, file, tier, paths, page, failures)
            rows += review_rows(input_name(file), prediction) if review else []
            if written[file]:
                timeline = prediction.segmentation
                report(f"{written[file][0]}: {len(timeline)} segments, {timeline.length} frames")
    if review:
        left_out = [input_name(file) for file in targets if file not in written]
        write_review(out / REVIEW, rows, left_out, predictor.calibration is not None, report)
    failed = failures.reasons
    return PredictedFiles(len({*targets, *failed}), written, failed)


def _refuse_exchanged(bundle: Path, inputs: Iterable[Path]) -> None:
    """Raise ConfigError if the bundle is a file, and one of the inputs holds a bundle."""
    from keyseg.inference.bundle import find_bundle

    for path in filter(Path.is_dir, inputs if bundle.is_file() else ()):
        with suppress(BundleError):
            find_bundle(path)
            raise ConfigError(f"{bundle} is a file, and {path} holds a bundle; the bundle comes first, then the inputs")


def input_files(paths: Iterable[Path], failures: Failures, *, tracks: bool) -> list[Path]:
    """The videos, or tracks, and feature files named, and those in the folders named; of several, a folder without any
    and a name that no timeline can have are noted. Raises ConfigError, DataError."""
    files: list[Path] = []
    named = list(dict.fromkeys(paths))
    for path in named:
        with failures.of(path) if len(named) > 1 else nullcontext():
            inside = [path]
            if path.is_dir():
                inside = sorted([*path.glob("[!.]*.npy"), *(tracks_inside(path) if tracks else videos_inside(path))])
                if not inside:
                    raise DataError(f"{path}: no .npy file and no {'tracks' if tracks else 'video'} in this folder")
            files += inside
    if not files and not failures.reasons:
        raise ConfigError("name at least one video or .npy file, or a folder of them")
    if len(files) == 1:
        return files
    return [file for file in one_a_name(files) if failures.attempt(file, check_file_names, [input_name(file)])]


def output_files(
    files: Collection[Path], kinds: Iterable[str], out: Path, *, review: bool
) -> dict[Path, dict[str, Path]]:
    """What to write for each input, by kind: a format, scores or a page. Raises DataError, OutputExistsError."""
    check_file_names(input_name(file) for file in files)
    refuse_file(out, "timelines")
    suffixes = {kind: _ENDINGS.get(kind) or FORMATS[kind].suffix for kind in kinds}
    targets = {file: {kind: out / f"{input_name(file)}{suffix}" for kind, suffix in suffixes.items()} for file in files}
    owners: dict[str, Path] = {REVIEW: out / REVIEW} if review else {}
    for file, paths in targets.items():
        for path in paths.values():
            other = owners.setdefault(path.name.casefold(), file)
            if other != file:
                raise OutputExistsError(f"{other} and {file} would both be written to {path}; rename one of them")
    beside = [name for name in map(input_name, targets) if "json" in suffixes and (out / f"{name}.npy").exists()]
    if beside:
        raise OutputExistsError(
            f"{out} holds features of {beside[0]}, whose sidecar is called {beside[0]}.json; choose another --out"
        )
    return targets


def _check_formats(predictor: Predictor, formats: Iterable[str]) -> None:
    """Raise ConfigError where a format needs an extra that is not installed, before any work."""
    for name in formats:
        with suppress(DataError, TimelineError):  # about this made-up timeline; a real one may be fine
            timeline_text(name, "video", Segmentation.from_frames([0, 0]), predictor.labels, predictor.timebase)


def _write(
    prediction: Prediction,
    file: Path,
    tier: str | None,
    paths: Mapping[str, Path],
    page: WritePage | None,
    failures: Failures,
) -> tuple[Path, ...]:
    """Write the prediction of a video or of its features in each kind; return the files that could be written and
    note the others."""
    written = []
    for kind, path in paths.items():
        with failures.of(file, path):
            if kind == _PAGE and page is not None:
                page(path, file, prediction)
            elif kind == _SCORES:
                write_bytes(path, _scores(prediction))
            else:
                prediction.save(path, format=kind, tier=tier, force=True)
            written.append(path)
    return tuple(written)


def _scores(prediction: Prediction) -> bytes:
    """The network's output as compressed arrays."""
    from keyseg.inference.prediction import KeypointPrediction

    arrays = {"stages": prediction.stages}
    if isinstance(prediction, KeypointPrediction):
        arrays |= {"action": prediction.action_heatmap, "boundary": prediction.boundary_heatmap}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
