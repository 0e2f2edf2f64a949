"""Tables with a header, separated by commas, tabs or semicolons: rows by column name, with their lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.formats.text import interval, seconds
from keyseg.timeline import DataError, Interval
from keyseg.timeline.files import read_text

_SEPARATORS = (",", "\t", ";")
_ABOVE = 30  # lines; some tools write facts about the file above the header
_LONGEST_HEADER = 100_000  # below the limit of the csv module for one cell


@dataclass(frozen=True)
class TableRow:
    """Cells by column name, and the place of the row, `FILE:LINE`."""

    cells: dict[str, str]
    where: str

    def get(self, *columns: str) -> str:
        """The cell of the first of these columns that is filled, or an empty string."""
        return next((self.cells[name].strip() for name in columns if self.cells.get(name, "").strip()), "")

    def need(self, column: str) -> str:
        """The cell of a column. Raises DataError if it is empty."""
        cell = self.get(column)
        if not cell:
            raise DataError(f"{self.where}: nothing in the column {column!r}")
        return cell

    def time(self, column: str) -> Fraction:
        """Exact seconds in a column. Raises DataError if they are missing or cannot be a time in a video."""
        return seconds(self.need(column), f"{self.where}: {column}")

    def interval(self, start: str, end: str, label: str) -> Interval:
        """The interval in these columns. Raises DataError."""
        return interval(self.time(start), self.time(end), self.need(label), self.where)


def header(text: str) -> list[str]:
    """Column names in the first line of a text, stripped; none if that is not a line of a table."""
    first = text.split("\n", 1)[0]
    try:
        return [name.strip() for name in next(csv.reader([first[:_LONGEST_HEADER]], delimiter=_separator(first)), [])]
    except csv.Error:
        return []


def read_rows(
    path: Path, holds: str, is_header: Callable[[str], bool], needs: str, encoding: str | None = None
) -> Iterator[TableRow]:
    """Rows below the first line that `is_header` accepts; `needs` describes that line in errors. Raises DataError."""
    lines = read_text(path, holds, encoding).split("\n")
    number = next((at for at, line in enumerate(lines[:_ABOVE]) if is_header(line)), None)
    if number is None:
        first_line = ", ".join(header(lines[0]))[:200] or "nothing"
        raise DataError(f"{path}:1: expected a header with {needs}, got {first_line}")
    names = header(lines[number])
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{path}:{number + 1}: duplicate column {twice[0]!r}")
    # The csv module wants line ends, for cells that span lines.
    reader = csv.reader([f"{line}\n" for line in lines[number + 1 :]], delimiter=_separator(lines[number]))
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
        yield TableRow(dict(zip(names, cells, strict=True)), f"{path}:{first}")


def table_text(columns: Sequence[str], rows: Iterable[Iterable[object]], separator: str = ",") -> str:
    """A table with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def _separator(header_line: str) -> str:
    return max(_SEPARATORS, key=header_line.count)
