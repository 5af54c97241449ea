"""What is checked: all that a plugin registered, or what the probes of a battery use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from semaudit.contract.examining import Outcome, examine
from semaudit.contract.measured import examine_metric
from semaudit.errors import ProbeError
from semaudit.metrics import METRICS
from semaudit.perturbations import Perturbation, get
from semaudit.plugins import LoadedPlugin
from semaudit.probes import Probe, load_probes


@dataclass(frozen=True)
class Subject:
    """A perturbation and the ladder that the contract must hold along, by the probe's name."""

    name: str
    perturbation: Perturbation
    ladder: tuple[float, ...]


def examine_all(plugin: LoadedPlugin | None, battery: Sequence[Probe] | None) -> Iterator[Outcome]:
    """Yield how each clause stands for what a plugin registered, for a battery, or for both.

    Args:
        plugin: its perturbations are checked, and its metrics where there is no battery; None
            checks any.
        battery: the probes that were chosen; None checks all that the plugin registered, along
            the ladder of every probe that uses it.

    Raises:
        ProbeError: there is nothing to check.
    """
    names = None if plugin is None else plugin.perturbations
    for subject in _subjects(names, battery):
        yield from examine(subject.perturbation, subject.ladder, subject.name)
    if plugin is not None and battery is None:
        for metric in plugin.metrics:
            yield from examine_metric(METRICS[metric])


def _subjects(names: Collection[str] | None, battery: Sequence[Probe] | None) -> list[Subject]:
    found = [
        Subject(probe.name, get(probe.perturbation), probe.ladder)
        for probe in (load_probes() if battery is None else battery)
        if names is None or probe.perturbation in names
    ]
    if battery is None:
        used = {each.perturbation.name for each in found}
        lone = [name for name in names or () if name not in used]
        return [*found, *(Subject(name, get(name), fallback_ladder(get(name))) for name in lone)]
    if not found:
        raise ProbeError(
            "nothing to check: no probe that was chosen uses a perturbation of the plugin "
            f"({', '.join(names or ())})"
        )
    return found


def fallback_ladder(perturbation: Perturbation) -> tuple[float, ...]:
    """Return a quarter, a half and all of its largest strength: for one that no probe uses."""
    top = perturbation.max_strength
    return top / 4, top / 2, top
