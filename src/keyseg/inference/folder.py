"""Predict many inputs, videos or their features, into one folder of timelines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.data.input_names import input_name, is_feature_file
from keyseg.formats import FORMATS, format_named, timeline_text
from keyseg.formats.text import VIDEO_SUFFIXES
from keyseg.inference.review import REVIEW, ReviewRow, write_review
from keyseg.inference.stages import PAGE, SCORES, FeatureStage, LabelledFile, LabelStage, Reading, WritePage
from keyseg.timeline import BundleError, ConfigError, DataError, OutputExistsError, Segmentation, TimelineError
from keyseg.timeline.failures import Failures
from keyseg.timeline.files import check_file_names, refuse_file
from keyseg.video.addresses import address_of, inside_address
from keyseg.video.engines import Engine, EngineName, Event, WorkStage
from keyseg.video.extraction import FeatureCache
from keyseg.video.find_videos import one_a_name, tracks_inside, videos_inside
from keyseg.video.manifest import listed, part_of
from keyseg.video.poses import Poses

if TYPE_CHECKING:  # what needs torch is imported by the work itself, so that the help is shown at once
    from keyseg.inference.predictor import Predictor

_ENDINGS = {SCORES: ".scores.npz", PAGE: ".html"}


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
    shard: str = "1/1",
    workers: int = 1,
    engine: EngineName = "processes",
    address: str | None = None,
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[[Path, int, int | None], None] = lambda video, frames, expected: None,
) -> PredictedFiles:
    """Label the timelines of videos, from the video files or from their features; write OUT/VIDEO.txt and the like.

    A file that cannot be read is reported, and the others are still processed.

    Args:
        bundle: Bundle that keyseg train wrote, or a run folder that holds one.
        inputs: Video files, if the bundle was trained on features of keyseg features: it records how to make them;
            files of tracks, if these features were poses. Or .npy files, (D, T) or (T, D), made by the extractor that
            the bundle was trained with. Or folders of either, addresses such as s3://bucket/videos, or lists: .txt
            files with one of these per line.
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
        shard: i/n: predict only the i-th of n parts of the inputs, to share the work among machines. The name of an
            input decides in which part it is.
        workers: Number of inputs to predict at the same time, each in its own process.
        engine: processes (of this machine, see --workers), or ray: all machines of a Ray cluster (needs the extra
            scale).
        address: Running Ray cluster to use, HOST:PORT or auto. Default: one that is started on this machine.
        report: Called with one line per event: files written, gaps, failures.
        progress: Called with a video, the frames that are read and the number expected, None if unknown.
    """
    from keyseg.inference.bundle import find_bundle, load, read_config

    where, out, cache = Engine(engine, workers, address), Path(out), None if cache is None else Path(cache)
    formats = tuple(dict.fromkeys(formats))
    for name in formats:
        format_named(name)
    if resume and force:
        raise ConfigError("--resume keeps existing timelines and --force overwrites them; choose one")
    if review and shard != "1/1":
        raise ConfigError("--review lists the segments of all inputs, and --shard predicts a part; choose one")
    others = [*([SCORES] if scores else []), *([PAGE] if page else [])]
    named = listed(map(Path, inputs))
    _refuse_exchanged(Path(bundle), named)
    folder = find_bundle(Path(bundle))
    made = read_config(folder).features
    failures = Failures(report)
    files = input_files(named, failures, tracks=made is not None and made.extractor == "poses")
    if page and any(map(address_of, files)):
        raise ConfigError(
            "--report plays the video beside its timeline, and can do so only with videos of this machine"
        )
    targets = output_files(files, [*formats, *others], out, review=review)
    targets = {file: targets[file] for file in part_of(files, shard)}
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
    rows: dict[Path, tuple[ReviewRow, ...]] = {}

    def note(event: Event | LabelledFile) -> None:
        if isinstance(event, LabelledFile):
            written[event.file], rows[event.file] = event.written, event.rows
            for line in event.lines:
                report(line)
        elif event.kind == "failed":
            failures.note(event.video, event.message)
        else:
            progress(event.video, event.frames, event.expected)

    reading = Reading(folder, extractor, device, batch, cache, damaged)
    endings = {kind: _ending(kind) for kind in (*formats, *others)}
    labels = LabelStage(reading, out, endings, resume, tier, page, review)
    stages: list[WorkStage] = [labels]
    steps = [labels.using(predictor, made_by)]
    if videos and engine == "ray":
        features = FeatureStage(reading, made is not None and made.extractor not in ("motion", "poses"))
        stages, steps = [features, labels], [features.start(), *steps]
    where.process(list(targets), stages, steps, note)
    if review:
        left_out = [input_name(file) for file in targets if file not in written]
        in_order = [row for file in targets for row in rows.get(file, ())]
        write_review(out / REVIEW, in_order, left_out, predictor.calibration is not None, report)
    failed = failures.reasons
    return PredictedFiles(
        len({*targets, *failed}), {file: written[file] for file in targets if file in written}, failed
    )


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
            if address_of(path):
                inside = inside_address(path, {".npy", *VIDEO_SUFFIXES})
            elif path.is_dir():
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
    suffixes = {kind: _ending(kind) for kind in kinds}
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


def _ending(kind: str) -> str:
    return _ENDINGS.get(kind) or FORMATS[kind].suffix


def _check_formats(predictor: Predictor, formats: Iterable[str]) -> None:
    """Raise ConfigError where a format needs an extra that is not installed, before any work."""
    for name in formats:
        with suppress(DataError, TimelineError):  # about this made-up timeline; a real one may be fine
            timeline_text(name, "video", Segmentation.from_frames([0, 0]), predictor.labels, predictor.timebase)
