"""Which inputs a command is about: files, folders, addresses and lists of them; and its share of them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from keyseg.data.input_names import input_name
from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.files import read_text


def listed(paths: Iterable[Path]) -> list[Path]:
    """The paths; instead of a file that ends in `.txt`, those in its lines, which are read as if they were typed.

    Raises DataError on a list that cannot be read or names nothing.
    """
    inputs: list[Path] = []
    for path in paths:
        if path.suffix.lower() != ".txt":
            inputs.append(path)
            continue
        lines = read_text(path, "one path or address per line").splitlines()
        named = [Path(line) for line in lines if line.strip()]
        if not named:
            raise DataError(f"{path}: the list is empty; write one path or address per line")
        inputs += named
    return inputs


def part_of(inputs: Iterable[Path], shard: str) -> list[Path]:
    """The inputs of the i-th of n parts, for the shard `i/n`. Raises ConfigError.

    The name of an input alone decides, so that each is in exactly one part even if the parts are processed at different
    times, on machines that have the folder under different paths, and files are added meanwhile: every n-th file would
    be another one after that. The price is parts of unequal size, by about the square root of it.

    >>> parts = [part_of([Path("a.mp4"), Path("b.mp4"), Path("c.mp4")], f"{i}/2") for i in (1, 2)]
    >>> sorted(path.name for part in parts for path in part)
    ['a.mp4', 'b.mp4', 'c.mp4']
    """
    part, _, parts = shard.partition("/")
    short = re.fullmatch(r"\d{1,9}/\d{1,9}", shard, re.ASCII)
    if not short or not 1 <= int(part) <= int(parts):
        raise ConfigError(f"--shard takes i/n with i from 1 to n, such as 2/4, got {shard[:40]!r}")
    return [path for path in inputs if _number(input_name(path)) % int(parts) == int(part) - 1]


def _number(name: str) -> int:
    """A number that is the same for a name on every machine, and for spellings that are one file on some of them."""
    spelled = unicodedata.normalize("NFC", name).casefold()
    return int.from_bytes(hashlib.sha256(spelled.encode(errors="surrogateescape")).digest()[:8], "big")
