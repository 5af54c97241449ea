"""What two scans were told to do, held against each other: possible before both are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from semaudit.errors import AuditError
from semaudit.layout import ADVERSARIAL_FAMILY, NOISE_FLOOR_FAMILY
from semaudit.metric import Activation
from semaudit.report.document import Probed

NAMED = 3
"""How many pictures or probes of a kind a message names."""

HASH = 16
"""How many characters of a hash it shows."""


@dataclass(frozen=True)
class Plan:
    """What a scan was told to do, or is about to.

    Attributes:
        name: what messages call it.
        activation: what the outputs mean.
        num_classes: how many there are.
        seed: of the draws.
        battery: the probes.
        plugins: the hash of the file of each perturbation that a plugin brought.
        effort: how hard worst cases are looked for; None where none is.
    """

    name: str
    activation: Activation
    num_classes: int
    seed: int
    battery: Sequence[Probed]
    plugins: Mapping[str, str]
    effort: Mapping[str, Any] | None


def refuse(one: str, other: str, differences: Iterable[str]) -> None:
    """Make sure that nothing differs.

    Raises:
        AuditError: with all that differs, and both values of each.
    """
    found = list(differences)
    if found:
        lines = "\n".join(f"  {each}" for each in found)
        raise AuditError(
            f"{one} and {other} cannot be compared, for these differ:\n{lines}\n"
            "scan one of them again as the other was"
        )


def refuse_other_plan(one: Plan, other: Plan) -> None:
    """Make sure that two scans can be compared as far as that shows without their pictures.

    Raises:
        AuditError: they cannot, with all that differs and both values of each.
    """
    found = [*outputs(one, other), *seeds(one, other), *probes(one, other)]
    refuse(one.name, other.name, found)


def outputs(one: Plan, other: Plan) -> Iterator[str]:
    """What differs of what the models put out."""
    for what, first, second in (
        ("activation", one.activation, other.activation),
        ("classes", one.num_classes, other.num_classes),
    ):
        if first != second:
            yield f"{what}: {first} and {second}"


def seeds(one: Plan, other: Plan) -> Iterator[str]:
    """Whether the draws differ."""
    if one.seed != other.seed:
        yield f"seed: {one.seed} and {other.seed}"


def few(names: Sequence[str]) -> str:
    """Count names, and name the first."""
    if not names:
        return "none"
    more = ", ..." if len(names) > NAMED else ""
    return f"{len(names):,} ({', '.join(map(repr, names[:NAMED]))}{more})"


def probes(before: Plan, after: Plan) -> Iterator[str]:
    """What differs of the batteries, and of how worst cases are looked for."""
    one = {probe.name: probe for probe in before.battery}
    other = {probe.name: probe for probe in after.battery}
    only_one = [name for name in one if name not in other]
    only_other = [name for name in other if name not in one]
    if only_one or only_other:
        yield (
            f"probes: {_counted(before)} and {_counted(after)}, of which {few(only_one)} only in "
            f"{before.name} and {few(only_other)} only in {after.name}"
        )
    shared = [(one[name], other[name]) for name in one if name in other]
    for first, second in shared:
        yield from _probe(first, second)
    brought = {first.perturbation for first, _ in shared}
    for name in sorted(brought):
        hashes = [plan.plugins.get(name) for plan in (before, after)]
        if hashes[0] != hashes[1]:
            said = (each[:HASH] if each else "none" for each in hashes)
            yield f"plugin file of the perturbation {name}: {' and '.join(said)}"
    searched = any(first.family == ADVERSARIAL_FAMILY for first, _ in shared)
    if searched and before.effort != after.effort:
        yield f"search for worst cases: {_effort(before)} and {_effort(after)}"


def _counted(plan: Plan) -> int:
    """How many probes there are, without the noise floor, as every report counts them."""
    return sum(probe.family != NOISE_FLOOR_FAMILY for probe in plan.battery)


def _probe(first: Probed, second: Probed) -> Iterator[str]:
    ladders = [", ".join(f"{x:g}" for x in probe.ladder) for probe in (first, second)]
    for what, one, other in (
        ("family", first.family, second.family),
        ("perturbation", first.perturbation, second.perturbation),
        ("ladder", *ladders),
    ):
        if one != other:
            yield f"{what} of the probe {first.name}: {one} and {other}"


def _effort(plan: Plan) -> str:
    if plan.effort is None:
        return "none"
    return ", ".join(f"{name} {value}" for name, value in plan.effort.items())
