"""Probes: claims that a change keeps the meaning, from YAML or from a plugin; and batteries."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from semaudit.errors import ProbeError, did_you_mean
from semaudit.layout import NOISE_FLOOR_FAMILY, Layout, Track
from semaudit.perturbations import Perturbation, get, registered
from semaudit.probefile import read_probe_file


@dataclass(frozen=True)
class Probe:
    """A claim: along this ladder of this perturbation the meaning stays the same.

    Attributes:
        name: unique over the battery.
        ladder: strictly rising strengths, each above 0; the clean image is implied.
        quick_ladder: the rungs of it that the tag ``quick`` runs, if it runs fewer.
        tags: ``full`` is on every probe, ``quick`` on each that has a quick ladder.
        source_text: the YAML file, or the plugin function, that states the claim.
        sha256: of `source_text`, so that ``sha256sum probes/noise.yaml`` checks it.
    """

    name: str
    family: str
    claim: str
    perturbation: str
    ladder: tuple[float, ...]
    quick_ladder: tuple[float, ...] | None
    tags: frozenset[str]
    source_text: str
    sha256: str


def probes_dir() -> Path:
    """Return the folder of the shipped probes: in the wheel, or at the root of a checkout."""
    package = Path(__file__).parent
    for folder in (package / "_probes", package.parent / "probes"):
        if folder.is_dir():
            return folder
    raise ProbeError(
        f"no probes found in {package / '_probes'} or {package.parent / 'probes'}: "
        "install semaudit again"
    )


def load_probes(directory: Path | None = None) -> tuple[Probe, ...]:
    """Return the probes of a folder's YAML files, by file name, then those that plugins carry.

    `directory` is the shipped one unless given. Plugins are loaded first, by the caller.
    """
    folder = directory or probes_dir()
    places: dict[str, str] = {}
    probes: list[Probe] = []
    for place, probe in _all_probes(folder):
        if probe.name in places:
            raise ProbeError(
                f"{place}: probe {probe.name!r} is already given by {places[probe.name]}"
            )
        if probe.family == NOISE_FLOOR_FAMILY and probe.perturbation != NOISE_FLOOR_FAMILY:
            raise ProbeError(
                f"{place}: the family {NOISE_FLOOR_FAMILY!r} is the noise floor's alone"
            )
        places[probe.name] = place
        probes.append(probe)
    _check_names(probes, places)
    if not probes:
        raise ProbeError(f"{folder}: holds no probe files (*.yaml)")
    return tuple(probes)


def select_battery(
    probes: Sequence[Probe],
    select: Sequence[str] = ("standard",),
    ignore: Sequence[str] = (),
) -> tuple[Probe, ...]:
    """Return the probes that an entry of `select` names and none of `ignore` does, in their order.

    An entry is a tag, a family, a probe's name or a glob over names; commas separate several. A
    probe that only ``quick`` selects runs its quick ladder. The noise floor comes first unless it
    is ignored by name; tags do not move it.
    """
    wanted, unwanted = _entries(select, probes), _entries(ignore, probes)
    kept = [probe for probe in probes if not any(_names(entry, probe) for entry in unwanted)]
    floor = [probe for probe in kept if probe.family == NOISE_FLOOR_FAMILY]
    chosen = [
        _at_pace(probe, hits)
        for probe in kept
        if probe.family != NOISE_FLOOR_FAMILY
        and (hits := [entry for entry in wanted if _names(entry, probe)])
    ]
    alone = any(_names(entry, probe) for entry in wanted for probe in floor)
    if not chosen and not alone:
        raise ProbeError(
            f"the battery is empty: selecting {', '.join(wanted) or 'nothing'} and ignoring "
            f"{', '.join(unwanted) or 'nothing'} leaves no probe"
        )
    return (*floor, *chosen)


def applicable(
    battery: Sequence[Probe], channels: int
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the probes that mean something for images of so many channels, and notes on the rest.

    Raises:
        ProbeError: none but the noise floor does.
    """
    wrong = [p for p in battery if get(p.perturbation).channels not in (None, channels)]
    kept = tuple(probe for probe in battery if probe not in wrong)
    names = ", ".join(probe.name for probe in wrong)
    if wrong and all(probe.family == NOISE_FLOOR_FAMILY for probe in kept):
        raise ProbeError(f"the battery is empty: {names} mean nothing for {channels} channel(s)")
    note = f"left out, for they mean nothing for {channels} channel(s): {names}"
    return kept, (note,) if wrong else ()


def layout_of(battery: Sequence[Probe]) -> Layout:
    """Return the columns that an audit under this battery has."""
    return Layout(tuple(Track(probe.name, probe.family, probe.ladder) for probe in battery))


def _entries(given: Iterable[str], probes: Sequence[Probe]) -> list[str]:
    """Split at commas; an entry that names no probe is a mistake, not an empty choice."""
    entries = [entry.strip() for text in given for entry in text.split(",") if entry.strip()]
    for entry in entries:
        if not any(_names(entry, probe) for probe in probes):
            known = {word for probe in probes for word in (probe.name, probe.family, *probe.tags)}
            raise ProbeError(
                f"no probe, family or tag matches {entry!r}{did_you_mean(entry, sorted(known))}"
            )
    return entries


def _names(entry: str, probe: Probe) -> bool:
    tagged = entry in probe.tags and probe.family != NOISE_FLOOR_FAMILY
    return tagged or entry == probe.family or fnmatchcase(probe.name, entry)


def _at_pace(probe: Probe, hits: Sequence[str]) -> Probe:
    if probe.quick_ladder is None or set(hits) != {"quick"}:
        return probe
    return replace(probe, ladder=probe.quick_ladder)


def _check_names(probes: Sequence[Probe], places: Mapping[str, str]) -> None:
    """A gate or a row of a report must not be able to mean two things."""
    for probe in probes:
        others = [each.name for each in probes if each.family == probe.name and each != probe]
        if probe.name == "all" or others:
            clash = f"the family of {others[0]!r}" if others else "the whole battery"
            raise ProbeError(
                f"{places[probe.name]}: the name {probe.name!r} already means {clash}; "
                "give the probe another name"
            )


def _all_probes(folder: Path) -> Iterator[tuple[str, Probe]]:
    """Yield each probe with the place that gives it, for error messages."""
    for file in sorted(folder.glob("*.yaml")):
        yield from _stated(file)
    for perturbation in registered().values():
        if perturbation.ladder is not None:
            where = f"perturbation {perturbation.name!r}"
            yield where, _carried(perturbation, perturbation.ladder)


def _stated(file: Path) -> Iterator[tuple[str, Probe]]:
    """The probes of one YAML file."""
    stated, lines = read_probe_file(file)
    text = file.read_text(encoding="utf-8")
    for name, entry in stated.probes.items():
        quick = {"quick"} if entry.quick_ladder else set()
        probe = Probe(
            name=name,
            family=stated.family,
            claim=entry.claim or stated.claim,
            perturbation=entry.perturbation,
            ladder=entry.ladder,
            quick_ladder=entry.quick_ladder,
            tags=frozenset({*entry.tags, *quick, "full"}),
            source_text=text,
            sha256=_sha256(text),
        )
        yield f"{file}:{lines[name]}", probe


def _carried(perturbation: Perturbation, ladder: tuple[float, ...]) -> Probe:
    """The probe that a perturbation with a ladder of its own makes."""
    if not perturbation.doc:
        raise ProbeError(
            f"perturbation {perturbation.name!r} carries a ladder but no docstring: "
            "its first line is the probe's claim"
        )
    try:
        text = inspect.getsource(perturbation.function)
    except (OSError, TypeError):  # made at a prompt, or not a plain function
        text = perturbation.doc
    return Probe(
        name=perturbation.name,
        family=perturbation.family,
        claim=perturbation.doc.splitlines()[0],
        perturbation=perturbation.name,
        ladder=ladder,
        quick_ladder=None,
        tags=frozenset({*perturbation.tags, "full"}),
        source_text=text,
        sha256=_sha256(text),
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
