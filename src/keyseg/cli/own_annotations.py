"""A user's annotations and videos, brought together by name."""

from __future__ import annotations

import csv
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from keyseg.timeline import ConfigError, DataError

if TYPE_CHECKING:
    from keyseg.timeline import Annotation


def say(notes: Iterable[str]) -> None:
    """What a user should know."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


@dataclass
class Own:
    """A user's annotations by the video that they name. homes: their files. counted: how many labels those have that
    label every frame."""

    annotations: dict[str, Annotation] = field(default_factory=dict)
    homes: dict[str, Path] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)

    def add(self, annotation: Annotation, file: Path) -> None:
        """Raises DataError where another file speaks of the same video."""
        name = name_key(annotation.video)
        if name in self.annotations and file.resolve() != self.homes[name].resolve():
            raise DataError(f"{self.homes[name]} and {file} both annotate {name}; leave one of them out")
        self.annotations[name], self.homes[name] = annotation, file

    def check_lengths(self, frames: Mapping[str, int], fps: Fraction) -> None:
        """Raise DataError where a file with a label a frame has not as many as the video, give or take one."""
        for name, count in self.counted.items():
            wanted = frames.get(name, frames.get(video_stem(name), count))
            if abs(count - wanted) > 1:
                raise DataError(
                    f"{self.homes[name]}: {count} labels, and the video has {wanted} frames at {fps} frames a second;"
                    " is --fps the rate of these labels?"
                )


def read_all(
    paths: tuple[Path, ...], videos: Mapping[str, Path], fmt: str | None, tier: str | None, fps: Fraction
) -> Own:
    """Annotations of all files; of a folder, those files that can be read or go by the name of a video."""
    from keyseg.formats import find_sources
    from keyseg.video.find_videos import SUFFIXES

    found = Own()
    for path in paths:
        sources = find_sources(path, fmt)
        others = [file.name for file in sources.left_out if file.suffix.lower() not in SUFFIXES]
        for file, form in sources.formats.items():
            try:
                annotations = read_own(file, form, tier, fps)
            except DataError:
                if path == file or name_key(file.stem) in videos:
                    raise
                others.append(file.name)
                continue
            for annotation in annotations:
                found.add(annotation, file)
                if form in ("txt", "recog"):
                    found.counted[name_key(annotation.video)] = int((annotation.duration_seconds or 0) * fps)
        if others:
            say([f"no annotations, left out: {', '.join(sorted(others)[:10])}{' ...' if len(others) > 10 else ''}"])
    return found


def read_own(file: Path, form: str, tier: str | None, fps: Fraction) -> list[Annotation]:
    """A file's annotations; the rate is that of the file where it says one."""
    from keyseg.formats import read_annotations

    try:
        return read_annotations(file, form, tier=tier)
    except (ConfigError, DataError):
        return read_annotations(file, form, tier=tier, fps=fps)


def by_name(videos: Sequence[Path]) -> dict[str, Path]:
    """Videos by the names that annotations know them by. Raises DataError where two would be one."""
    found: dict[str, Path] = {}
    for path in videos:
        other = found.setdefault(name_key(path.stem), path)
        if other != path:
            raise DataError(f"{other} and {path} have the same name, spelled with other bytes; rename one of them")
    return found


def name_key(name: str) -> str:
    """A name as it is compared: without folders, and with one spelling of accented letters."""
    return unicodedata.normalize("NFC", PureWindowsPath(name).name)


def video_stem(name: str) -> str:
    """`day1` for `day1.mp4` and for `day1`."""
    from keyseg.video.find_videos import SUFFIXES

    path = PureWindowsPath(name)
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def paired(files: Mapping[str, Path], annotations: Mapping[str, Annotation]) -> dict[str, Annotation]:
    """Annotations of the videos that are there, by the names of their files; the rest is told.

    Raises DataError on fewer than two.
    """
    matched: dict[str, Annotation] = {}
    orphans = []
    for name, annotation in annotations.items():
        key = name if name in files else video_stem(name)
        if key not in files:
            orphans.append(name)
        elif key in matched:
            raise DataError(f"two annotations are of {key}; leave one of them out")
        else:
            matched[key] = annotation
    alone = sorted(set(files) - set(matched))
    for names, what in ((alone, "videos have no annotation"), (sorted(orphans), "annotations have no video")):
        if names:
            say([f"left out, {len(names)} {what}: {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}"])
    if len(matched) < 2:
        raise DataError(
            f"{len(matched)} of {len(files)} videos have an annotation by the same name, and at least 2 are needed;"
            f" videos: {', '.join(sorted(files)[:5])}; annotations: {', '.join(sorted(annotations)[:5])}"
        )
    return {files[name].stem: matched[name] for name in sorted(matched)}


def read_groups(path: Path, names: Mapping[str, object]) -> dict[str, str]:
    """The group of each video by a table with the columns video and group. Raises DataError with file and line."""
    from keyseg.timeline.files import read_text

    rows = csv.DictReader(read_text(path, "a CSV table with the columns video and group").splitlines())
    if not {"video", "group"} <= set(rows.fieldnames or ()):
        raise DataError(
            f"{path}:1: expected the columns video and group, got {', '.join(rows.fieldnames or ()) or 'nothing'}"
        )
    found: dict[str, str] = {}
    known = {name_key(name) for name in names}
    for row in rows:
        name = name_key(row["video"] or "")
        name = name if name in known else video_stem(name)
        if not name or not row["group"]:
            raise DataError(
                f"{path}:{rows.line_num}: expected a video and its group, got {row['video']!r}, {row['group']!r}"
            )
        if found.setdefault(name, row["group"]) != row["group"]:
            raise DataError(
                f"{path}:{rows.line_num}: {name} is in group {found[name]} by an earlier line; delete one of the two"
            )
    missing = sorted(set(known) - set(found))
    if missing:
        raise DataError(f"{path}: no group for {', '.join(missing[:10])} ({len(missing)} videos); add a line for each")
    return {name: found[name_key(name)] for name in names}
