"""A list of pictures and labels: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from semaudit.errors import ImageError, UsageError, did_you_mean
from semaudit.images.sources import splits
from semaudit.images.sources.folders import is_picture
from semaudit.images.sources.listing import Found
from semaudit.images.sources.origins import FileOrigin, shown
from semaudit.images.sources.tables import Table, read_table

PATH_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "class", "target", "category", "class_id", "label_id", "class_name", "wnid", "synset",
    "labels",
)  # fmt: skip
_SPLIT_COLUMN = "split"
_SHOWN = 3


@dataclass(frozen=True)
class Columns:
    """The columns of a list that are used; None where it has no such column."""

    path: str
    label: str | None
    split: str | None


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    path: str
    label: str


def find_in_list(
    data: Path,
    *,
    split: str | None,
    labels: bool,
    path_column: str | None = None,
    label_column: str | None = None,
) -> Found:
    """Find the pictures that a list names, in its order; paths are relative to its folder.

    Columns that are not named are guessed by their usual names. A list without a header has a
    path and perhaps a label in each row. Labels are wanted under ``labels`` and where there is a
    column for them.

    Raises:
        ImageError: the list cannot be read, a picture is not there or twice, a label is empty;
            names the first few lines.
        UsageError: no column can be told for the paths, a named column or the split is not there.
    """
    table = read_table(data, _is_header)
    columns = _columns(table, data, path_column, label_column)
    if not labels:
        columns = Columns(columns.path, None, columns.split)
    _refuse_doubled(table.header, columns, data)
    rows, notes = _rows(table, columns, data, split)
    if labels and label_column is None:
        notes += _rivals(table.header, columns)
    if labels and columns.label is None:
        notes += _unlabelled(table, columns, data)
    if not rows:
        raise ImageError(f"{data} lists no pictures")
    _check(rows, data, labelled=columns.label is not None)
    folder = str(data.parent)
    paths = [row.path for row in rows]
    return Found(
        names=_image_ids(paths, folder),
        origin=lambda index: FileOrigin(folder, paths[index]),
        labels=[row.label for row in rows] if columns.label else None,
        where=str(data),
        notes=notes,
    )


def _columns(table: Table, data: Path, path: str | None, label: str | None) -> Columns:
    if not table.header:
        if path or label:
            raise UsageError(f"{data} has no header, so it has no column {path or label!r}")
        return _headless(table)
    named = path or _guess(table.header, PATH_COLUMNS)
    if named is None:
        raise UsageError(
            f"{data} has the columns {_listed(table.header)}, and none is called "
            f"{', '.join(PATH_COLUMNS[:3])}, ...; name the column of the paths (--path-column)"
        )
    for column, flag in ((path, "--path-column"), (label, "--label-column")):
        if column is not None and column not in table.header:
            raise UsageError(
                f"{flag} {column}: {data} has the columns {_listed(table.header)}"
                f"{did_you_mean(column, table.header)}"
            )
    return Columns(
        named, label or _guess(table.header, LABEL_COLUMNS), _guess(table.header, (_SPLIT_COLUMN,))
    )


def _unlabelled(table: Table, columns: Columns, data: Path) -> tuple[str, ...]:
    """A note where a column might hold the labels under a name that is not usual."""
    others = [name for name in table.header if name not in {columns.path, columns.split}]
    if not others:
        return ()
    return (
        f"the pictures of {data} were taken as unlabelled: of its columns ({_listed(others)}) none "
        f"is called {', '.join(LABEL_COLUMNS[:3])}, ...; if one holds the labels, name it "
        "(--label-column)",
    )


def _guess(header: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the column with the most usual name."""
    return next(iter(_usual(header, usual)), None)


def _usual(header: Sequence[str], usual: Sequence[str]) -> list[str]:
    """The columns with usual names, the most usual first."""
    plain = {name: name.strip().casefold().replace(" ", "_") for name in header}
    return [name for wanted in usual for name in plain if plain[name] == wanted]


def _refuse_doubled(header: Sequence[str], columns: Columns, data: Path) -> None:
    """Refuse a column that is there twice: either could be meant.

    Raises:
        ImageError: naming it.
    """
    for column in (columns.path, columns.label, columns.split):
        if column is not None and header.count(column) > 1:
            raise ImageError(f"{data} has {header.count(column)} columns {column!r}; rename one")


def _rivals(header: Sequence[str], columns: Columns) -> tuple[str, ...]:
    """A note where another column could be that of the labels as well."""
    others = [name for name in _usual(header, LABEL_COLUMNS) if name != columns.label]
    if columns.label is None or not others:
        return ()
    return (
        f"labels are those of the column {columns.label}; {_listed(others)} could be meant too "
        "(--label-column)",
    )


def _is_header(cells: Sequence[str]) -> bool:
    return not any(map(is_picture, cells))


def _headless(table: Table) -> Columns:
    _, cells = next(table.rows([str(column) for column in range(table.width)]))
    path = next(column for column, cell in enumerate(cells) if is_picture(cell.strip()))
    return Columns(str(path), str(1 - path) if table.width > 1 else None, None)


def _rows(
    table: Table, columns: Columns, data: Path, split: str | None
) -> tuple[list[_Row], tuple[str, ...]]:
    wanted = [columns.path, columns.label, columns.split]
    cells = table.rows([column for column in wanted if column is not None])
    labelled = columns.label is not None
    parts: dict[str, list[_Row]] = {}
    for line, values in cells:
        part = values[-1].strip() if columns.split else ""
        # Interned: a million rows have a thousand labels.
        label = sys.intern(values[1].strip()) if labelled else ""
        parts.setdefault(part, []).append(_Row(line, values[0].strip(), label))
    if columns.split is None:
        if split is not None:
            raise UsageError(f"--split {split}: {data} has no column called {_SPLIT_COLUMN}")
        return parts.get("", []), ()
    if split is not None:
        return parts[splits.chosen(parts, split, str(data))], ()
    if len(parts) < 2:
        return next(iter(parts.values()), []), ()
    name, note = splits.default(parts, str(data))
    return parts[name], (note,)


def _check(rows: Sequence[_Row], data: Path, *, labelled: bool) -> None:
    folder = str(data.parent)
    _complain(data, "name no picture", (row for row in rows if not row.path))
    _complain(data, "have no label", (row for row in rows if labelled and not row.label))
    _complain(data, "name a picture again", _again(rows, folder))
    lost = (row for row in rows if not _is_file(os.path.join(folder, row.path)))  # noqa: PTH118
    _complain(data, "name a picture that is not there", lost, folder)


def _complain(data: Path, what: str, bad: Iterable[_Row], folder: str | None = None) -> None:
    found = list(bad)
    if not found:
        return
    lines = ", ".join(f"{row.line} ({shown(row.path)!r})" for row in found[:_SHOWN])
    more = ", ..." if len(found) > _SHOWN else ""
    hint = ""
    if folder is not None:
        hint = f"; paths are relative to {folder}" + _other_form(found[0].path, folder)
    raise ImageError(f"{data}: {len(found)} rows {what}: line {lines}{more}{hint}")


def _again(rows: Sequence[_Row], folder: str) -> Iterator[_Row]:
    seen: set[str] = set()
    for row, name in zip(rows, _image_ids([row.path for row in rows], folder), strict=True):
        if name in seen:
            yield row
        seen.add(name)


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)  # noqa: PTH113  # a Path object each is slow for a million
    except ValueError:  # a NUL in the name; Python 3.10 raises for lone surrogates, too
        return False


def _other_form(path: str, folder: str) -> str:
    """Say so when the file is there under another Unicode form of its name."""
    for form in ("NFC", "NFD"):
        other = unicodedata.normalize(form, path)
        if other != path and _is_file(os.path.join(folder, other)):  # noqa: PTH118
            return f"; there is one in the Unicode form {form}"
    return ""


def _image_ids(paths: Iterable[str], folder: str) -> list[str]:
    """Name each picture by its path below the folder of the list, where it is there."""
    root = os.path.join(os.path.abspath(folder), "")  # noqa: PTH100, PTH118
    plain = (os.path.normpath(path).removeprefix(root) for path in paths)
    return [name.replace(os.sep, "/") for name in plain]


def _listed(header: Sequence[str]) -> str:
    return ", ".join(shown(name) for name in header[:8]) + (", ..." if len(header) > 8 else "")


__all__ = ["LABEL_COLUMNS", "PATH_COLUMNS", "Columns", "find_in_list"]
