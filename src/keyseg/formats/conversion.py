"""Convert files and folders of annotations from one format to another."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from keyseg.formats import (
    AS_IT_IS,
    FORMATS,
    AnnotationOptions,
    WriteSettings,
    annotations_text,
    find_sources,
    format_named,
    format_to_write,
    read_annotations,
)
from keyseg.formats.linked_media import linked_path
from keyseg.formats.table_of_formats import unused_options
from keyseg.timeline import Annotation, ConfigError, DataError, OutputExistsError, Overlap
from keyseg.timeline.failures import Failures, noting
from keyseg.timeline.files import check_file_names, write_content

_FRAME_LABELS = {"txt", "recog"}  # neither times nor a frame rate


def convert(
    source: Path,
    target: Path,
    *,
    from_format: str | None = None,
    to_format: str | None = None,
    fps: Fraction | None = None,
    frames: int | None = None,
    overlap: Overlap = "error",
    background: Collection[str] | None = None,
    options: AnnotationOptions = AS_IT_IS,
    force: bool = False,
    report: Callable[[str], None] = lambda note: None,
    failures: Failures | None = None,
) -> tuple[Path, ...]:
    """Convert annotations and timelines from the files of one tool to those of another.

    For example: `keyseg convert session.eaf session.txt --fps 30`. Times stay exact to the frame.

    Args:
        source: File with annotations, or a folder of such files.
        target: File, whose suffix determines the format, or a folder that gets one file per video.
        from_format: Format of the source: txt, recog, csv, tsv, frames, json, activitynet, epic, vtt, srt, eaf,
            boris, boris-project, audacity, textgrid, labelstudio, via, vtrace, nwb, annot, caltech, rttm, otio or edl.
            Default: detected from the file's name and content.
        to_format: Format of the target, one of the same. Default: detected from the suffix of OUT; for a folder, the
            format of the source.
        fps: Annotation frames per second, such as 15 or 30000/1001. Needed where a format counts frames, such as txt,
            json or edl, and the source does not contain the rate.
        frames: Length of the video in frames, where the source does not contain it. Default: the end of the last
            action.
        overlap: Where two actions overlap and the target allows one label at a time: error reports them; first keeps
            the one that starts first; last lets the one that starts last interrupt it; score keeps the one with the
            higher score.
        background: Names of classes that are not actions; gaps between actions get the first one. none for no such
            class. Default: the class 'background'.
        force: Overwrite existing files.
        report: Called with a note about files that are left out, and about classes of `background` that do not occur.

        failures: Gets the sources that cannot be converted, while the others are. Without it, the first one raises.

    Returns:
        The files that were written; without `failures`, none of them on an error.
    """
    sources = find_sources(source, from_format)
    for line in sources.notes(source):
        report(line)
    to_format = to_format or _target_format(target, sorted(set(sources.formats.values())))
    format_named(to_format)
    annotations: list[Annotation] = []
    files: list[Path] = []  # of each annotation
    for file, name in sources.formats.items():
        # Frames in, frames out: any rate will do.
        rate = Fraction(1) if fps is None and {name, to_format} <= _FRAME_LABELS else fps
        with noting(failures, file):
            if "--tier" in unused_options([name], options):
                raise ConfigError(f"{file}: {FORMATS[name].title} has no tiers; leave out --tier")
            found = read_annotations(file, name, fps=rate, background=background, options=options, note=report)
            if not _is_file(target):
                for read in found:
                    file_name(read.name)
            for read in found:
                media = linked_path("", read.media, file.parent.absolute())  # the target may lie elsewhere
                annotations.append(replace(read, media=media))
                files.append(file)
    if failures:
        failures.raise_unless(annotations)
    if unused := unused_options(sources.formats.values(), options):
        report(f"{', '.join(unused)}: of no use with {', '.join(sorted(set(sources.formats.values())))}")
    if not annotations:
        raise DataError(f"{source}: no video with annotations in it")
    targets = _targets(target, to_format, annotations, files)
    source_of = {path: files[annotations.index(videos[0])] for path, videos in targets.items()}
    if frames is not None and len(annotations) > 1:
        raise ConfigError(
            f"--frames is the length of one video, and there are {len(annotations)}; convert them one by one"
        )
    existing = [path for path in targets if path.exists()]
    if existing and not force:
        raise OutputExistsError(f"{existing[0]} exists ({len(existing)} such files); choose another OUT or use --force")
    gaps = ("background",) if background is None else tuple(background)
    settings = WriteSettings(fps, frames, overlap, gaps)
    contents = {}
    for path, videos in targets.items():
        with noting(failures, source_of[path]):
            contents[path] = annotations_text(to_format, videos, replace(settings, folder=path.parent))
    if failures:
        failures.raise_unless(contents)
    written: list[Path] = []
    for path, content in contents.items():
        with noting(failures, source_of[path]):
            write_content(path, content)
            written.append(path)
    if failures:
        failures.raise_unless(written)
    labels = {label for annotation in annotations for label in annotation.labels}
    for name in sorted({unicodedata.normalize("NFC", name) for name in background or ()} - labels):
        report(f"nothing is labelled {name!r}; gaps are called so")
    return tuple(written)


def _is_file(target: Path) -> bool:
    """Whether everything is written to one file, and not a file per video to a folder."""
    return bool(target.suffix) and not target.is_dir()


def _target_format(target: Path, formats: Sequence[str]) -> str:
    """The format that the target's suffix shows, or else the only one of the sources. Raises ConfigError."""
    if not _is_file(target):
        if len(formats) > 1:
            raise ConfigError(f"the files have several formats ({', '.join(formats)}); choose one to write with --to")
        return formats[0]
    shown = format_to_write(target)
    if shown is None:
        raise ConfigError(f"{target}: no format has this suffix; name the format with --to")
    return shown


def _targets(
    target: Path, fmt: str, annotations: Sequence[Annotation], files: Sequence[Path]
) -> Mapping[Path, Sequence[Annotation]]:
    """The videos of each file to write. files: where each annotation comes from.

    Raises DataError where two would have one name, also one that differs in upper and lower case alone, which is one
    file on Windows and macOS.
    """
    form = FORMATS[fmt]
    into_one = _is_file(target)
    first: dict[str, int] = {}
    for index, (annotation, file) in enumerate(zip(annotations, files, strict=True)):
        video = annotation.name
        other = first.setdefault(video if into_one else file_name(video).casefold(), index)
        if other != index:
            names = f"{annotations[other].name!r} in {files[other]} and {video!r} in {file}"
            what = "have the same name" if into_one else "have the same file"
            raise DataError(f"{names} would {what}; rename a video")
    if into_one:
        if len(annotations) > 1 and not form.several:
            raise ConfigError(
                f"a file of {fmt} holds one video, and there are {len(annotations)}; name a folder as OUT"
            )
        return {target: annotations}
    targets = {target / f"{file_name(video.name)}{form.suffix}": [video] for video in annotations}
    for path in targets:
        if (shown := format_to_write(path)) != fmt:
            raise DataError(
                f"{path.name} would be read as {shown}, not as {fmt}; rename the video, or choose another OUT"
            )
    return targets


def file_name(video: str) -> str:
    """A video's name, without its folders, as a file's. Raises DataError where no file can be called so."""
    name = video.rpartition("/")[2]
    check_file_names([name])
    return name
