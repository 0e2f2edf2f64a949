"""Tables with a header, separated by commas, tabs or semicolons: rows by column name, with their lines."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
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
_EXCEL = re.compile(r'"?sep=.?"?\s*', re.IGNORECASE)  # a first line that tells Excel the separator
_NUMBER = re.compile(r"\s*[+-]?\d+(?:([.,])\d+)?\s*", re.ASCII)


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
    """Column names in the first line of a text, stripped; none if that is not a line of a table. A line `sep=;` does
    not count."""
    lines = text.split("\n", 2)
    first = lines[1] if _EXCEL.fullmatch(lines[0]) and len(lines) > 1 else lines[0]
    try:
        return [name.strip() for name in next(csv.reader([first[:_LONGEST_HEADER]], delimiter=_separator(first)), [])]
    except csv.Error:
        return []


def read_rows(
    path: Path, holds: str, is_header: Callable[[str], bool], needs: str, encoding: str | None = None
) -> Iterator[TableRow]:
    """Rows below the first line that `is_header` accepts; `needs` describes that line in errors.

    Where commas do not separate cells, a decimal comma in a number is read as a point. Raises DataError.
    """
    lines = read_text(path, holds, encoding).split("\n")
    number = next((at for at, line in enumerate(lines[:_ABOVE]) if is_header(line)), None)
    if number is None:
        first_line = ", ".join(header("\n".join(lines[:2])))[:200] or "nothing"
        raise DataError(f"{path}:1: expected a header with {needs}, got {first_line}")
    names = header(lines[number])
    twice = sorted(name for name, times in Counter(names).items() if name and times > 1)
    if twice:
        raise DataError(f"{path}:{number + 1}: duplicate column {twice[0]!r}")
    separator = _separator(lines[number])
    rows = list(_rows(path, lines, number + 1, len(names), separator))
    for column, name in enumerate(names if separator != "," else ()):
        _resolve_commas([(cells, where) for cells, where in rows if cells[column].strip()], column, name)
    for cells, where in rows:
        yield TableRow(dict(zip(names, cells, strict=True)), where)


def read_columns(path: Path, holds: str, columns: Sequence[str]) -> Iterator[tuple[dict[str, str], str]]:
    """Rows of a table with commas whose first line has these columns: their cells, empty ones too, and `FILE:LINE`.

    holds: what the file should hold. Raises DataError.
    """
    reader = csv.reader(io.StringIO(read_text(path, holds)))
    try:
        names = next(reader, [])
        if not set(columns) <= set(names):
            got = ", ".join(names)[:200] or "nothing"
            raise DataError(f"{path}:1: expected the columns {' and '.join(columns)}, got {got}")
        places = {name: names.index(name) for name in columns}
        for cells in filter(None, reader):
            row = {name: cells[at] if at < len(cells) else "" for name, at in places.items()}
            yield row, f"{path}:{reader.line_num}"
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not a table ({error}); it should hold {holds}") from error


def _rows(
    path: Path, lines: Sequence[str], below: int, columns: int, separator: str
) -> Iterator[tuple[list[str], str]]:
    """The cells of each row and its place. below: number of lines above the rows."""
    # The csv module wants line ends, for cells that span lines.
    reader = csv.reader([f"{line}\n" for line in lines[below:]], delimiter=separator)
    while True:
        first = below + 1 + reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path}:{first}: not a table ({error})") from error
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != columns:
            more = separator == "," and len(cells) > columns
            hint = "; are there decimal commas? Separate cells by ; then" if more else ""
            raise DataError(f"{path}:{first}: expected {columns} cells as in the header, got {len(cells)}{hint}")
        yield cells, f"{path}:{first}"


def _resolve_commas(filled: Sequence[tuple[list[str], str]], column: int, name: str) -> None:
    """Replace decimal commas by points in the filled cells of a column that begins with a number.

    Raises DataError where both occur, since a point may separate thousands then.
    """
    if not filled or not _NUMBER.fullmatch(filled[0][0][column]):
        return
    marks: set[str] = set()
    for cells, where in filled:
        match = _NUMBER.fullmatch(cells[column])
        marks |= {match[1]} if match and match[1] else set()
        if len(marks) > 1:
            raise DataError(f"{where}: {name}: decimal points and decimal commas in one column; write one of them")
        if match:
            cells[column] = cells[column].replace(",", ".")


def table_text(columns: Sequence[str], rows: Iterable[Iterable[object]], separator: str = ",") -> str:
    """A table with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def _separator(header_line: str) -> str:
    return max(_SEPARATORS, key=header_line.count)
