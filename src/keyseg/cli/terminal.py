"""What is printed, and where: standard streams that may be closed or know few letters, text that may hold anything."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from keyseg.timeline.printable import printable


class NobodyReadsError(Exception):
    """Nobody reads what is printed any more, as in `keyseg eval ... | head`; a verb ends without a word."""


def prepare_streams() -> None:
    """Replace standard streams that are closed, and make those of few letters print escapes for the others.

    On Windows, files and pipes get cp1252, which has few of the letters that labels may have.
    """
    for name in ("stdin", "stdout", "stderr"):  # in the order of their numbers, so that no file gets one of them
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "r+"), encoding="utf-8"))
        elif name != "stdin" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(text: object) -> None:
    """Print a result on stdout; of a line that is too long, the middle is left out."""
    _print("\n".join(printable(line) for line in str(text).split("\n")), sys.stdout)


def show_data(text: str) -> None:
    """Print what other programs read on stdout, as it is; escaped only on a terminal."""
    if sys.stdout.isatty():
        show(text.removesuffix("\n"))
    else:
        _print(text.removesuffix("\n"), sys.stdout)


def say(line: str) -> None:
    """Report what happens, on stderr. Only the first line starts at the margin, so that no name can pose as another."""
    _print(said(line), sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError as error:
        raise NobodyReadsError from error


def said(line: str) -> str:
    """A report as it is printed."""
    return printable(line.replace("\n", "\n  "))


def note(line: str) -> None:
    """Report what the user may not expect, on stderr."""
    say(f"note: {line}")


def say_failed(failed: Mapping[Path, str], inputs: int, out: Path | None = None, *, said_before: bool = False) -> int:
    """Report that some of the inputs failed, where the others are, and each with its reason, on stderr.

    said_before: whether each reason was reported as it came, so that the line before is that of a single input.
    Returns the exit code: 1, or 0 if none failed.
    """
    if not failed:
        return 0
    others = f"; the others are in {out}" if out is not None and len(failed) < inputs else ""
    say(f"{len(failed)} of {inputs} inputs failed{others}")
    if inputs > 1 or not said_before:
        for reason in failed.values():
            say(f"  {reason}")
    return 1


def last_words(line: str = "") -> bool:
    """Say a line and print what is still to be printed; False if stdout or stderr takes nothing more."""
    whole = True
    for stream, text in ((sys.stdout, ""), (sys.stderr, f"{said(line)}\n" if line else "")):
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            whole = False
            _silence(stream)
    return whole


def _silence(stream: object) -> None:
    """Let the rest of a stream go nowhere, so that Python does not complain about it at its end."""
    try:
        number = stream.fileno()  # type: ignore[attr-defined]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
    except (OSError, ValueError):
        pass
