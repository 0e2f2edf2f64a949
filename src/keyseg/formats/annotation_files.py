"""Files of any format: their annotations, and annotations and predictions as their content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

from keyseg.formats.format import AS_IT_IS, AnnotationOptions, ReadSettings, WriteSettings
from keyseg.formats.table_of_formats import FORMATS, format_named, format_of
from keyseg.formats.text import distinguishing_depth, one_line, path_parts, video_name
from keyseg.timeline import Annotation, ConfigError, DataError, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.timeline.files import NO_TEXT


def read_annotations(
    path: Path,
    fmt: str | None = None,
    *,
    fps: Fraction | None = None,
    background: Iterable[str] | None = None,
    options: AnnotationOptions = AS_IT_IS,
    videos: Iterable[str] = (),
    note: Callable[[str], None] = lambda text: None,
) -> list[Annotation]:
    """The annotations in a file, one per timeline. A video that the file does not name is called like the file.

    fmt: name in FORMATS; default: what the name and the content of the file show. fps: frames per second, for a file
    that does not say it. background: labels that are not actions; default: what the file says, or `background` in
    formats that label every frame. videos: names of the videos that are there; where a file links several, it is
    read for one of them. note: called with what is left out or changed.

    Raises DataError with file and line, and ConfigError where `fps` or a tier must be given.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "tea.vtt")
    ...     _ = path.write_text("WEBVTT\\n\\n00:01.000 --> 00:02.500\\ntake cup\\n")
    ...     print(read_annotations(path)[0].intervals[0])
    'take cup' from 1 s to 2.5 s
    """
    name = fmt or format_of(path)
    form = format_named(name)
    chosen = None if background is None else tuple(background)
    try:
        given = {field.name: getattr(options, field.name) for field in fields(AnnotationOptions)}
        noted = partial(_noted, path, note)
        settings = ReadSettings(**given, fps=fps, background=chosen, videos=tuple(videos), note=noted)
        with FORMATS.blaming(name):
            annotations = form.read(path, settings)
    except TimelineError as error:
        raise DataError(f"{path}: {error}") from error
    except MemoryError as error:
        raise DataError(f"{path}: not enough memory to read it; is it the right file?") from error
    stem, ending = path.name[: -len(form.suffix)], path.name[-len(form.suffix) :]
    named_like_it = bool(annotations) and annotations[0].video == path.stem
    if not form.several and named_like_it and stem and ending.lower() == form.suffix.lower():
        annotations = [replace(annotation, video=stem) for annotation in annotations]
    annotations = _named(path, annotations)
    return annotations if chosen is None else [replace(annotation, background=chosen) for annotation in annotations]


def _named(path: Path, annotations: Sequence[Annotation]) -> list[Annotation]:
    """The annotations with the names of their videos, without folders and .mp4, and as `media` what the file says.

    Files of one name in several folders keep the folders that distinguish them: P01/cam1 and P02/cam1. Raises DataError
    where that is not enough.
    """
    named = []
    for annotation in annotations:
        name = video_name(annotation.video) or annotation.video
        media = annotation.media or (annotation.video if name != annotation.video else "")
        named.append(replace(annotation, video=name, media=media))
    places: dict[str, dict[tuple[str, ...], str]] = {}  # of each name: its folders, and how the file spells it
    for annotation in named:
        places.setdefault(annotation.video, {}).setdefault(_folders(annotation), annotation.media or annotation.video)
    depths = {name: _depth(path, spelled) for name, spelled in places.items()}
    spellings: dict[str, str] = {}
    for index, annotation in enumerate(named):
        folders, spelled = _folders(annotation), annotation.media or annotation.video
        kept = folders[len(folders) - depths[annotation.video] :]
        annotation = named[index] = replace(annotation, video="/".join((*kept, annotation.video)))
        if annotation.name in spellings:
            first = spellings[annotation.name]
            as_what = f", as {first!r} and {spelled!r}" if first != spelled else ""
            raise DataError(f"{path}: the video {annotation.name!r} is in it twice{as_what}")
        spellings[annotation.name] = spelled
    return named


def _folders(annotation: Annotation) -> tuple[str, ...]:
    """The folders of the video that the file names."""
    return path_parts(annotation.media)[:-1]


def _depth(path: Path, spelled: Mapping[tuple[str, ...], str]) -> int:
    """How many folders, from the last, distinguish files of one name. Raises DataError on a file and one whose path may
    be the end of its path."""
    for short, long in pairwise(sorted(folders[::-1] for folders in spelled)):
        if long[: len(short)] == short:
            one, other = spelled[short[::-1]], spelled[long[::-1]]
            raise DataError(f"{path}: {one!r} and {other!r} may be the same video; spell each video in one way")
    return distinguishing_depth(spelled)


def _noted(path: Path, note: Callable[[str], None], text: str) -> None:
    note(text if str(path) in text else f"{path}: {text}")


def annotations_text(fmt: str, annotations: Sequence[Annotation], settings: WriteSettings | None = None) -> str | bytes:
    """Annotations as the content of one file, which is text except in NWB. Formats that know gaps have gaps for
    background. Scores of predictions are written with three decimals.

    Raises ConfigError, DataError, TimelineError.

    >>> from keyseg.timeline import Interval
    >>> annotations_text("audacity", [Annotation("tea", (Interval(1, 2, "take cup"),))])
    '1.000000\\t2.000000\\ttake cup\\n'
    """
    form, settings = format_named(fmt), settings or WriteSettings()
    annotations = [_writable(annotation, settings.tier) for annotation in annotations]
    if len(annotations) != 1 and not form.several:
        raise ConfigError(f"a file of {fmt} holds one video, got {len(annotations)}; write each to its own file")
    if not form.tracks:
        annotations = [replace(annotation, video=annotation.name, track="") for annotation in annotations]
    if not form.tiles:
        annotations = [annotation.actions() for annotation in annotations]
    if not form.frames and (settings.overlap != "error" or not form.overlaps):
        annotations = [annotation.resolved(settings.overlap) for annotation in annotations]
    if settings.predicted:
        annotations = [_rounded(annotation) for annotation in annotations]
    with FORMATS.blaming(fmt):
        return form.write(annotations, settings)


def _writable(annotation: Annotation, tier: str) -> Annotation:
    """The same, without a path of the video that is no text. Raises DataError on names that no format could store."""
    one_line(annotation.video, "name of the video")
    one_line(annotation.track, "track")
    for label in dict.fromkeys((tier, *annotation.labels, *annotation.background, *annotation.classes)):
        if bad := NO_TEXT.search(label):
            raise DataError(f"{annotation.video}: {label[:80]!r} holds {bad[0]!r}, which is no text; rename it")
    try:
        one_line(annotation.media)
    except DataError:
        return replace(annotation, media="")
    return annotation


def _rounded(annotation: Annotation) -> Annotation:
    """The same with three decimals of each score; more say nothing about a prediction."""
    scored = (
        item if item.score is None else replace(item, score=round(item.score, 3)) for item in annotation.intervals
    )
    return replace(annotation, intervals=tuple(scored))


def timeline_text(
    fmt: str,
    name: str,
    segmentation: Segmentation,
    labels: LabelMap,
    timebase: TimeBase,
    *,
    scores: Sequence[float] | None = None,
    media: str = "",
    settings: WriteSettings | None = None,
) -> str | bytes:
    """A prediction as the content of a file, which is text except in NWB. Raises ConfigError, DataError, TimelineError.

    scores: confidence of each segment, for formats that have scores. media: path of the video.

    >>> labels = LabelMap(("background", "pour"), ("background",))
    >>> print(timeline_text("srt", "tea", Segmentation.from_frames([0, 0, 1, 1, 1]), labels, TimeBase(Fraction(2))))
    1
    00:00:01,000 --> 00:00:02,500
    pour
    <BLANKLINE>
    """
    annotation = Annotation.of(name, segmentation, labels, timebase, keep_background=True)
    if scores is not None:
        pairs = zip(annotation.intervals, scores, strict=True)
        annotation = replace(annotation, intervals=tuple(replace(item, score=score) for item, score in pairs))
    settings = replace(settings or WriteSettings(), labels=labels, predicted=True)
    return annotations_text(fmt, [replace(annotation, media=media)], settings)
