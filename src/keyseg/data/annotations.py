"""Frame labels on disk: one class name a line, or the field's two-line `recog` files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from keyseg.timeline import DataError


@dataclass(frozen=True)
class FrameLabels:
    """Class names, one a frame, and the line of the file that holds all of them (None: frame i is on line i + 1)."""

    names: list[str]
    single_line: int | None = None

    def line(self, frame: int) -> int:
        """Line number, from 1, on which the label of a frame stands."""
        return self.single_line or frame + 1


def read_text(path: Path, holds: str) -> str:
    """Read a UTF-8 text, with or without a byte order mark, any line ends.

    Raises DataError with the file, the reason and what it should hold.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("not a file")  # a pipe would be waited for
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise DataError(f"{path}: cannot read it ({reason}); it should hold {holds}, as UTF-8 text") from error


def read_frame_labels(path: Path) -> list[str]:
    """Class names, one a frame, (T,): one a line, or after a `### ... ###` line all on one line.

    Blank lines at the end are ignored; an empty file has no frames. Raises DataError with file and line.
    """
    return locate_frame_labels(path).names


def locate_frame_labels(path: Path) -> FrameLabels:
    """As `read_frame_labels`, with the place of each label in the file for messages."""
    text = read_text(path, "one class name a line")
    lines = text.rstrip().split("\n")
    if _is_comment(lines[0]):
        return _recog(path, lines)
    names = text.split()
    # Comparing whole lists runs at C speed, so files without stray blanks, nearly all, never see a Python loop.
    if names == lines or not names:
        return FrameLabels(names)
    for number, line in enumerate(lines, 1):
        if len(line.split()) != 1:
            raise DataError(f"{path}:{number}: expected one class name without blanks, got {line[:80]!r}")
    return FrameLabels(names)


def _is_comment(line: str) -> bool:
    # A class name has no blanks, so a class that starts with '#' is not taken for a comment.
    return line.startswith("#") and len(line.split()) > 1


def _recog(path: Path, lines: list[str]) -> FrameLabels:
    """Labels on the line after the last comment line (some tools write the score and the transcript before it)."""
    start = max(number for number, line in enumerate(lines) if _is_comment(line)) + 1
    filled = [number for number in range(start, len(lines)) if lines[number].strip()]
    if len(filled) > 1:
        raise DataError(
            f"{path}:{filled[1] + 1}: expected all labels on one line after the '#' line, got {lines[filled[1]][:80]!r}"
        )
    return FrameLabels(lines[filled[0]].split(), filled[0] + 1) if filled else FrameLabels([])


def write_frame_labels(path: Path, names: Iterable[str]) -> None:
    """Write class names, one a frame, one a line; the file appears whole or not at all.

    Raises DataError on a name that is empty or has blanks, since it could not be read back.
    """
    names = list(names)
    # Few distinct names stand for many frames, so only those are looked at.
    bad = {name for name in set(names) if name.split() != [name]}
    if bad:
        frame = next(i for i, name in enumerate(names) if name in bad)
        raise DataError(f"{path}: cannot write frame {frame}: a class name has no blanks, got {names[frame]!r}")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{name}\n" for name in names)
        os.replace(part, path)
    except OSError as error:
        raise DataError(f"{path}: cannot write the labels ({error})") from error
    finally:
        part.unlink(missing_ok=True)
