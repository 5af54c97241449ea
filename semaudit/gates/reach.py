"""Limits that no model could meet, or none could break."""

from __future__ import annotations

from semaudit.errors import GateError
from semaudit.gates.grammar import Gate


def check_possible(gate: Gate, limits: tuple[float, float]) -> None:
    """Refuse a limit out of the range of what it is on, and one that says nothing of it.

    Raises:
        GateError: with the range.
    """
    low, high = limits
    said = f"{_subject(gate)} lies in [{low:g}, {high:g}]"
    out_of_reach = gate.limit < low if gate.at_most else gate.limit > high
    if out_of_reach:
        raise GateError(f"impossible limit {gate.text!r}: {said}, so that no model could meet it")
    idle = gate.limit >= high if gate.at_most else gate.limit <= low
    if idle:
        raise GateError(f"idle limit {gate.text!r}: {said}, so that no model could break it")


def _subject(gate: Gate) -> str:
    """What a limit is a limit on."""
    if gate.factor is None:
        return gate.metric
    times = "" if gate.factor == 1 else f"{gate.factor:g} x "
    return f"{gate.metric} less {times}the baseline's"
