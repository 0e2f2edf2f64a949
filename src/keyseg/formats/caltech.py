"""Text files of the Caltech Behavior Annotator of Piotr's toolbox: streams of bouts, one label for every frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import as_background, known_rate, segmented
from keyseg.formats.text import choose_tier
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import read_text

_FIRST = "Caltech Behavior Annotator - Annotation File"
_KEYS = [chr(code) for code in range(33, 127)]  # that select a behaviour; each needs its own
_STREAM = re.compile(r"(S\d+):\s+start\s+end\s+type", re.IGNORECASE | re.ASCII)
_BOUT = re.compile(r"(\d{1,10})\s+(\d{1,10})\s+(\S+)", re.ASCII)
_OTHER = "other"  # frames of no behaviour, as the tool calls them
looks = re.compile(rf"\s*{_FIRST}", re.IGNORECASE).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the stream `settings.tier` (S1, S2), or the only one, or with `settings.per_subject` each of them.

    Frames count from 1, and a bout includes both ends. `other` and `background` are not actions. The video is called
    like the file, without `_annot`. Raises DataError with the line, ConfigError without a frame rate.
    """
    streams = _streams(path, settings.encoding)
    names = list(streams)
    if settings.tier or not settings.per_subject:
        index = choose_tier(path, "stream", names, settings.tier)
        names = [] if index is None else names[index : index + 1]
    if not names:
        raise DataError(f"{path}: no stream in it; save it with the annotator again")
    fps = known_rate(settings.fps, str(path))
    found = []
    for name in names:
        bouts = streams[name]
        intervals = tuple(Interval((first - 1) / fps, last / fps, label) for first, last, label in bouts)
        labels = {label for *_, label in bouts}
        idle = (_OTHER,) if settings.background is None and _OTHER in labels else as_background(settings, labels)
        length = max((last for _, last, _ in bouts), default=0) / fps
        track = name if settings.per_subject else ""
        found.append(Annotation(path.stem.removesuffix("_annot"), intervals, length, fps, idle, "", track))
    return found


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One stream, S1. Raises ConfigError without a rate, DataError on more classes than keys, TimelineError."""
    (annotation,) = annotations
    segmentation, labels, _ = segmented(annotation, settings)
    if len(labels) > len(_KEYS):
        raise DataError(f"{annotation.video}: this format has keys for {len(_KEYS)} classes, got {len(labels)}")
    keys = [f"{name} {key}" for name, key in zip(labels.names, _KEYS, strict=False)]
    bouts = [f"\t{s.start_frame + 1}\t{s.end_frame}\t{labels.names[s.label]}" for s in segmentation]
    head = [_FIRST, "", "Configuration file:", *keys, "", "S1: start\tend\ttype", "-----------------------------"]
    return "\n".join([*head, *bouts, ""])


def _streams(path: Path, encoding: str | None) -> dict[str, list[tuple[int, int, str]]]:
    """First frame, last frame and label of the bouts of each stream."""
    lines = read_text(path, "an annotation of the Caltech Behavior Annotator", encoding).split("\n")
    if not looks(lines[0]):
        raise DataError(f"{path}:1: expected {_FIRST!r}")
    streams: dict[str, list[tuple[int, int, str]]] = {}
    bouts: list[tuple[int, int, str]] | None = None
    for number, raw in enumerate(lines[1:], 2):
        line, where = raw.strip(), f"{path}:{number}"
        if match := _STREAM.fullmatch(line):
            if match[1] in streams:
                raise DataError(f"{where}: a second stream {match[1]}")
            bouts = streams.setdefault(match[1], [])
        elif bouts is None or not line or set(line) == {"-"}:
            continue  # the keys, which are not needed, and what is between the streams
        elif (match := _BOUT.fullmatch(line)) and 1 <= int(match[1]) <= int(match[2]):
            if bouts and int(match[1]) <= bouts[-1][1]:
                raise DataError(f"{where}: expected a start after frame {bouts[-1][1]}, got {match[1]}")
            bouts.append((int(match[1]), int(match[2]), match[3]))
        else:
            raise DataError(f"{where}: expected first frame, last frame and behaviour, got {line[:80]!r}")
    return streams
