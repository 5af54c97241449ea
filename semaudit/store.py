"""The audit folder's tables: streamed to disk while the scan runs, read back column by column.

``samples.parquet`` has one row a picture, probe and rung, ``paths.parquet`` one a picture and
probe, ``images.parquet`` one a picture. Rows are picture-major, and every picture has the same
cells in the same order, so a column reshapes to (pictures, cells) without any join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from semaudit.errors import AuditError
from semaudit.layout import Layout

if TYPE_CHECKING:  # it brings torch, and reading an audit must not
    from semaudit.measure import Measures

IMAGES, PATHS, SAMPLES = "images.parquet", "paths.parquet", "samples.parquet"
_ROWS_A_GROUP = 16_384


class TableWriter:
    """Writes one Parquet file, a row group whenever enough rows have come together."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[pa.Table] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None

    def append(self, columns: dict[str, pa.Array]) -> None:
        """Add rows; all calls bring the same columns."""
        table = pa.table(columns)
        self._pending.append(table)
        self._rows += table.num_rows
        if self._rows >= _ROWS_A_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        if not self._pending:
            return
        table = pa.concat_tables(self._pending).unify_dictionaries().combine_chunks()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)
        self._pending, self._rows = [], 0

    def close(self) -> None:
        """Flush, and finish the file."""
        self.flush()
        if self._writer is not None:
            self._writer.close()


class SampleWriter:
    """Turns measures into rows of the three tables; a context manager."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self._layout = layout
        self._images = TableWriter(folder / IMAGES)
        self._paths = TableWriter(folder / PATHS)
        self._samples = TableWriter(folder / SAMPLES)
        self.pictures = 0

    def __enter__(self) -> SampleWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for table in (self._images, self._paths, self._samples):
            table.close()

    def append(
        self, image_ids: Sequence[str], labels: NDArray[np.int64], measures: Measures
    ) -> None:
        """Add what was measured of n images; labels (n,) are -1 for none."""
        self._images.append(_image_rows(image_ids, labels, measures))
        self._paths.append(self._path_rows(image_ids, measures))
        self._samples.append(self._sample_rows(image_ids, measures))
        self.pictures += len(image_ids)

    def _path_rows(self, image_ids: Sequence[str], measures: Measures) -> dict[str, pa.Array]:
        tracks = np.arange(len(self._layout.tracks))
        return {
            **self._keys(image_ids, tracks),
            **{name: _floats(values) for name, values in measures.paths.items()},
        }

    def _sample_rows(self, image_ids: Sequence[str], measures: Measures) -> dict[str, pa.Array]:
        n, cells = len(image_ids), self._layout.cells
        tracks = np.array([track for track, _ in cells])
        rungs = np.array([rung + 1 for _, rung in cells], dtype=np.int16)
        strengths = np.array([self._layout.tracks[t].ladder[k] for t, k in cells])
        return {
            **self._keys(image_ids, tracks),
            "rung": pa.array(np.tile(rungs, n)),
            "strength": pa.array(np.tile(strengths, n)),
            "clean_class": pa.array(np.repeat(measures.clean_classes, len(cells)), pa.int32()),
            "class": pa.array(measures.classes.ravel(), pa.int32()),
            **{name: _floats(values) for name, values in measures.rungs.items()},
        }

    def _keys(self, image_ids: Sequence[str], tracks: NDArray[np.int64]) -> dict[str, pa.Array]:
        n = len(image_ids)
        names = [track.name for track in self._layout.tracks]
        families = [track.family for track in self._layout.tracks]
        tiled = np.tile(tracks, n).astype(np.int32)
        images = np.repeat(np.arange(n, dtype=np.int32), len(tracks))
        return {
            "image": pa.DictionaryArray.from_arrays(images, list(image_ids)),
            "probe": pa.DictionaryArray.from_arrays(tiled, names),
            "family": pa.DictionaryArray.from_arrays(tiled, families),
        }


def _image_rows(
    image_ids: Sequence[str], labels: NDArray[np.int64], measures: Measures
) -> dict[str, pa.Array]:
    unlabelled = labels < 0
    correct = (measures.clean_classes == labels).astype(np.float32)
    return {
        "image": pa.array(image_ids, pa.string()),
        "label": pa.array(labels, pa.int32(), mask=unlabelled),
        "clean_class": pa.array(measures.clean_classes, pa.int32()),
        "correct": pa.array(correct, mask=unlabelled),
        **{name: _floats(values) for name, values in measures.images.items()},
    }


def _floats(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values.ravel().astype(np.float32))


@dataclass(frozen=True)
class Samples:
    """The tables of an audit folder, read a column at a time.

    Attributes:
        folder: where the tables are, or the file that held them.
        layout: of the battery.
        tables: their bytes by name, where they are not in a folder.
    """

    folder: Path
    layout: Layout
    tables: Mapping[str, bytes] | None = field(default=None, repr=False)

    def check(self, pictures: int) -> None:
        """Raise AuditError unless the tables are there and hold that many pictures."""
        tracks, cells = len(self.layout.tracks), len(self.layout.cells)
        for table, rows in ((IMAGES, 1), (PATHS, tracks), (SAMPLES, cells)):
            found = self._open(table).metadata.num_rows
            if found != pictures * rows:
                raise AuditError(
                    f"{self.folder / table} has {found:,} rows, and {pictures * rows:,} belong "
                    "to this report; scan again"
                )

    def image(self, column: str) -> NDArray[np.float64]:
        """(N,) one number a picture; NaN where there is none."""
        values = self._column(IMAGES, column)
        return np.asarray(values, dtype=np.float64)

    def image_ids(self) -> list[str]:
        """The N pictures, in the order of all rows."""
        table = self._read(IMAGES, "image")
        try:
            return [str(name) for name in table.column(0).to_pylist()]
        except UnicodeDecodeError as error:
            raise self._damaged(IMAGES, "its names are no UTF-8 text") from error

    def path(self, column: str) -> NDArray[np.float64]:
        """(N, P) one number a path."""
        values = self._column(PATHS, column)
        return np.asarray(values, dtype=np.float64).reshape(-1, len(self.layout.tracks))

    def rung(self, column: str) -> NDArray[np.floating]:
        """(N, C) one number a cell."""
        return self._column(SAMPLES, column).reshape(-1, len(self.layout.cells))

    def _column(self, table: str, column: str) -> NDArray[np.floating]:
        values = self._read(table, column).column(0)
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            raise self._damaged(table, f"its column {column!r} holds {values.type} and no numbers")
        if values.null_count:
            values = values.cast(pa.float64()).fill_null(np.nan)
        # Not to_numpy, which imports pandas: that takes as long as judging an audit.
        return np.concatenate([np.from_dlpack(chunk) for chunk in values.chunks])

    def _read(self, table: str, column: str) -> pa.Table:
        try:
            read = self._open(table).read(columns=[column])
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(table, error) from error
        if not read.num_columns:
            raise self._damaged(table, f"it has no column {column!r}")
        return read

    def _open(self, table: str) -> pq.ParquetFile:
        try:
            if self.tables is None:
                return pq.ParquetFile(self.folder / table)
            return pq.ParquetFile(pa.BufferReader(self.tables[table]))
        except (KeyError, OSError, pa.ArrowException) as error:
            raise self._damaged(table, error) from error

    def _damaged(self, table: str, reason: object) -> AuditError:
        path = self.folder / table
        return AuditError(f"{path} is missing or damaged ({reason}); scan again")
