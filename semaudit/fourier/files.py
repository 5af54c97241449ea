"""Writes a heat map: the picture, the figures as CSV, and what they depend on as JSON."""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

from semaudit.errors import UsageError
from semaudit.files import appearing_file, check_file
from semaudit.fourier.heatmap import HeatMap
from semaudit.fourier.picture import draw
from semaudit.plots import FORMATS
from semaudit.statistics.rates import Rate


def outputs(out: Path) -> tuple[Path, Path, Path]:
    """The picture, and the CSV and JSON files that stand beside it under its name.

    Raises:
        UsageError: ``out`` names no picture, or one of them cannot be written.
    """
    if out.suffix.lower() not in FORMATS:
        raise UsageError(f"-o {out}: name a picture ({', '.join(FORMATS)}), as fourier.png")
    files = (out, out.with_suffix(".csv"), out.with_suffix(".json"))
    for file in files:
        check_file(file)
    return files


def write(found: HeatMap, out: Path) -> tuple[Path, Path, Path]:
    """Write all three; they take their names together, at the end."""
    files = outputs(out)
    with ExitStack() as stack:
        picture, table, document = (stack.enter_context(appearing_file(file)) for file in files)
        draw(found, picture, out.suffix.lower().removeprefix("."))
        _write_table(found, table)
        document.write_text(json.dumps(_document(found), indent=1) + "\n", encoding="utf-8")
    return files


def _write_table(found: HeatMap, path: Path) -> None:
    """One row a wave; rates with their 95 % intervals (Clopper and Pearson), empty if unknown."""
    columns = (
        "cycles_down",
        "cycles_across",
        "shift",
        "flip_rate",
        "flip_rate_low",
        "flip_rate_high",
        "error_rate",
    )
    axis = found.waves.axis
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row, i in enumerate(axis):
            for column, j in enumerate(axis):
                flips: tuple[float | str, ...] = ("", "", "")
                if found.flip_rate is not None:
                    flips = _rate(float(found.flip_rate[row, column]), found.pictures)
                errors = "" if found.error_rate is None else float(found.error_rate[row, column])
                writer.writerow([i, j, float(found.shift[row, column]), *flips, errors])


def _rate(value: float, count: int) -> tuple[float, float, float]:
    rate = Rate(value=value, n=count, bounds=(0, 1), successes=round(value * count))
    return (value, *rate.interval())


def _whole_or_float(spacing: Fraction | int) -> float:
    return int(spacing) if spacing == int(spacing) else float(spacing)


def _document(found: HeatMap) -> dict[str, Any]:
    return {
        "waves": {
            "grid": found.waves.side,
            "spacing": _whole_or_float(found.waves.spacing),
            "cycles_per_picture": found.waves.axis,
            "norm": found.waves.norm,
            "rms": found.rms,
            "source": "Yin et al. 2019, A Fourier Perspective on Model Robustness in Computer "
            "Vision",
        },
        "mean": {
            "shift": float(found.shift.mean()),
            "flip_rate": None if found.flip_rate is None else float(found.flip_rate.mean()),
            "error_rate": None if found.error_rate is None else float(found.error_rate.mean()),
            "clean_error": found.clean_error,
        },
        "notes": list(found.notes),
        **found.record,
    }
