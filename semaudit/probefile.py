"""Files of probes, read strictly: every mistake is a ProbeError with its line and nearest key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semaudit.errors import ProbeError, UsageError, did_you_mean
from semaudit.perturbations import get
from semaudit.perturbations.registry import ladder_fault
from semaudit.yamlfile import KeyPath, line_of, load_yaml

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
Claim = Annotated[str, Field(min_length=1)]
Whole = TypeVar("Whole", bound=BaseModel)


class ProbeEntry(BaseModel):
    """One probe as a file states it; see `semaudit.probes.Probe` for the meaning."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    perturbation: str
    ladder: tuple[float, ...] = Field(strict=False)
    quick_ladder: tuple[float, ...] | None = Field(default=None, strict=False)
    limit: float | None = None
    tags: tuple[Name, ...] = Field(default=(), strict=False)
    claim: Claim | None = None


class ProbeFile(BaseModel):
    """One family: its claim and its probes by name."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    family: Name
    claim: Claim
    probes: Annotated[dict[Name, ProbeEntry], Field(min_length=1)]


def read_probe_file(file: Path) -> tuple[ProbeFile, dict[KeyPath, int]]:
    """Return what the file states and the line of each key, or raise ProbeError."""
    stated, lines = read_strictly(file, ProbeFile, ProbeEntry)
    refuse_faults(stated.probes, lines, file)
    return stated, lines


def read_strictly(
    file: Path, whole: type[Whole], entry: type[BaseModel]
) -> tuple[Whole, dict[KeyPath, int]]:
    """Read a YAML file whose shape is ``whole``, with an ``entry`` at each key of its ``probes``.

    Returns:
        What it states, and the line of each key.

    Raises:
        ProbeError: all mistakes at once, a line each.
    """
    try:
        data, lines = load_yaml(file)
    except UsageError as error:
        raise ProbeError(str(error)) from error
    try:
        return whole.model_validate(data), lines
    except ValidationError as error:
        problems = (
            f"{file}:{line_of(lines, problem['loc'])}: {_say(problem, whole, entry)}"
            for problem in error.errors()
        )
        raise ProbeError("\n".join(problems)) from error


def refuse_faults(
    probes: Mapping[str, ProbeEntry], lines: Mapping[KeyPath, int], file: Path
) -> None:
    """Refuse probes that no perturbation or ladder could stand for.

    Raises:
        ProbeError: all mistakes at once, a line each.
    """
    problems = [
        f"{file}:{line_of(lines, ('probes', name, key))}: {fault}"
        for name, entry in probes.items()
        for key, fault in _faults(entry)
    ]
    if problems:
        raise ProbeError("\n".join(problems))


def _say(problem: Mapping[str, Any], whole: type[BaseModel], entry: type[BaseModel]) -> str:
    place: Sequence[str | int] = problem["loc"]
    key = str(place[-1])
    if problem["type"] == "extra_forbidden":
        keys = (whole if len(place) == 1 else entry).model_fields
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
    if entry.limit is not None and not max(entry.ladder, default=0.0) <= entry.limit <= highest:
        yield (
            "limit",
            f"limit {entry.limit:g} must lie between the ladder's end and the largest strength of "
            f"{entry.perturbation}, {highest:g}",
        )
    if (fault := ladder_fault(entry.ladder, highest)) is not None:
        yield "ladder", fault
    if entry.quick_ladder is not None:
        if (fault := ladder_fault(entry.quick_ladder, highest)) is not None:
            yield "quick_ladder", f"quick_{fault}"
        if extra := sorted(set(entry.quick_ladder) - set(entry.ladder)):
            yield "quick_ladder", f"quick_ladder holds {extra}, which the ladder does not"
