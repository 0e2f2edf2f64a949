"""A user's annotations, matched to the videos that they name."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PureWindowsPath

from keyseg.data.input_names import input_name
from keyseg.formats import AnnotationOptions, find_sources, read_annotations
from keyseg.timeline import Annotation, ConfigError, DataError
from keyseg.timeline.files import read_text

_Report = Callable[[str], None]


@dataclass(frozen=True)
class UserAnnotation:
    """The annotation of a video. file: where it comes from. frame_labels: number of labels, in a file with one label
    per frame, else None."""

    annotation: Annotation
    file: Path
    frame_labels: int | None = None


class VideoNames:
    """Video files by the names that annotations use. Raises DataError where two names are equal.

    suffixes: endings of video files, with which a name may end.
    """

    def __init__(self, videos: Iterable[Path], suffixes: Collection[str]) -> None:
        self.files: dict[str, Path] = {}
        self.suffixes = suffixes
        for path in videos:
            other = self.files.setdefault(_name_key(input_name(path)), path)
            if other != path:
                raise DataError(
                    f"{other} and {path} have the same name in two Unicode spellings; rename one of the files"
                )

    def match(self, name: str) -> str:
        """The name of the video that an annotation calls `name`, `day1` for `day1.mp4` and for `day1`; it need not be
        there."""
        key = _name_key(name)
        path = PureWindowsPath(key)
        return key if key in self.files or path.suffix.lower() not in self.suffixes else path.stem


def _name_key(name: str) -> str:
    """A name in the form that is compared: without folders, and with one spelling of accented letters."""
    return unicodedata.normalize("NFC", PureWindowsPath(name).name)


def read_user_annotations(
    paths: Iterable[Path],
    videos: VideoNames,
    fmt: str | None,
    options: AnnotationOptions,
    fps: Fraction,
    report: _Report,
) -> dict[str, UserAnnotation]:
    """The annotations of all files, and of the folders' files that can be read or are named after a video, by the name
    of the video in the file.

    fps: of files without a rate. report: called with a note about files that are left out. Raises DataError.
    """
    result: dict[str, UserAnnotation] = {}
    for path in paths:
        sources = find_sources(path, fmt)
        others = [file.name for file in sources.left_out if file.suffix.lower() not in videos.suffixes]
        for file, form in sources.formats.items():
            try:
                annotations = _read(file, form, options, fps, report)
            except DataError:
                if path == file or _name_key(file.stem) in videos.files:
                    raise
                others.append(file.name)
                continue
            for annotation in annotations:
                name = _name_key(annotation.video)
                if name in result and file.resolve() != result[name].file.resolve():
                    raise DataError(f"{result[name].file} and {file} both annotate {name}; leave one of them out")
                frames = int((annotation.duration_seconds or 0) * fps) if form in ("txt", "recog") else None
                result[name] = UserAnnotation(annotation, file, frames)
        if others:
            report(f"no annotations, left out: {_listed(others)}")
    return result


def _read(file: Path, form: str, options: AnnotationOptions, fps: Fraction, report: _Report) -> list[Annotation]:
    """The annotations of a file, with its own frame rate if it has one."""
    try:
        return read_annotations(file, form, options=options, note=report)
    except (ConfigError, DataError):
        return read_annotations(file, form, fps=fps, options=options, note=report)


def pair(videos: VideoNames, annotations: Mapping[str, UserAnnotation], report: _Report) -> dict[Path, UserAnnotation]:
    """The videos that have an annotation, sorted by name, with their annotations.

    report: called with a note about videos and annotations without a partner. Raises DataError on fewer than two pairs.
    """
    matched: dict[str, UserAnnotation] = {}
    orphans = []
    for name, annotation in annotations.items():
        key = videos.match(name)
        if key not in videos.files:
            orphans.append(name)
        elif key in matched:
            raise DataError(f"two annotations are of {key}; leave one of them out")
        else:
            matched[key] = annotation
    alone = set(videos.files) - set(matched)
    for names, what in ((alone, "videos have no annotation"), (orphans, "annotations have no video")):
        if names:
            report(f"left out, {len(names)} {what}: {_listed(names)}")
    if len(matched) < 2:
        raise DataError(
            f"{len(matched)} of {len(videos.files)} videos have an annotation of the same name, and at least 2 are"
            f" needed; videos: {', '.join(sorted(videos.files)[:5])}; annotations: {', '.join(sorted(annotations)[:5])}"
        )
    return {videos.files[name]: matched[name] for name in sorted(matched)}


def check_frame_labels(annotations: Mapping[str, UserAnnotation], frames: Mapping[str, int], fps: Fraction) -> None:
    """Raise DataError where a file with one label per frame and its video differ by more than one frame."""
    for name, user in annotations.items():
        if user.frame_labels is not None and abs(user.frame_labels - frames[name]) > 1:
            raise DataError(
                f"{user.file}: {user.frame_labels} labels, but the video has {frames[name]} frames at {fps} frames per"
                " second; is --fps the rate of these labels?"
            )


def read_groups(path: Path, videos: VideoNames, names: Collection[str]) -> dict[str, str]:
    """The group of each video in `names`, from a CSV table with the columns video and group.

    Raises DataError with file and line.
    """
    rows = csv.DictReader(read_text(path, "a CSV table with the columns video and group").splitlines())
    if not {"video", "group"} <= set(rows.fieldnames or ()):
        raise DataError(
            f"{path}:1: expected the columns video and group, got {', '.join(rows.fieldnames or ()) or 'nothing'}"
        )
    groups: dict[str, str] = {}
    for row in rows:
        name, group = videos.match(row["video"] or ""), row["group"]
        if not name or not group:
            raise DataError(f"{path}:{rows.line_num}: expected a video and its group, got {row['video']!r}, {group!r}")
        if groups.setdefault(name, group) != group:
            raise DataError(
                f"{path}:{rows.line_num}: an earlier line puts {name} in group {groups[name]}; delete one of the two"
            )
    missing = sorted(set(map(_name_key, names)) - set(groups))
    if missing:
        raise DataError(f"{path}: no group for {', '.join(missing[:10])} ({len(missing)} videos); add a line for each")
    return {name: groups[_name_key(name)] for name in names}


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:10]) + (" ..." if len(names) > 10 else "")
