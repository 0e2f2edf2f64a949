"""Annotations of any format into Python, and annotations and predictions into files of any format."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from keyseg.formats.annotation_files import annotations_text, read_annotations
from keyseg.formats.format import AS_IT_IS, AnnotationOptions, WriteSettings
from keyseg.formats.linked_media import linked_path
from keyseg.formats.table_of_formats import FORMATS, find_sources, format_named, format_to_write
from keyseg.timeline import Annotation, ConfigError, DataError, LabelMap, OutputExistsError, Overlap
from keyseg.timeline.files import write_content
from keyseg.timeline.rates import parse_rate


class Predicted(Protocol):
    """A timeline that a network made."""

    @property
    def annotation(self) -> Annotation:
        """Its segments in seconds, with scores."""
        ...

    @property
    def labels(self) -> LabelMap:
        """Its classes."""
        ...

    @property
    def tier(self) -> str:
        """The tier or track that it is written to."""
        ...


def read(
    path: Path | str,
    *,
    format: str | None = None,
    fps: Fraction | float | str | None = None,
    background: Collection[str] | None = None,
    options: AnnotationOptions = AS_IT_IS,
    report: Callable[[str], None] = lambda note: None,
) -> dict[str, Annotation]:
    """The annotations in a file, or in the files of a folder, by name.

    There is one entry per timeline: one per video or, where a file has several subjects or tiers of a video, such as
    `day1.female`, one for each. A video that a file does not name is called like the file.

    path: file or folder, in any format of `keyseg convert`. format: default: what names and contents show. fps: frames
    per second, where a file counts frames and does not say it. background: labels that are not actions; default: what
    the file says. options: what to do where a file leaves a choice. report: called with what is left out or changed.

    Raises DataError with file and line, also on two timelines of one name, and ConfigError where `fps` or a tier must
    be given.

    >>> import keyseg
    >>> _ = Path("tea.vtt").write_text("WEBVTT\\n\\n00:01.000 --> 00:02.500\\ntake cup\\n")
    >>> keyseg.read("tea.vtt")["tea"].intervals[0]
    Interval('take cup' from 1 s to 2.5 s)
    """
    place, rate = Path(path), None if fps is None else parse_rate(fps)
    sources = find_sources(place, format)
    for line in sources.notes(place):
        report(line)
    found: dict[str, Annotation] = {}
    for file, name in sources.formats.items():
        for one in read_annotations(file, name, fps=rate, background=background, options=options, note=report):
            if one.name in found:
                raise DataError(f"{place}: two timelines in it are called {one.name!r}; read one file at a time")
            found[one.name] = replace(one, media=linked_path("", one.media, file.parent.absolute()))
    return found


def write(
    timelines: Annotation | Predicted | Mapping[str, Annotation] | Mapping[str, Predicted],
    path: Path | str,
    *,
    format: str | None = None,
    fps: Fraction | float | str | None = None,
    frames: int | None = None,
    overlap: Overlap = "error",
    tier: str | None = None,
    force: bool = False,
) -> Path:
    """Write annotations or predictions to one file of any format, and return its path.

    timelines: one, or several by name, as `read` returns them, for formats whose files hold several videos. A
    prediction without a name is called like the file. format: default: what the suffix shows. fps, frames: frames per
    second and length of a video, for formats that count frames, where the annotation does not say it. overlap: as in
    `keyseg convert`. tier: name of the tier or track that is written; default: that of the first prediction, or
    actions. force: overwrite an existing file.

    Raises OutputExistsError, ConfigError where the format is unknown or needs `fps`, and TimelineError on what the
    format cannot hold.

    >>> import keyseg
    >>> tea = Annotation("tea", (keyseg.Interval(1, 3, "pour"),), Fraction(4), Fraction(2), ("idle",))
    >>> _ = keyseg.write(tea, "tea.json")
    >>> keyseg.read("tea.json")["tea"].intervals
    (Interval('idle' from 0 s to 1 s), Interval('pour' from 1 s to 3 s), Interval('idle' from 3 s to 4 s))
    """
    path = Path(path)
    shown = format_to_write(path)
    name = format or shown
    if name is None:
        raise ConfigError(f"{path}: no format has this suffix; name the format: {', '.join(FORMATS)}")
    format_named(name)
    if path.exists() and not force:
        raise OutputExistsError(f"{path} exists; choose another file, or force to overwrite it")
    given: Mapping[str, Annotation | Predicted] = timelines if isinstance(timelines, Mapping) else {"": timelines}
    named = _named(given, path.name[: -len(FORMATS[shown].suffix)] if shown else path.stem)
    predicted = [one for one in given.values() if not isinstance(one, Annotation)]
    maps = {one.labels for one in predicted}
    settings = WriteSettings(
        fps=None if fps is None else parse_rate(fps),
        frames=frames,
        overlap=overlap,
        labels=maps.pop() if len(maps) == 1 else None,
        tier=tier or next((one.tier for one in predicted), "actions"),
        folder=path.parent,
        predicted=bool(predicted),
    )
    write_content(path, annotations_text(name, named, settings))
    return path


def _named(given: Mapping[str, Annotation | Predicted], default: str) -> Sequence[Annotation]:
    """The annotations; those that have no name are called by their key or, alone, like the file."""
    found = []
    for key, one in given.items():
        if not isinstance(one, Annotation) and not hasattr(one, "annotation"):
            raise ConfigError(
                f"expected an Annotation, a Prediction, or a mapping of one of them by name, got {type(one).__name__}"
            )
        annotation = one if isinstance(one, Annotation) else one.annotation
        found.append(annotation if annotation.video else replace(annotation, video=key or default))
    return found
