"""Files of any format: which one it is, its annotations, and annotations and predictions as its content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from keyseg.formats import timeline_json
from keyseg.formats.catalog import FORMATS
from keyseg.formats.format import Format, Reading, Writing
from keyseg.formats.frames import segmented
from keyseg.timeline import (
    Annotation,
    ConfigError,
    DataError,
    LabelMap,
    Segmentation,
    TimeBase,
    TimelineError,
    nearest,
)

# Formats that tools also save under a general name, and more names for one.
_ALSO = {
    "recog": (".txt", ""),
    "txt": ("",),
    "activitynet": (".json",),
    "labelstudio": (".json",),
    "otio": (".json",),
    "epic": (".csv",),
    "boris": (".csv", ".tsv"),
    "audacity": (".txt",),
}
_SNIFFED = 1_000_000  # bytes


def format_named(name: str) -> Format:
    """One of FORMATS. Raises ConfigError naming the nearest."""
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}{nearest(name, FORMATS)}; known: {', '.join(FORMATS)}")
    return FORMATS[name]


def format_to_write(path: Path) -> str | None:
    """The format whose suffix ends a file's name, the longest where several do; None where none does."""
    fits = [name for name, form in FORMATS.items() if path.name.lower().endswith(form.suffix.lower())]
    return max(fits, key=lambda name: len(FORMATS[name].suffix), default=None)


def name_fits(path: Path, fmt: str) -> bool:
    """Whether a file with this name could be of a format."""
    return path.name.lower().endswith(FORMATS[fmt].suffix.lower()) or path.suffix.lower() in _ALSO.get(fmt, ())


def format_of(path: Path) -> str:
    """The format of a file, by the end of its name and, where that leaves a choice, by what is in it.

    Raises DataError naming the formats that it could be.
    """
    if not path.is_file():
        raise DataError(f"{path}: cannot read it ({'not a file' if path.exists() else 'no such file'})")
    sure = format_to_write(path)
    if sure is not None and FORMATS[sure].suffix.count(".") > 1:
        return sure
    named = [name for name in FORMATS if name_fits(path, name)]
    if len(named) == 1:
        return named[0]
    with path.open("rb") as file:
        text = file.read(_SNIFFED).decode("utf-8", errors="replace").lstrip("\ufeff").replace("\r\n", "\n")
    looking = [name for name in named or FORMATS if FORMATS[name].looks(text)]
    if len(looking) == 1:
        return looking[0]
    if not looking:
        raise DataError(f"{path}: it looks like none of {', '.join(named or FORMATS)}; name its format with --from")
    raise DataError(f"{path}: it could be {' or '.join(looking)}; name its format with --from")


def read_annotations(
    path: Path,
    fmt: str | None = None,
    *,
    fps: Fraction | None = None,
    tier: str | None = None,
    background: Iterable[str] | None = None,
) -> list[Annotation]:
    """The annotations in a file, one a video. A video without a name of its own is called as the file.

    fmt: name in FORMATS, None to find it out. fps: frames a second, for a file that does not say it. tier: which of
    several tiers (ELAN, Praat), tracks (OpenTimelineIO) or subjects (BORIS). background: labels that are no actions;
    None for what the file says, and in a file that labels every frame for `background`.

    Raises DataError with file and line, and ConfigError where `fps` or `tier` must be given.
    """
    name = fmt or format_of(path)
    form = format_named(name)
    chosen = None if background is None else tuple(background)
    try:
        found = form.read(path, Reading(fps, tier, chosen))
    except TimelineError as error:
        raise DataError(f"{path}: {error}") from error
    if len(found) == 1 and not form.several and found[0].video == path.stem:
        found = [replace(found[0], video=_stem(path, form))]
    videos = [annotation.video for annotation in found]
    if len(set(videos)) < len(videos):
        twice = next(video for video in videos if videos.count(video) > 1)
        raise DataError(f"{path}: the video {twice!r} is in it twice")
    return found if chosen is None else [replace(annotation, background=chosen) for annotation in found]


def annotations_text(fmt: str, annotations: Sequence[Annotation], writing: Writing | None = None) -> str:
    """Annotations as the content of one file; without `writing` with what they say themselves.

    Formats that know gaps have gaps for background. Raises ConfigError, DataError, TimelineError.
    """
    form, writing = format_named(fmt), writing or Writing()
    if len(annotations) != 1 and not form.several:
        raise ConfigError(f"a file of {fmt} holds one video, got {len(annotations)}; write each to a file of its own")
    if not form.tiles:
        annotations = [annotation.actions() for annotation in annotations]
    if not form.frames and (writing.overlap != "error" or not form.overlaps):
        annotations = [annotation.resolved(writing.overlap) for annotation in annotations]
    return form.write(annotations, writing)


def timeline_text(fmt: str, name: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> str:
    """A prediction as the content of a file. Raises ConfigError, DataError, TimelineError."""
    annotation = Annotation.of(name, segmentation, labels, timebase, keep_background=True)
    return annotations_text(fmt, [annotation], Writing(labels=labels))


def timeline_bytes(fmt: str, name: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> bytes:
    """`timeline_text` as it stands in the file."""
    return timeline_text(fmt, name, segmentation, labels, timebase).encode()


def read_timeline(path: Path) -> tuple[Segmentation, LabelMap, TimeBase | None]:
    """One video as segmentation, classes and time base; the classes are those that occur, except in our JSON.

    The time base is None for files that count frames without a rate. Raises DataError, also where a file has times and
    no frame rate.
    """
    name = format_of(path)
    if name == "json":
        return timeline_json.read_whole(path)[1:]
    counts_frames = name in ("txt", "recog")
    found = read_annotations(path, name, fps=Fraction(15) if counts_frames else None)
    if len(found) != 1:
        raise DataError(f"{path}: expected one video, got {len(found)}; take them apart: keyseg convert {path} FOLDER")
    (annotation,) = found
    if annotation.fps is None:
        raise DataError(f"{path}: it has no frame rate; make frames of it: keyseg convert {path} VIDEO.json --fps RATE")
    segmentation, labels, timebase = segmented(annotation, Writing())
    return segmentation, labels, None if counts_frames else timebase


def _stem(path: Path, form: Format) -> str:
    """A file's name without the suffix of its format."""
    known = path.name.lower().endswith(form.suffix.lower()) and len(path.name) > len(form.suffix)
    return path.name[: -len(form.suffix)] if known else path.stem
