"""One probe file, read strictly: every mistake is a ProbeError with its line and nearest key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semaudit.errors import ProbeError, UsageError, did_you_mean
from semaudit.perturbations import get
from semaudit.perturbations.registry import ladder_fault
from semaudit.yamlfile import KeyPath, line_of, load_yaml

_Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
_Claim = Annotated[str, Field(min_length=1)]


class ProbeEntry(BaseModel):
    """One probe as a file states it; see `semaudit.probes.Probe` for the meaning."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    perturbation: str
    ladder: tuple[float, ...] = Field(strict=False)
    quick_ladder: tuple[float, ...] | None = Field(default=None, strict=False)
    tags: tuple[_Name, ...] = Field(default=(), strict=False)
    claim: _Claim | None = None


class ProbeFile(BaseModel):
    """One family: its claim and its probes by name."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    family: _Name
    claim: _Claim
    probes: Annotated[dict[_Name, ProbeEntry], Field(min_length=1)]


def read_probe_file(file: Path) -> tuple[ProbeFile, dict[str, int]]:
    """Return what the file states and the line of each probe, or raise ProbeError."""
    try:
        data, lines = load_yaml(file)
    except UsageError as error:
        raise ProbeError(str(error)) from error
    stated = _validated(data, lines, file)
    problems = [
        f"{file}:{line_of(lines, ('probes', name, key))}: {fault}"
        for name, entry in stated.probes.items()
        for key, fault in _faults(entry)
    ]
    if problems:
        raise ProbeError("\n".join(problems))
    return stated, {name: line_of(lines, ("probes", name)) for name in stated.probes}


def _validated(data: dict[str, Any], lines: Mapping[KeyPath, int], file: Path) -> ProbeFile:
    try:
        return ProbeFile.model_validate(data)
    except ValidationError as error:
        problems = (
            f"{file}:{line_of(lines, problem['loc'])}: {_say(problem['loc'], problem)}"
            for problem in error.errors()
        )
        raise ProbeError("\n".join(problems)) from error


def _say(place: Sequence[str | int], problem: Mapping[str, Any]) -> str:
    key = str(place[-1])
    if problem["type"] == "extra_forbidden":
        keys = (ProbeFile if len(place) == 1 else ProbeEntry).model_fields
        return f"unknown key {key!r}{did_you_mean(key, keys)}"
    if problem["type"] == "missing":
        return f"missing key {key!r}"
    return f"{'.'.join(map(str, place))}: {problem['msg']}, got {problem['input']!r}"


def _faults(entry: ProbeEntry) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong) for the mistakes that a type cannot show."""
    try:
        highest = get(entry.perturbation).max_strength
    except ProbeError as error:
        yield "perturbation", str(error)
        return
    if (fault := ladder_fault(entry.ladder, highest)) is not None:
        yield "ladder", fault
    if entry.quick_ladder is not None:
        if (fault := ladder_fault(entry.quick_ladder, highest)) is not None:
            yield "quick_ladder", f"quick_{fault}"
        if extra := sorted(set(entry.quick_ladder) - set(entry.ladder)):
            yield "quick_ladder", f"quick_ladder holds {extra}, which the ladder does not"
