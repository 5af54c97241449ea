"""What a repeated scan showed, in words and as JSON."""

from __future__ import annotations

import math
from typing import Any

from semaudit.figures import Difference
from semaudit.report.text import number
from semaudit.reproducing.held import Reproduced

SHOWN = 5


def lines(found: Reproduced) -> list[str]:
    """A line a finding; the last one is the verdict."""
    said = [f"otherwise this time: {each}" for each in found.circumstances]
    said += [f"{gate}: {before} then, {after} now" for gate, before, after in found.verdicts]
    said += [f"{each}: found by one of the two scans only" for each in found.findings]
    said += found.shown[:SHOWN]
    said += [_said(each) for each in (found.lost or found.differing)[:SHOWN]]
    said += [f"{each} is not the same to the last bit" for each in found.other_tables]
    total = f"{found.figures:,} figures"
    if found.bit_equal:
        return [*said, f"All {total} and all samples came back to the last bit."]
    if not found.exit_code:
        exact = found.figures - len(found.differing)
        rest = f", the others within {100 * found.tolerance:g} %" if found.differing else ""
        return [*said, f"All {total} came back: {exact:,} to the last bit{rest}."]
    counted = f"{len(found.lost):,} of {total}, {_counted(len(found.verdicts), 'verdict')}"
    rest = _counted(len(found.findings) + len(found.shown), "finding")
    return [*said, f"NOT reproduced: {counted} and {rest} differ."]


def as_json(found: Reproduced) -> dict[str, Any]:
    """The same, fit for JSON."""
    return {
        "outcome": "bit-equal"
        if found.bit_equal
        else "different"
        if found.exit_code
        else "within tolerance",
        "figures": found.figures,
        "tolerance": found.tolerance,
        "other_tables": list(found.other_tables),
        "differing": [
            {"figure": each.name, "before": each.before, "after": each.after}
            for each in found.differing
        ],
        "lost": len(found.lost),
        "verdicts": [
            {"gate": gate, "before": before, "after": after}
            for gate, before, after in found.verdicts
        ],
        "findings": list(found.findings),
        "shown": list(found.shown),
        "circumstances": list(found.circumstances),
    }


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'s' * (count != 1)}"


def _said(each: Difference) -> str:
    before, after = ("nothing" if v is None else number(v) for v in (each.before, each.after))
    off = "" if math.isinf(each.relative) else f", {100 * each.relative:.2g} % off"
    return f"{each.name} was {before} and is {after}{off}"
