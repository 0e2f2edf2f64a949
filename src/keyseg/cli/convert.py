"""keyseg convert: timelines between the files of many tools, and weights of the reference programs into bundles."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from keyseg.cli.background import Background, background_names
from keyseg.cli.features import frame_rate
from keyseg.timeline import Annotation, ConfigError, DataError, OutputExistsError, Overlap

_TIMELINES = Group("Timelines", sort_key=1)
_WEIGHTS = Group("Weights", sort_key=2)


def convert(
    source: Annotated[Path | None, Parameter(name="IN")] = None,
    target: Annotated[Path | None, Parameter(name="OUT")] = None,
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from", group=_TIMELINES)] = None,
    to: Annotated[str | None, Parameter(group=_TIMELINES)] = None,
    frames: Annotated[int | None, Parameter(group=_TIMELINES)] = None,
    overlap: Annotated[Overlap, Parameter(group=_TIMELINES)] = "error",
    tier: Annotated[str | None, Parameter(group=_TIMELINES)] = None,
    model: Annotated[Literal["asformer", "ms-tcn++", "bcn"] | None, Parameter(group=_WEIGHTS)] = None,
    out: Annotated[Path | None, Parameter(group=_WEIGHTS)] = None,
    mapping: Annotated[Path | None, Parameter(group=_WEIGHTS)] = None,
    sample_rate: Annotated[int | None, Parameter(group=_WEIGHTS)] = None,
    background: Background = None,
    fps: str | None = None,
    force: bool = False,
) -> int:
    """Convert annotations and timelines from the files of one tool to those of another, or weights into a bundle.

    Timelines: `keyseg convert IN OUT`, as in `keyseg convert session.eaf session.txt --fps 30`. Times stay exact to the
    frame.

    Weights: `keyseg convert WEIGHTS --model asformer --out BUNDLE` makes a bundle of weights that the reference program
    of ASFormer, MS-TCN++ or BCN trained. All sizes are found from names and shapes. Nothing in the file is executed; if
    it holds anything but tensors it is refused and nothing is written.

    Parameters
    ----------
    source
        A file with annotations, or a folder of them. With --model: a state dict as .pth, .pt, .model (torch) or
        .safetensors.
    target
        A file, whose suffix tells its format, or a folder for a file a video.
    from_
        Format of the source: txt, recog, csv, tsv, json, activitynet, epic, vtt, srt, eaf, boris, audacity, textgrid,
        labelstudio, rttm, otio or edl. Default: what the name and the content of the file show.
    to
        Format of the target, one of the same. Default: what the suffix of OUT says; in a folder that of the source.
    frames
        Length of the video in frames, where the source does not say it; without it the last action ends the video.
    overlap
        Where two actions overlap and the target has one label at a time: error names them; first keeps the one that
        starts first; last lets the one that starts last interrupt it.
    tier
        Which of several tiers of ELAN or Praat, tracks of OpenTimelineIO, or subjects of BORIS.
    model
        Whose weights they are.
    out
        Folder of the bundle.
    mapping
        mapping.txt of the data set: the classes' names. Without it they are called class0, class1, ...
    sample_rate
        Annotation frames a feature step. Default: what the field takes for the data set whose classes these are (2 for
        50Salads), else 1.
    background
        Classes that are not actions, one or several names, or none; gaps between actions get the first. Default: the
        class 'background'.
    fps
        Annotation frames a second, such as 15 or 30000/1001. A timeline needs it where frames are counted, as in txt,
        json or edl, and the source does not say it. Default with --model: that of the data set whose classes these are,
        else 15.
    force
        Overwrite what is there.
    """
    if source is None:
        raise ConfigError(
            "name what to convert: keyseg convert IN OUT, or keyseg convert WEIGHTS --model M --out BUNDLE"
        )
    if model is not None or out is not None:
        from keyseg.cli.convert_weights import convert_weights

        if model is None or out is None:
            raise ConfigError("weights need both: --model, whose weights they are, and --out, the folder of the bundle")
        stray = [target is not None, from_ is not None, to is not None, frames is not None, overlap != "error", tier]
        if any(stray):
            raise ConfigError("OUT, --from, --to, --frames, --overlap and --tier are for timelines, not for weights")
        return convert_weights(
            source,
            model=model,
            out=out,
            mapping=mapping,
            background=background,
            fps=fps,
            sample_rate=sample_rate,
            force=force,
        )
    if target is None:
        raise ConfigError("name where to write: keyseg convert IN OUT for timelines, or --model and --out for weights")
    if mapping is not None or sample_rate is not None:
        raise ConfigError("--mapping and --sample-rate go with --model; a timeline has neither")
    names = background_names(background)
    asked = _Asked(
        from_,
        to,
        None if fps is None else frame_rate(fps),
        frames,
        overlap,
        tier,
        None if names is None else tuple(names),
    )
    return _convert_timelines(source, target, asked, force)


@dataclass(frozen=True)
class _Asked:
    """What the options say."""

    source_format: str | None
    target_format: str | None
    fps: Fraction | None
    frames: int | None
    overlap: Overlap
    tier: str | None
    background: tuple[str, ...] | None


def _convert_timelines(source: Path, target: Path, asked: _Asked, force: bool) -> int:
    from keyseg.formats import WriteSettings, annotations_text, format_named
    from keyseg.timeline.files import write_text

    files = _source_files(source, asked.source_format)
    fmt = asked.target_format or _target_format(target, sorted(set(files.values())))
    format_named(fmt)
    annotations = [found for file, name in files.items() for found in _read(file, name, fmt, asked)]
    background = ("background",) if asked.background is None else asked.background
    settings = WriteSettings(asked.fps, asked.frames, asked.overlap, background)
    targets = _targets(target, fmt, annotations, source)
    if asked.frames is not None and len(annotations) > 1:
        raise ConfigError(f"--frames is the length of one video, and there are {len(annotations)}; convert them apart")
    there = [path for path in targets if path.exists()]
    if there and not force:
        raise OutputExistsError(f"{there[0]} exists ({len(there)} such files); choose another OUT or use --force")
    texts = {path: annotations_text(fmt, videos, settings) for path, videos in targets.items()}
    for path, text in texts.items():
        write_text(path, text)
        print(path)
    labels = {label for annotation in annotations for label in annotation.labels}
    for name in sorted(set(asked.background or ()) - labels):
        print(f"note: nothing is labelled {name!r}; it is what gaps are called", file=sys.stderr)
    return 0


def _source_files(source: Path, named: str | None) -> dict[Path, str]:
    """Files to read and their formats."""
    from keyseg.formats import find_sources

    found = find_sources(source, named)
    if found.left_out:
        names = ", ".join(path.name for path in found.left_out[:5])
        print(f"note: {len(found.left_out)} other files in {source} are left out: {names}", file=sys.stderr)
    return found.formats


def _target_format(target: Path, formats: Sequence[str]) -> str:
    """The format that OUT shows, or else the only one of the sources. Raises ConfigError."""
    from keyseg.formats import format_to_write

    shown = None if target.is_dir() else format_to_write(target)
    if shown is not None:
        return shown
    if target.suffix and not target.is_dir():
        raise ConfigError(f"{target}: no format has this suffix; name the format with --to")
    if len(formats) > 1:
        raise ConfigError(f"the files are of several formats ({', '.join(formats)}); say which to write with --to")
    return formats[0]


def _read(file: Path, name: str, target_format: str, asked: _Asked) -> list[Annotation]:
    from keyseg.formats import FORMATS, read_annotations

    no_seconds = {"txt", "recog"}
    fps = asked.fps
    if fps is None and {name, target_format} <= no_seconds:
        fps = Fraction(1)  # frames in, frames out: any rate will do
    if asked.tier is not None and name not in ("eaf", "textgrid", "otio", "edl", "boris"):
        raise ConfigError(f"{file}: {FORMATS[name].title} has no tiers; leave out --tier")
    return read_annotations(file, name, fps=fps, tier=asked.tier, background=asked.background)


def _targets(target: Path, fmt: str, annotations: Sequence[Annotation], source: Path) -> dict[Path, list[Annotation]]:
    """Which videos go to which file."""
    from keyseg.formats import FORMATS

    if not annotations:
        raise DataError(f"{source}: no video with annotations in it")
    form = FORMATS[fmt]
    names = [annotation.video for annotation in annotations]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{source}: the video {twice[0]!r} is in it twice; convert the files apart")
    if not target.is_dir() and target.suffix:
        if len(annotations) > 1 and not form.several:
            raise ConfigError(
                f"a file of {fmt} holds one video, and there are {len(annotations)}; name a folder as OUT"
            )
        return {target: list(annotations)}
    return {
        target / f"{_file_name(name)}{form.suffix}": [found] for name, found in zip(names, annotations, strict=True)
    }


def _file_name(video: str) -> str:
    """A video's name as a file's. Raises DataError where it would lead elsewhere."""
    if not video.strip() or video.startswith(".") or any(c in "/\\" or ord(c) < 32 for c in video):
        raise DataError(f"the video name {video!r} cannot be the name of a file; rename the video")
    return video
