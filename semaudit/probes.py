"""The probes that there are, shipped or carried by plugins; and which of them a battery holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from semaudit.errors import ProbeError, did_you_mean
from semaudit.layout import ADVERSARIAL_FAMILY, NOISE_FLOOR_FAMILY, Layout, Track
from semaudit.perturbations import registered
from semaudit.perturbations.adversarial import SEARCHED
from semaudit.probe import Probe, carried, probe_of
from semaudit.probedir import probes_dir
from semaudit.probefile import read_probe_file

__all__ = [
    "Probe",
    "check_together",
    "entries",
    "layout_of",
    "load_probes",
    "no_such_probe",
    "probe_of",
    "probes_dir",
    "select_battery",
]


def load_probes(directory: Path | None = None) -> tuple[Probe, ...]:
    """Return the probes of a folder's YAML files, by file name, then those that plugins carry.

    `directory` is the shipped one unless given. Plugins are loaded first, by the caller.
    """
    folder = directory or probes_dir()
    probes = tuple(_all_probes(folder))
    if not probes:
        raise ProbeError(f"{folder}: holds no probe files (*.yaml)")
    check_together(probes)
    return probes


def check_together(probes: Sequence[Probe]) -> None:
    """Refuse probes whose names could mean two things: in a gate, or in a row of a report.

    Raises:
        ProbeError: with the place.
    """
    places: dict[str, str] = {}
    for probe in probes:
        if probe.name in places:
            raise ProbeError(
                f"{probe.place}: probe {probe.name!r} is already given by {places[probe.name]}"
            )
        if probe.family == NOISE_FLOOR_FAMILY and probe.perturbation != NOISE_FLOOR_FAMILY:
            raise ProbeError(
                f"{probe.place}: the family {NOISE_FLOOR_FAMILY!r} is the noise floor's alone"
            )
        if probe.searched and probe.perturbation not in SEARCHED:
            raise ProbeError(
                f"{probe.place}: in the family {ADVERSARIAL_FAMILY!r} the worst case is looked "
                f"for, of {', '.join(SEARCHED)} only: give the probe another family"
            )
        places[probe.name] = probe.place
    for probe in probes:
        others = [each.name for each in probes if each.family == probe.name and each != probe]
        if probe.name == "all" or others:
            clash = f"the family of {others[0]!r}" if others else "the whole battery"
            raise ProbeError(
                f"{probe.place}: the name {probe.name!r} already means {clash}; "
                "give the probe another name"
            )


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
    wanted, unwanted = entries(select, probes), entries(ignore, probes)
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


def layout_of(battery: Sequence[Probe]) -> Layout:
    """Return the columns that an audit under this battery has."""
    return Layout(tuple(Track(probe.name, probe.family, probe.ladder) for probe in battery))


def entries(given: Iterable[str], probes: Sequence[Probe]) -> list[str]:
    """Split entries of a selection at commas.

    Raises:
        ProbeError: one names no probe; it is a mistake, not an empty choice.
    """
    found = [entry.strip() for text in given for entry in text.split(",") if entry.strip()]
    for entry in found:
        if not any(_names(entry, probe) for probe in probes):
            known = {word for probe in probes for word in (probe.name, probe.family, *probe.tags)}
            raise ProbeError(
                f"no probe, family or tag matches {entry!r}{did_you_mean(entry, sorted(known))}"
            )
    return found


def no_such_probe(name: str, among: Sequence[Probe | Track]) -> str:
    """Why no probe is called so, and what to write: for where one probe's name is asked for."""
    members = [each.name for each in among if each.family == name]
    if members:
        return f"{name!r} is a family, not a probe; name one of its probes: {', '.join(members)}"
    names = [each.name for each in among]
    return f"no probe is called {name!r}{did_you_mean(name, names)}"


def _names(entry: str, probe: Probe) -> bool:
    tagged = entry in probe.tags and probe.family != NOISE_FLOOR_FAMILY
    return tagged or entry == probe.family or fnmatchcase(probe.name, entry)


def _at_pace(probe: Probe, hits: Sequence[str]) -> Probe:
    if probe.quick_ladder is None or set(hits) != {"quick"}:
        return probe
    return replace(probe, ladder=probe.quick_ladder)


def _all_probes(folder: Path) -> Iterator[Probe]:
    for file in sorted(folder.glob("*.yaml")):
        yield from _stated(file)
    for perturbation in registered().values():
        if perturbation.ladder is not None:
            yield carried(perturbation, perturbation.ladder)


def _stated(file: Path) -> Iterator[Probe]:
    """The probes of one YAML file."""
    stated, lines = read_probe_file(file)
    text = file.read_text(encoding="utf-8")
    for name, entry in stated.probes.items():
        yield probe_of(name, entry, stated.family, entry.claim or stated.claim, lines, file, text)
