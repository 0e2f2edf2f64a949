"""Timelines of videos that nobody has labelled: `keyseg propose`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keyseg.data.input_names import input_name, is_feature_file
from keyseg.formats import format_named
from keyseg.formats.read_write import write
from keyseg.inference.folder import input_files, output_files
from keyseg.proposals.drafts import VideoFeatures, draft_timelines
from keyseg.proposals.reading import array_features, feature_reader
from keyseg.timeline import (
    Annotation,
    ConfigError,
    Interval,
    OutputExistsError,
    Segmentation,
    TimeBase,
)
from keyseg.timeline.failures import Failures
from keyseg.timeline.files import all_paths
from keyseg.timeline.rates import parse_rate


@dataclass(frozen=True)
class Proposals:
    """timelines: drafts by the name of the video. written: the files of each input. failed: inputs that could not be
    read, or whose timeline could not be written in every format, with the reason."""

    timelines: Mapping[str, Annotation]
    written: Mapping[Path, tuple[Path, ...]] = field(default_factory=dict)
    failed: Mapping[Path, str] = field(default_factory=dict)


def propose(
    videos: Path | str | Sequence[Path | str] | Mapping[str, npt.NDArray[np.floating]],
    *,
    segments: int | None = None,
    classes: int | None = None,
    bundle: Path | str | None = None,
    out: Path | str | None = None,
    formats: Sequence[str] = ("csv",),
    extractor: str = "motion",
    fps: Fraction | float | str = Fraction(15),
    device: str | None = None,
    cache: Path | str | None = None,
    damaged: bool = False,
    force: bool = False,
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[[Path, int, int | None], None] = lambda video, frames, expected: None,
) -> Proposals:
    """Draft the timelines of videos that nobody has labelled, without training, as a start for labelling them.

    The segments are called `part 1`, `part 2` and so on. A name means the same part in all videos of one call, so that
    you name a part once for all of them. Parts are clusters of features, not actions: look at them before you use them.

    Args:
        videos: Video files, .npy files of features, or folders of either. In Python also arrays (T, D) by name, one row
            per frame.
        segments: Largest number of segments per video; adjacent segments of the same part become one. Default: the
            smallest number that explains 40 % of the variance of the video's features, without cuts that gain less
            than three times their noise, and in all videos together at least --classes.
        classes: Largest number of different parts in all videos together. Default: twice the cube root of the number
            of segments.
        bundle: Bundle trained on other videos, or a run folder that holds one: its boundary keypoints, which do not
            depend on its classes, become the cuts. Only bundles of rtk have them.
        out: Folder for the timelines. Default: none; on the command line they are printed as one table.
        formats: csv, eaf (ELAN), json, vtt and more (see keyseg convert); several as csv,eaf.
        extractor: What makes features of videos without a bundle; see keyseg features.
        fps: Frames per second that are read from videos; also the rate of arrays, and of .npy files without a sidecar.
        device: Where an extractor's network runs, such as cpu or cuda. Default: a GPU if there is one.
        cache: Folder that keeps the features of videos. Default: keyseg/features in the system's cache folder.
        damaged: Accept damaged videos: the last good picture fills each gap.
        force: Overwrite existing timelines.
        report: Called with one line per event: files written, failures.
        progress: Called with a video, the frames that are read and the number expected, None if unknown.

    >>> import keyseg, numpy
    >>> tea = numpy.repeat(numpy.eye(3), 30, axis=0)
    >>> for part in keyseg.propose({"tea": tea}, segments=3, classes=3, fps=15).timelines["tea"].intervals:
    ...     print(part)
    'part 1' from 0 s to 2 s
    'part 2' from 2 s to 4 s
    'part 3' from 4 s to 6 s
    """
    rate, formats = parse_rate(fps), tuple(dict.fromkeys(formats))
    arrays = {Path(f"{name}.npy"): array for name, array in videos.items()} if isinstance(videos, Mapping) else {}
    failures = Failures(report)
    files = list(arrays) if isinstance(videos, Mapping) else input_files(all_paths(videos), failures, tracks=False)
    targets = _targets(files, out, formats, force=force)
    if arrays and bundle is not None:
        raise ConfigError("a bundle reads files: give videos or .npy files of features instead of arrays")
    read = {file: array_features(array, rate) for file, array in arrays.items()}
    if not arrays:
        reader = feature_reader(
            files, bundle=bundle, extractor=extractor, fps=rate, device=device, cache=cache, damaged=damaged
        )
        read = _read_all(files, partial(reader.read, segments=segments), failures, progress)
    drafts = draft_timelines({input_name(file): one for file, one in read.items()}, segments=segments, classes=classes)
    timelines, written = {}, {}
    for (file, video), draft in zip(read.items(), drafts.values(), strict=True):
        name, media = input_name(file), "" if is_feature_file(file) else str(file.absolute())
        timelines[name] = named_parts(name, draft, video.timebase, media)
        written[file] = _write(timelines[name], file, targets[file], failures, report)
    return Proposals(timelines, written, failures.reasons)


def named_parts(name: str, draft: Segmentation, timebase: TimeBase, media: str = "") -> Annotation:
    """A draft as an annotation, in which cluster 0 is called `part 1`."""
    at = timebase.start_seconds
    parts = tuple(Interval(at(one.start_frame), at(one.end_frame), f"part {one.label + 1}") for one in draft)
    return Annotation(name, parts, at(draft.length), timebase.fps, media=media)


def _targets(
    files: Sequence[Path], out: Path | str | None, formats: Sequence[str], *, force: bool
) -> dict[Path, dict[str, Path]]:
    """What to write for each input, by format. Raises ConfigError, OutputExistsError before any work."""
    for name in formats:
        format_named(name)
    if out is None:
        return {file: {} for file in files}
    targets = output_files(files, formats, Path(out), review=False)
    existing = [path for paths in targets.values() for path in paths.values() if path.exists()]
    if existing and not force:
        raise OutputExistsError(
            f"{existing[0]} exists ({len(existing)} such files); choose another --out, or use --force"
        )
    return targets


def _read_all(
    files: Sequence[Path],
    read: Callable[[Path, Callable[[int, int | None], None]], VideoFeatures],
    failures: Failures,
    progress: Callable[[Path, int, int | None], None],
) -> dict[Path, VideoFeatures]:
    """The features of each file that can be read; the others are noted."""
    features = {}
    for file in files:
        with failures.of(file):
            features[file] = read(file, partial(progress, file))
    return features


def _write(
    timeline: Annotation, file: Path, paths: Mapping[str, Path], failures: Failures, report: Callable[[str], None]
) -> tuple[Path, ...]:
    """Write the timeline of an input in each format; return the files that could be written and note the others."""
    written = []
    for kind, path in paths.items():
        with failures.of(file, path):
            written.append(write(timeline, path, format=kind, force=True))
    if written:
        report(f"{written[0]}: {len(timeline.intervals)} segments, {len(timeline.labels)} parts")
    return tuple(written)
