"""The calibration on record: what was measured, on what, and what each probe costs."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from semaudit import __version__
from semaudit.calibration.ladders import By, Proposal
from semaudit.calibration.meter import Distances
from semaudit.errors import ProbeError
from semaudit.probes import probes_dir

CALIBRATION = "calibration.json"
"""Beside the shipped probes; what ``semaudit probes calibrate -o`` writes."""


@dataclass(frozen=True)
class Recorded:
    """What was measured of one probe.

    Attributes:
        by: what its levels are of.
        reached: by level, the strength at which the pictures have it; None where none does.
        limited: whether the probe's limit made its proposed ladder smaller than the levels.
        ladder: the distances along the ladder that it had.
        proposed: the ladder at the levels.
        milliseconds: to change one picture at the last rung, the best of three.
    """

    by: By
    reached: dict[float, float | None]
    limited: bool
    ladder: tuple[Distances, ...]
    proposed: tuple[float, ...]
    milliseconds: float


@dataclass(frozen=True)
class Calibration:
    """One run of ``semaudit probes calibrate``.

    Attributes:
        semaudit: its version.
        data: what the pictures were called.
        pictures: how many there were.
        size: height and width of the pictures, pixels.
        fingerprint: of the pictures; hexadecimal.
        seed: of the draws.
        machine: what the milliseconds are of.
        probes: by name.
    """

    semaudit: str
    data: str
    pictures: int
    size: tuple[int, int]
    fingerprint: str
    seed: int
    machine: str
    probes: dict[str, Recorded]


_FILE, _DISTANCES = TypeAdapter(Calibration), TypeAdapter(Distances)


def calibration_of(
    found: Sequence[tuple[Proposal, float]],
    *,
    data: str,
    pictures: int,
    size: tuple[int, int],
    fingerprint: str,
    seed: int,
) -> Calibration:
    """Gather proposals and the milliseconds of each into what is written down."""
    probes = {
        each.probe.name: Recorded(
            by=each.by,
            reached={level: _short(at) for level, at in each.reached.items()},
            limited=each.limited,
            ladder=tuple(map(_rounded, each.now)),
            proposed=each.ladder,
            milliseconds=round(milliseconds, 3),
        )
        for each, milliseconds in found
    }
    return Calibration(__version__, data, pictures, size, fingerprint, seed, _machine(), probes)


def to_json(calibration: Calibration) -> str:
    """The text of the file."""
    return _FILE.dump_json(calibration, indent=1).decode() + "\n"


def read(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        ProbeError: it is not there, or not one.
    """
    try:
        return _FILE.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ProbeError(f"{path} is no calibration: {error}") from error


@cache
def _shipped() -> Calibration:
    return read(probes_dir() / CALIBRATION)


def recorded(name: str) -> Recorded | None:
    """Return what the shipped calibration says of a probe; None of one that it does not have."""
    return _shipped().probes.get(name)


def _machine() -> str:
    """What the milliseconds are of, without what would tell whose machine it is."""
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _rounded(distances: Distances) -> Distances:
    figures = {name: _short(value) for name, value in asdict(distances).items()}
    return _DISTANCES.validate_python(figures)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
