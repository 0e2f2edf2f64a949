"""Predict many inputs, videos or their features, into one folder of timelines."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keyseg.data.feature_origin import FeatureSidecar, read_sidecar
from keyseg.formats import FORMATS, format_named, timeline_text
from keyseg.inference.bundle import load
from keyseg.inference.predictor import KeypointPrediction, Prediction, Predictor
from keyseg.inference.videos import extractor_for, predict_video
from keyseg.timeline import ConfigError, DataError, KeysegError, OutputExistsError, Segmentation, TimelineError
from keyseg.timeline.files import refuse_file, write_bytes
from keyseg.video.cache import FeatureCache
from keyseg.video.find_videos import one_a_name, videos_inside

_SCORES = "scores"  # a kind of output beside the formats


@dataclass(frozen=True)
class PredictedFiles:
    """inputs: number of inputs to predict. written: the files of each. failed: inputs that could not be read, or whose
    timeline could not be written in every format."""

    inputs: int
    written: Mapping[Path, tuple[Path, ...]]
    failed: tuple[Path, ...]


def predict_files(
    bundle: Path | str,
    inputs: Iterable[Path],
    out: Path,
    *,
    formats: Iterable[str] = ("txt",),
    scores: bool = False,
    extractor: Path | None = None,
    device: str | None = None,
    cache: Path | None = None,
    damaged: bool = False,
    resume: bool = False,
    force: bool = False,
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[[Path, int, int | None], None] = lambda video, frames, expected: None,
) -> PredictedFiles:
    """Predict each input and write `out`/VIDEO.txt and the like. An input that fails does not stop the others.

    inputs: videos, `.npy` files of features, or folders of either. formats: names in FORMATS. scores: also write the
    network's output, `out`/VIDEO.scores.npz. extractor: folder of the feature extractor's model, if it has moved since
    training. device: where the extractor runs. cache: folder that keeps the features of videos. damaged: accept damaged
    videos. resume: keep existing files and write the missing ones. force: overwrite existing files. report: called with
    one line per event: files written, gaps, failures. progress: called with a video, the frames that are read and the
    number expected, None if unknown.

    Raises ConfigError, DataError, BundleError and OutputExistsError for what is wrong before the first prediction.
    """
    formats = tuple(dict.fromkeys(formats))
    for name in formats:
        format_named(name)
    if resume and force:
        raise ConfigError("--resume keeps existing timelines and --force overwrites them; choose one")
    targets = _targets(_input_files(inputs), [*formats, *([_SCORES] if scores else [])], out)
    targets = _without_existing(targets, report) if resume else _refuse_existing(targets, force)
    predictor = load(bundle)
    _check_formats(predictor, formats)
    videos = any(not _is_features(file) for file in targets)
    made_by = extractor_for(predictor, device=device, folder=extractor) if videos else None
    features = FeatureCache(cache) if videos else None

    def predict(file: Path) -> tuple[Prediction, FeatureSidecar | None]:
        if _is_features(file):
            return predictor.predict(file), read_sidecar(file)
        result = predict_video(
            predictor,
            file,
            extractor=made_by,
            cache=features,
            damaged=damaged,
            progress=lambda frames, expected: progress(file, frames, expected),
        )
        return result.prediction, result.sidecar

    written: dict[Path, tuple[Path, ...]] = {}
    for file, paths in targets.items():
        try:
            prediction, sidecar = predict(file)
        except KeysegError as error:
            report(f"error: {error}" if str(file) in str(error) else f"error: {file}: {error}")
            continue
        for gap in sidecar.gap_texts() if sidecar else ():
            report(f"warning: {file}: damaged from {gap}")
        written[file] = _write(prediction, file.stem, paths, report)
        if written[file]:
            timeline = prediction.segmentation
            report(f"{written[file][0]}: {len(timeline)} segments, {timeline.length} frames")
    failed = tuple(file for file, paths in targets.items() if len(written.get(file, ())) < len(paths))
    return PredictedFiles(len(targets), written, failed)


def _is_features(file: Path) -> bool:
    return file.suffix.lower() == ".npy"


def _input_files(paths: Iterable[Path]) -> list[Path]:
    """The videos and feature files named, and those in the folders named. Raises ConfigError, DataError."""
    files: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted([*path.glob("[!.]*.npy"), *videos_inside(path)])
            if not inside:
                raise DataError(f"{path}: no .npy file and no video in this folder")
        files += inside
    if not files:
        raise ConfigError("name at least one video or .npy file, or a folder of them")
    return one_a_name(files)


def _targets(files: Iterable[Path], kinds: Iterable[str], out: Path) -> dict[Path, dict[str, Path]]:
    """What to write for each input, by kind: a format or scores. Raises OutputExistsError."""
    refuse_file(out, "timelines")
    suffixes = {kind: ".scores.npz" if kind == _SCORES else FORMATS[kind].suffix for kind in kinds}
    targets = {file: {kind: out / f"{file.stem}{suffix}" for kind, suffix in suffixes.items()} for file in files}
    beside = [file.stem for file in targets if "json" in suffixes and (out / f"{file.stem}.npy").exists()]
    if beside:
        raise OutputExistsError(
            f"{out} holds features of {beside[0]}, whose sidecar is called {beside[0]}.json; choose another --out"
        )
    return targets


def _refuse_existing(targets: dict[Path, dict[str, Path]], force: bool) -> dict[Path, dict[str, Path]]:
    existing = [path for paths in targets.values() for path in paths.values() if path.exists()]
    if existing and not force:
        raise OutputExistsError(
            f"{existing[0]} exists ({len(existing)} such files); choose another --out, continue with --resume, or use"
            " --force"
        )
    return targets


def _without_existing(
    targets: dict[Path, dict[str, Path]], report: Callable[[str], None]
) -> dict[Path, dict[str, Path]]:
    missing = {file: {k: path for k, path in paths.items() if not path.exists()} for file, paths in targets.items()}
    kept = sum(len(paths) - len(missing[file]) for file, paths in targets.items())
    report(f"{kept} existing files are kept")
    return {file: paths for file, paths in missing.items() if paths}


def _check_formats(predictor: Predictor, formats: Iterable[str]) -> None:
    """Raise ConfigError where a format needs an extra that is not installed, before any work."""
    for name in formats:
        with suppress(DataError, TimelineError):  # about this made-up timeline; a real one may be fine
            timeline_text(name, "video", Segmentation.from_frames([0, 0]), predictor.labels, predictor.timebase)


def _write(
    prediction: Prediction, name: str, paths: Mapping[str, Path], report: Callable[[str], None]
) -> tuple[Path, ...]:
    """Write a prediction in each kind; return the files that could be written and report the others."""
    written = []
    for kind, path in paths.items():
        try:
            timeline = (prediction.segmentation, prediction.labels, prediction.timebase)
            content = _scores(prediction) if kind == _SCORES else timeline_text(kind, name, *timeline).encode()
            write_bytes(path, content)
            written.append(path)
        except (KeysegError, OSError) as error:
            report(f"error: {path}: {error}")
    return tuple(written)


def _scores(prediction: Prediction) -> bytes:
    """The network's output as compressed arrays."""
    arrays = {"stages": prediction.stages}
    if isinstance(prediction, KeypointPrediction):
        arrays |= {"action": prediction.action_heatmap, "boundary": prediction.boundary_heatmap}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
