"""The battery of a scan: chosen from the shipped probes, or by a file of the user's.

A battery file is YAML with these keys, none of them required::

    select: [standard, hue]            # tags, families, probes or globs; default: [standard]
    ignore: [geometric]
    ladders:                           # other strengths for probes that there are
      gaussian_noise: [0.01, 0.02]
    probes:                            # probes of one's own, which the battery always holds
      strong_haze:
        family: weather
        claim: Haze does not change what the picture shows.
        perturbation: haze
        ladder: [0.2, 0.4]             # share of white
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from semaudit.errors import ProbeError
from semaudit.perturbations import get
from semaudit.perturbations.registry import ladder_fault
from semaudit.probefile import Claim, Name, ProbeEntry, read_strictly, refuse_faults
from semaudit.probes import (
    Probe,
    check_together,
    entries,
    load_probes,
    no_such_probe,
    probe_of,
    select_battery,
)
from semaudit.yamlfile import KeyPath, line_of

STANDARD = ("standard",)

_Entries = Annotated[tuple[str, ...], Field(strict=False)]
_Ladder = Annotated[tuple[float, ...], Field(strict=False)]


class OwnProbe(ProbeEntry):
    """A probe that a battery file states: a probe file's entry with its family and claim."""

    family: Name
    claim: Claim


class BatteryFile(BaseModel):
    """What a battery file may hold."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    select: _Entries = STANDARD
    ignore: _Entries = ()
    ladders: dict[str, _Ladder] = {}
    probes: dict[Name, OwnProbe] = {}


@dataclass(frozen=True)
class Battery:
    """The probes that a scan runs.

    Attributes:
        probes: in order; the noise floor first, unless it is ignored.
        file: the battery file, if one chose them.
        text: its content.
        sha256: of its content.
        laddered: the probes to which it gives other ladders than their own.
        entries: what selected them, apart.
    """

    probes: tuple[Probe, ...]
    file: Path | None = None
    text: str | None = None
    sha256: str | None = None
    laddered: frozenset[str] = frozenset()
    entries: tuple[str, ...] = ()


def open_battery(
    file: Path | None = None,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
) -> Battery:
    """Return the battery that the settings ask for; plugins are loaded first, by the caller.

    Args:
        file: a battery file, or None for the shipped probes.
        select: entries as of `semaudit.probes.select_battery`, which pick within the file's
            battery; None takes all of it, or what is tagged ``standard`` where there is no file.
        ignore: entries to leave out.

    Raises:
        ProbeError: a mistake in the file, with its line, or an empty choice.
    """
    if file is None:
        named = STANDARD if select is None else select
        shipped = load_probes()
        chosen = select_battery(shipped, named, ignore)
        return Battery(chosen, entries=tuple(entries(named, shipped)))
    held = _read(file)
    named = [probe.name for probe in held.probes] if select is None else select
    chosen = select_battery(held.probes, named, ignore)
    also = () if select is None else entries(select, held.probes)
    return replace(held, probes=chosen, entries=(*held.entries, *also))


def _read(file: Path) -> Battery:
    """The battery that a file chooses, whole."""
    stated, lines = read_strictly(file, BatteryFile, OwnProbe)
    if not stated.model_fields_set:
        keys = ", ".join(BatteryFile.model_fields)
        raise ProbeError(f"{file}: chooses nothing; give one of the keys {keys}")
    text = file.read_text(encoding="utf-8")
    refuse_faults(stated.probes, lines, file)
    own = [
        probe_of(name, entry, entry.family, entry.claim, lines, file, text)
        for name, entry in stated.probes.items()
    ]
    known = (*load_probes(), *own)
    check_together(known)
    probes = _with_ladders(known, stated.ladders, lines, file)
    for key in ("select", "ignore"):
        _check_entries(getattr(stated, key), key, probes, lines, file)
    try:
        select = [*stated.select, *(probe.name for probe in own)]
        chosen = select_battery(probes, select, stated.ignore)
    except ProbeError as error:
        raise ProbeError(f"{file}: {error}") from error
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    laddered = frozenset(stated.ladders)
    return Battery(chosen, file, text, sha256, laddered, tuple(entries(stated.select, probes)))


def _with_ladders(
    probes: Sequence[Probe],
    ladders: Mapping[str, tuple[float, ...]],
    lines: Mapping[KeyPath, int],
    file: Path,
) -> tuple[Probe, ...]:
    """The probes, some of them along other ladders."""
    known = {probe.name: probe for probe in probes}
    for name, ladder in ladders.items():
        where = f"{file}:{line_of(lines, ('ladders', name))}"
        if name not in known:
            raise ProbeError(f"{where}: {no_such_probe(name, tuple(known.values()))}")
        fault = ladder_fault(ladder, get(known[name].perturbation).max_strength)
        if fault is not None:
            raise ProbeError(f"{where}: {name}: {fault}")
        # Whatever pace it is run at, it is along the strengths that the user gave.
        known[name] = replace(known[name], ladder=ladder, quick_ladder=None)
    return tuple(known.values())


def _check_entries(
    given: Iterable[str],
    key: str,
    probes: Sequence[Probe],
    lines: Mapping[KeyPath, int],
    file: Path,
) -> None:
    for position, entry in enumerate(given):
        try:
            entries([entry], probes)
        except ProbeError as error:
            raise ProbeError(f"{file}:{line_of(lines, (key, position))}: {error}") from error
