"""Rows of text from CSV, TSV, JSON lines and Parquet, with the lines that they stand in."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from semaudit.errors import ImageError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_SAMPLE = 1000  # lines of JSON in which columns are looked for

Rows = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        header: the names of the columns; empty when it has none, and they are "0", "1", ...
        width: the number of columns.
        rows: gives, for the names of some columns, the number of each line and its cells.
    """

    header: tuple[str, ...]
    width: int
    rows: Callable[[Sequence[str]], Rows]


def read_table(path: Path, is_header: Callable[[Sequence[str]], bool]) -> Table:
    """Open a table by its suffix; ``is_header`` tells whether the first row of a CSV is one.

    Raises:
        ImageError: it cannot be read. While rows are read, too.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in {".jsonl", ".ndjson"}:
        return _json_lines(path)
    return _csv(path, "\t" if suffix == ".tsv" else ",", is_header)


def _csv(path: Path, delimiter: str, is_header: Callable[[Sequence[str]], bool]) -> Table:
    _, first = next(_csv_rows(path, delimiter), (0, []))
    if not first:
        raise ImageError(f"{path} is empty")
    header = tuple(cell.strip() for cell in first)
    # Two cells that are no usual names are a picture and its label already.
    if len(header) <= 2 and not is_header(header):
        header = ()
    names = header or tuple(map(str, range(len(first))))

    def rows(columns: Sequence[str]) -> Rows:
        places = [names.index(column) for column in columns]
        body = _csv_rows(path, delimiter)
        if header:
            next(body)
        for line, cells in body:
            if len(cells) != len(names):
                raise ImageError(
                    f"{path}, line {line} has {len(cells)} cells, and the first line has "
                    f"{len(names)}; quote cells that hold {delimiter!r}"
                )
            yield line, [cells[place] for place in places]

    return Table(header, len(names), rows)


def _csv_rows(path: Path, delimiter: str) -> Rows:
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for cells in reader:
                # A row starts after the last line of the one before: cells may hold line ends.
                start, line = line + 1, reader.line_num
                if cells:
                    yield start, cells
    except UnicodeDecodeError as error:
        raise ImageError(f"{path} is not in UTF-8 after line {line}; save it so") from error
    except csv.Error as error:
        raise ImageError(f"{path} is no table after line {line}: {error}") from error
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from error


def _json_lines(path: Path) -> Table:
    header: dict[str, None] = {}
    for number, (_, record) in enumerate(_records(path)):
        header.update(dict.fromkeys(record))
        if number == _SAMPLE:
            break
    if not header:
        raise ImageError(f"{path} is empty")

    def rows(columns: Sequence[str]) -> Rows:
        for line, record in _records(path):
            yield line, [_cell(record.get(column)) for column in columns]

    return Table(tuple(header), len(header), rows)


def _records(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    line = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line, text in enumerate(file, start=1):
                if not text.strip():
                    continue
                record = json.loads(text)
                if not isinstance(record, dict):
                    raise ImageError(f"{path}, line {line} is no JSON object")
                yield line, record
    except UnicodeDecodeError as error:
        raise ImageError(f"{path} is not in UTF-8 after line {line}; save it so") from error
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{path}, line {line} is not JSON: {error}") from error
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from error


def _parquet(path: Path) -> Table:
    from pyarrow import ArrowException, parquet

    failures = (ArrowException, OSError, ValueError)
    try:
        schema = parquet.read_schema(path)
    except failures as error:
        raise ImageError(f"cannot read {path} as Parquet: {error}") from error

    def batches(columns: Sequence[str]) -> Iterator[list[list[object]]]:
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=list(dict.fromkeys(columns))):
                    yield [batch.column(column).to_pylist() for column in columns]
        except failures as error:
            raise ImageError(f"cannot read {path} as Parquet: {error}") from error

    def rows(columns: Sequence[str]) -> Rows:
        for column in columns:
            if str(schema.field(column).type).startswith(("struct", "binary", "list")):
                raise ImageError(
                    f"the column {column} of {path} holds the pictures themselves or several "
                    f"values; read it with --dataset hfds/{path.parent.as_posix()}"
                )
        cells = chain.from_iterable(zip(*parts, strict=True) for parts in batches(columns))
        return ((row, [*map(_cell, values)]) for row, values in enumerate(cells, start=1))

    return Table(tuple(schema.names), len(schema.names), rows)


def _cell(value: object) -> str:
    """Return a value as text; whole floats are labels that pandas widened beside a gap."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


__all__ = ["SUFFIXES", "Rows", "Table", "read_table"]
