"""Subtitles: WebVTT and SRT, one cue per interval."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.text import clock_seconds, clock_text, edges, interval, one_line
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import read_text

_ARROW = re.compile(r"\s*([\d:.,]+)[ \t]+-->[ \t]+([\d:.,]+)(?:[ \t].*)?")
_VTT_TAG = re.compile(r"<[^>]*>")
_SRT_TAG = re.compile(r"</?(?:i|b|u|s|font)(?:\s[^>]*)?>|\{\\[^}]*\}", re.IGNORECASE)
_plain_srt = partial(_SRT_TAG.sub, "")
_NOT_CUES = ("NOTE", "STYLE", "REGION")
looks_srt = re.compile(r"\s*\d+[ \t]*\n[\d:]+,\d+[ \t]+-->").match
looks_vtt = re.compile(r"WEBVTT(?:[ \t\n]|$)").match


def read_vtt(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video; notes, styles, regions, settings and tags are skipped. Raises DataError."""
    text = read_text(path, "WebVTT cues", settings.encoding)
    if not looks_vtt(text):
        raise DataError(f"{path}:1: expected WEBVTT in the first line, got {text[:40]!r}")
    (_, head), *blocks = _blocks(text)
    if any("-->" in line for line in head):
        raise DataError(f"{path}:1: expected an empty line between WEBVTT and the first cue")
    cues = [
        _cue(path, number, block, lambda text: html.unescape(_VTT_TAG.sub("", text)))
        for number, block in blocks
        if block[0].split()[0] not in _NOT_CUES or any("-->" in line for line in block)
    ]
    return [Annotation(path.stem, tuple(cues), None, settings.fps)]


def write_vtt(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One cue per interval; `&`, `<` and `>` are written as entities. Raises DataError, TimelineError."""
    (annotation,) = annotations
    cues = (
        f"\n{clock_text(start)} --> {clock_text(end)}\n{html.escape(one_line(label), quote=False)}\n"
        for start, end, label in edges(annotation, 3)
    )
    return "WEBVTT\n" + "".join(cues)


def read_srt(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video; formatting tags such as <i> are skipped. Raises DataError."""
    cues = [
        _cue(path, number, block, _plain_srt)
        for number, block in _blocks(read_text(path, "SRT subtitles", settings.encoding))
    ]
    return [Annotation(path.stem, tuple(cues), None, settings.fps)]


def write_srt(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One numbered cue per interval. Raises DataError on a label that would not be read back, TimelineError."""
    (annotation,) = annotations
    cues = []
    for number, (start, end, label) in enumerate(edges(annotation, 3), 1):
        if _plain_srt(one_line(label)) != label.strip() or "-->" in label:
            raise DataError(f"{annotation.video}: SRT cannot hold the label {label!r}; write vtt instead")
        times = f"{clock_text(start)} --> {clock_text(end)}".replace(".", ",")
        cues.append(f"{number}\n{times}\n{one_line(label)}\n")
    return "\n".join(cues)


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Blocks of lines between empty lines, each with the number of its first line."""
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _cue(path: Path, number: int, block: list[str], plain: Callable[[str], str]) -> Interval:
    """A block as an interval: an optional name or number, the times, and the label in all lines that follow."""
    at = next((index for index, line in enumerate(block[:2]) if "-->" in line), 0)
    where = f"{path}:{number + at}"
    times = _ARROW.fullmatch(block[at])
    if not times:
        raise DataError(f"{where}: expected a cue's times, START --> END, got {block[at][:80]!r}")
    label = plain(" ".join(line.strip() for line in block[at + 1 :]))
    return interval(clock_seconds(times[1], where), clock_seconds(times[2], where), label, where)
