"""Tables with a header: rows by column name with their lines, whatever the mark between cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from keyseg.timeline import DataError
from keyseg.timeline.files import read_text

_MARKS = (",", "\t", ";")
_ABOVE = 30  # lines; some tools write facts about the file above the header
_LONGEST_HEADER = 100_000  # below what the csv module takes for one cell


@dataclass(frozen=True)
class Row:
    """Cells by column name, and where the row stands, `FILE:LINE`."""

    cells: dict[str, str]
    where: str

    def get(self, *columns: str) -> str:
        """The cell of the first of these columns that is there and filled, or an empty text."""
        return next((self.cells[name].strip() for name in columns if self.cells.get(name, "").strip()), "")

    def need(self, *columns: str) -> str:
        """As `get`. Raises DataError where there is none."""
        found = self.get(*columns)
        if not found:
            raise DataError(f"{self.where}: nothing in the column {columns[0]!r}")
        return found


def header(text: str) -> list[str]:
    """Names in the first line of a table, stripped; none where that is no line of a table."""
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    try:
        return [name.strip() for name in next(csv.reader([first[:_LONGEST_HEADER]], delimiter=_mark(first)), [])]
    except csv.Error:
        return []


def read_rows(path: Path, holds: str, is_header: Callable[[list[str]], bool], needs: str) -> Iterator[Row]:
    """Rows below the first line that `is_header` knows; `needs` tells which columns those are. Raises DataError."""
    lines = read_text(path, holds).split("\n")
    number = next((at for at, line in enumerate(lines[:_ABOVE]) if is_header(header(line))), None)
    if number is None:
        found = ", ".join(header(lines[0]))[:200] or "nothing"
        raise DataError(f"{path}:1: expected a header with {needs}, got {found}")
    names = header(lines[number])
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{path}:{number + 1}: the column {twice[0]!r} stands twice in the header")
    reader = csv.reader(lines_of(lines[number + 1 :]), delimiter=_mark(lines[number]))
    while True:
        first = number + 2 + reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path}:{first}: not a table ({error})") from error
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise DataError(f"{path}:{first}: expected {len(names)} cells as in the header, got {len(cells)}")
        yield Row(dict(zip(names, cells, strict=True)), f"{path}:{first}")


def lines_of(lines: Iterable[str]) -> Iterator[str]:
    """Lines with their ends, as the csv module wants them for cells that go over lines."""
    return (f"{line}\n" for line in lines)


def table_text(columns: Sequence[str], rows: Iterable[Iterable[object]], mark: str = ",") -> str:
    """A table with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=mark, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def _mark(line: str) -> str:
    """What stands between cells: the mark that occurs most often in the header."""
    return max(_MARKS, key=line.count)
