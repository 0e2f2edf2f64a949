"""Subtitles: WebVTT and SRT, one cue per interval."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.text import clock_seconds, clock_text, edges, interval, one_line
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import read_text

_ARROW = re.compile(r"\s*([\d:.,]+)[ \t]+-->[ \t]+([\d:.,]+)(?:[ \t].*)?")
_LIKE_TIMES = re.compile(
    r"\s*\d+:\d\d[\d:.,]*\s*(?:[-–—=]+>|[-–—]+\s*\d+:\d\d:\d\d)"
)  # what a damaged line of times still looks like
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
    if any(line.startswith("X-TIMESTAMP-MAP") for line in head):
        settings.note("its times are taken as they are, without the offset of X-TIMESTAMP-MAP")
    cues = [
        (number, block)
        for number, block in blocks
        if block[0].split()[0] not in _NOT_CUES or any("-->" in line for line in block)
    ]
    return _annotations(path, cues, lambda text: html.unescape(_VTT_TAG.sub("", text)), settings)


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
    blocks = list(_blocks(read_text(path, "SRT subtitles", settings.encoding)))
    return _annotations(path, blocks, _plain_srt, settings)


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


def _annotations(
    path: Path, blocks: Sequence[tuple[int, list[str]]], plain: Callable[[str], str], settings: ReadSettings
) -> list[Annotation]:
    """The cues of all blocks; those without a text are left out with a note."""
    numbered = any(_is_number(block[0]) for _, block in blocks)
    cues: list[Interval] = []
    empty: list[int] = []
    for number, block in blocks:
        for first, lines in _cues(path, number, block, numbered):
            times = _ARROW.fullmatch(lines[0])
            where = f"{path}:{first}"
            if not times:
                raise DataError(f"{where}: expected a cue's times, START --> END, got {lines[0][:80]!r}")
            start, end = (clock_seconds(time, where) for time in times.groups())
            label = plain(" ".join(line.strip() for line in lines[1:])).strip()
            if label:
                cues.append(interval(start, end, label, where))
            else:
                empty.append(first)
    if empty:
        some = ", ".join(map(str, empty[:10])) + " ..." * (len(empty) > 10)
        settings.note(f"{len(empty)} cue{'s' * (len(empty) > 1)} without a text left out, line {some}")
    return [Annotation(path.stem, tuple(cues), None, settings.fps)]


def _cues(path: Path, number: int, block: list[str], numbered: bool) -> Iterator[tuple[int, list[str]]]:
    """The cues of a block, each with the number of its first line: its times, and the lines of its text.

    Some programs leave no empty line between cues. Then a line before the times is the cue's number if cues have
    numbers in this file. Raises DataError on lines that could be both text and times, or text and the name of a cue.
    """
    begin = next((index for index, line in enumerate(block[:2]) if "-->" in line), 0)
    starts = [begin, *(index for index in range(begin + 1, len(block)) if _ARROW.fullmatch(block[index]))]
    if len(starts) > 1 and begin and not _is_number(block[0]):
        raise DataError(f"{path}:{number + starts[1]}: expected an empty line before a cue, since cues have names here")
    for start, after in pairwise([*starts, len(block)]):
        end = after - (after < len(block) and numbered and _is_number(block[after - 1]))
        odd = next((index for index in range(start + 1, end) if _LIKE_TIMES.match(block[index])), None)
        if odd is not None:
            raise DataError(f"{path}:{number + odd}: expected a cue's times, START --> END, got {block[odd][:80]!r}")
        yield number + start, block[start:end]


def _is_number(line: str) -> bool:
    return line.strip().isdecimal()
