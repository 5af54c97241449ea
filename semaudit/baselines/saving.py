"""Saves an audit as a baseline's file, small enough for a repository."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from semaudit.baselines.contents import CHECKSUM, checksum, slim_manifest, slim_report
from semaudit.baselines.opening import refuse_unfit
from semaudit.baselines.rounding import rounded
from semaudit.comparing.opening import Opened, opened
from semaudit.errors import UsageError, did_you_mean
from semaudit.files import appearing_file, check_file
from semaudit.folder import MANIFEST, REPORT, read_manifest, reading_manifest
from semaudit.metric import Level
from semaudit.report.document import Report
from semaudit.store import IMAGES, PATHS, SAMPLES, Samples

_WHOLE = ("flip", "correct")
"""Columns of zeros and ones, which runs pack better than bytes apart."""

_WHEN = (1980, 1, 1, 0, 0, 0)
"""What every member says it is of, so that the same audit makes the same file."""


def save(audit: Path, out: Path, metrics: Collection[str] = ()) -> int:
    """Write the file and return its size in bytes.

    Args:
        audit: the folder of a finished audit.
        out: the file.
        metrics: more to hold, by name, than every file does.

    Raises:
        UsageError: the file cannot be written, or a metric is not in the audit.
        AuditError: the audit cannot be read.
        GateError: it is of a kind that decides nothing.
    """
    if out.resolve().is_relative_to(audit.resolve()):
        raise UsageError(f"-o {out} would lie within the audit: name a file outside of {audit}")
    check_file(out)
    found = opened(audit)
    refuse_unfit(found)
    _check_known(metrics, found.report)
    report = slim_report(found.report, frozenset(metrics))
    with reading_manifest(audit / MANIFEST):
        manifest = slim_manifest(read_manifest(audit))
    members = {
        REPORT: report.model_dump_json().encode(),
        MANIFEST: json.dumps(manifest).encode(),
        **_tables(report, found),
    }
    members[CHECKSUM] = checksum(members).encode()
    with appearing_file(out) as work:
        with zipfile.ZipFile(work, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in members.items():
                archive.writestr(_info(name), content, compresslevel=9)
        return work.stat().st_size


def _check_known(metrics: Collection[str], report: Report) -> None:
    known = [each.name for each in report.metrics]
    for name in metrics:
        if name not in known:
            raise UsageError(
                f"--metric {name}: the audit measured none of that name"
                f"{did_you_mean(name, known)}: one of {', '.join(sorted(known))}"
            )


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _WHEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _tables(report: Report, found: Opened) -> dict[str, bytes]:
    samples = found.samples
    images: dict[str, Any] = {"image": pa.array(samples.image_ids(), pa.string())}
    for name in ("label", "clean_class"):
        images[name] = _classes(samples.image(name))
    tables: dict[str, dict[str, Any]] = {IMAGES: images, PATHS: {}, SAMPLES: {}}
    for each in report.metrics:
        table, read = _READERS[each.level]
        values = rounded(read(samples, each.column), each.metric.bounds)
        tables[table][each.column] = _floats(values)
    return {name: _parquet(columns) for name, columns in tables.items()}


_Reader = Callable[[Samples, str], NDArray[np.floating]]
_READERS: Mapping[Level, tuple[str, _Reader]] = {
    "image": (IMAGES, Samples.image),
    "path": (PATHS, Samples.path),
    "rung": (SAMPLES, Samples.rung),
}


def _floats(values: NDArray[np.floating]) -> pa.Array:
    return pa.array(values.ravel().astype(np.float32))


def _classes(values: NDArray[np.floating]) -> pa.Array:
    """Classes and labels; NaN, for none, becomes null."""
    whole = values.ravel().astype(np.float64)
    return pa.array(np.nan_to_num(whole).astype(np.int32), mask=np.isnan(whole))


def _parquet(columns: Mapping[str, pa.Array]) -> bytes:
    """One table; the bytes of a float lie apart, for those that were rounded away pack to none."""
    apart = [
        name
        for name, column in columns.items()
        if pa.types.is_floating(column.type) and name not in _WHOLE
    ]
    sink = io.BytesIO()
    pq.write_table(
        pa.table(dict(columns)),
        sink,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in columns if name not in apart],
        use_byte_stream_split=apart,
        write_statistics=False,
    )
    return sink.getvalue()
