"""All formats by the name that --format, --from and --to take; the format of a file, and of the files in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from keyseg.formats import (
    activitynet,
    bento,
    boris,
    boris_project,
    caltech,
    edl,
    elan,
    epic,
    frame_labels,
    frame_table,
    label_studio,
    lines_of_seconds,
    nwb,
    otio,
    subtitles,
    textgrid,
    timeline_json,
    via,
    vtrace,
)
from keyseg.formats import segment_table as table
from keyseg.formats.format import AS_IT_IS, AnnotationOptions, Format
from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.timeline.files import shown_encoding
from keyseg.timeline.open_table import OpenTable

_SNIFFED = 1_000_000  # bytes of a file that decide its format
_MOST_TOLD = 5  # files
_tiling = partial(Format, frames=True, tiles=True, overlaps=False)
_in_frames = partial(Format, frames=True, overlaps=False)
_TXT = (frame_labels.read, frame_labels.write_txt, frame_labels.looks_txt)
_RECOG = (frame_labels.read, frame_labels.write_recog, frame_labels.looks_recog)
_FRAMES = (frame_table.read, frame_table.write, frame_table.looks)
_AUDACITY = (lines_of_seconds.read_audacity, lines_of_seconds.write_audacity, lines_of_seconds.looks_audacity)
_RTTM = (lines_of_seconds.read_rttm, lines_of_seconds.write_rttm, lines_of_seconds.looks_rttm)
_TSV = (table.read, partial(table.write, separator="\t"), partial(table.looks, tabs=True))
_CALTECH = (caltech.read, caltech.write, caltech.looks)
_ACTIVITYNET = (activitynet.read, activitynet.write, activitynet.looks, (".json",))
_BORIS = (boris.read, boris.write, boris.looks)
_BORIS_PROJECT = (boris_project.read, boris_project.write, boris_project.looks)
_LABEL_STUDIO = (label_studio.read, label_studio.write, label_studio.looks, (".json",))

_OURS: dict[str, Format] = {
    "txt": _tiling("one label per line", ".txt", *_TXT, ("",)),
    "recog": _tiling("labels on one line", ".recog.txt", *_RECOG, (".txt", "")),
    "csv": _tiling("table of segments", ".csv", table.read, table.write, table.looks, several=True, tracks=True),
    "tsv": _tiling("table with tabs", ".tsv", *_TSV, (".csv", ".txt"), several=True, tracks=True),
    "frames": _tiling("table of frames", ".frames.txt", *_FRAMES, (".txt", ".csv", ".tsv")),
    "json": _tiling("keyseg's JSON", ".json", timeline_json.read, timeline_json.write, timeline_json.looks),
    "activitynet": Format("ActivityNet, THUMOS", ".activitynet.json", *_ACTIVITYNET, several=True),
    "epic": Format("EPIC-KITCHENS", ".epic.csv", epic.read, epic.write, epic.looks, (".csv",), several=True),
    "vtt": Format("WebVTT", ".vtt", subtitles.read_vtt, subtitles.write_vtt, subtitles.looks_vtt),
    "srt": Format("SRT", ".srt", subtitles.read_srt, subtitles.write_srt, subtitles.looks_srt),
    "eaf": Format("ELAN", ".eaf", elan.read, elan.write, elan.looks, overlaps=False, tracks=True),
    "boris": Format("BORIS", ".boris.csv", *_BORIS, (".csv", ".tsv"), several=True, tracks=True),
    "boris-project": Format("BORIS project", ".boris", *_BORIS_PROJECT, several=True, tracks=True),
    "audacity": Format("Audacity labels", ".labels.txt", *_AUDACITY, (".txt",)),
    "textgrid": Format("Praat", ".TextGrid", textgrid.read, textgrid.write, textgrid.looks, overlaps=False),
    "labelstudio": _in_frames("Label Studio", ".labelstudio.json", *_LABEL_STUDIO, several=True),
    "via": Format("VIA 3", ".via.json", via.read, via.write, via.looks, (".json",), several=True),
    "vtrace": Format("V-TRACE", ".vtrace.csv", vtrace.read, vtrace.write, vtrace.looks, (".csv",)),
    "nwb": Format("NWB 2", ".nwb", nwb.read, nwb.write, nwb.looks),
    "annot": _in_frames("Bento", ".annot", bento.read, bento.write, bento.looks),
    "caltech": _tiling("Caltech Behavior Annotator", ".caltech.txt", *_CALTECH, (".txt",)),
    "rttm": Format("RTTM", ".rttm", *_RTTM, several=True),
    "otio": _in_frames("OpenTimelineIO", ".otio", otio.read, otio.write, otio.looks, (".json",)),
    "edl": _in_frames("EDL, CMX 3600", ".edl", edl.read, edl.write, edl.looks),
}
FORMATS = OpenTable("keyseg.formats", Format, _OURS)
"""Those of keyseg, then those that installed packages add: entry points whose object is a `Format`."""

_WITH_TRACKS = {"eaf", "textgrid", "via", "vtrace", "annot", "caltech", "boris", "boris-project"}
_WITH_FLAWS = {"activitynet", "epic", "csv", "tsv", "audacity", "rttm", "frames"}
_WITH_FLAWS |= {"via", "vtrace", "nwb", "annot", "labelstudio"}
_USE = {
    "tier": _WITH_TRACKS | {"nwb", "otio", "edl"},
    "per_subject": _WITH_TRACKS,
    "points": _WITH_FLAWS | {"boris", "boris-project", "textgrid", "edl", "otio"},
    "start_timecode": {"edl"},
    "lenient": _WITH_FLAWS | {"eaf"},
}
"""The formats that use an option of reading."""


def unused_options(formats: Iterable[str], options: AnnotationOptions) -> list[str]:
    """The options, as flags, that are given and that none of these formats uses; those of packages may use any.

    >>> unused_options(["vtt", "csv"], AnnotationOptions(lenient=True, start_timecode="01:00:00:00"))
    ['--start-timecode']
    """
    formats = set(formats)
    given = [name for name in _USE if getattr(options, name) != getattr(AS_IT_IS, name)]
    return [f"--{name.replace('_', '-')}" for name in given if formats <= set(_OURS) - _USE[name]]


def format_named(name: str) -> Format:
    """One of FORMATS. Raises ConfigError naming the nearest, or the package whose format cannot be used."""
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}{nearest(name, FORMATS)}; known: {', '.join(FORMATS)}")
    return FORMATS[name]


def format_to_write(path: Path) -> str | None:
    """The format whose suffix a file's name ends with, the longest if several fit; None if none does.

    >>> format_to_write(Path("tea.boris.csv")), format_to_write(Path("tea.mp4"))
    ('boris', None)
    """
    fits = [name for name, form in FORMATS.usable() if path.name.lower().endswith(form.suffix.lower())]
    return max(fits, key=lambda name: len(FORMATS[name].suffix), default=None)


def format_of(path: Path) -> str:
    """The format of a file, by the end of its name and, where that leaves a choice, by its content.

    Raises DataError naming the formats that it could be.
    """
    if not path.is_file():
        raise DataError(f"{path}: cannot read it ({'not a file' if path.exists() else 'no such file'})")
    sure = format_to_write(path)
    if sure is not None and FORMATS[sure].suffix.count(".") > 1:
        return sure
    usable = dict(FORMATS.usable())
    named = [name for name in usable if _name_fits(path, name)]
    if len(named) == 1:
        return named[0]
    with path.open("rb") as file:
        start = file.read(_SNIFFED)
    text = start.decode(shown_encoding(start) or "utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    matches = [name for name in named or usable if usable[name].looks(text)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise DataError(f"{path}: it looks like none of {', '.join(named or usable)}; name its format with --from")
    options = (f"--from {name}{' --fps RATE' * (FORMATS[name].frames)}" for name in matches)
    names = " or ".join(f"{path.stem}{FORMATS[name].suffix}" for name in matches)
    raise DataError(
        f"{path}: it could be {' or '.join(matches)}; choose with {' or '.join(options)}, or call the file {names}"
    )


@dataclass(frozen=True)
class Sources:
    """formats: the format of each file to read, in order. left_out: the other files of the folder, with what kept those
    whose names fit a format from being read."""

    formats: dict[Path, str]
    left_out: Mapping[Path, DataError | None] = field(default_factory=dict)

    def notes(self, place: Path) -> list[str]:
        """What a user should know about the files that are left out."""
        told = [path for path, reason in self.left_out.items() if reason][:_MOST_TOLD]
        others = [path.name for path in self.left_out if path not in told]
        notes = [f"left out: {self.left_out[path]}" for path in told]
        if others:
            notes.append(f"{len(others)} other files in {place} are left out: {', '.join(others[:_MOST_TOLD])}")
        return notes


def find_sources(path: Path, named: str | None = None) -> Sources:
    """A file, or the files of a folder that are of a known format, or of the format `named`.

    Raises DataError on a file of no known format and on a folder without annotation files, ConfigError on an unknown
    `named`.
    """
    if named is not None:
        format_named(named)
    if not path.is_dir():
        return Sources({path: named or format_of(path)})
    formats: dict[Path, str] = {}
    others: dict[Path, DataError | None] = {}
    files = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
    possible = [named] if named else [name for name, _ in FORMATS.usable()]
    for file in files:
        if not any(_name_fits(file, name) for name in possible):
            others[file] = None
            continue
        try:
            formats[file] = named or format_of(file)
        except DataError as error:
            others[file] = error
    if not formats:
        listed = ", ".join(file.name for file in files[:5]) + " ..." * (len(files) > 5)
        what = named or "of a known format"
        raise DataError(f"{path}: no file here that is {what}; it holds {listed or 'nothing'}")
    return Sources(formats, others)


def _name_fits(path: Path, fmt: str) -> bool:
    """Whether a file with this name could be of a format."""
    form = FORMATS[fmt]
    return path.name.lower().endswith(form.suffix.lower()) or path.suffix.lower() in form.also
