"""What is known of a probe, for the commands that show it: fit for JSON, and as rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from semaudit.calibration import CALIBRATION, recorded
from semaudit.errors import ProbeError
from semaudit.perturbations import get
from semaudit.probes import Probe, no_such_probe, probes_dir

LIST_HEADERS = ("probe", "tags", "ladder", "needs")

SHORT = 6
"""Ladders of more rungs are not written out in a list."""

_ORDER = {"quick": 0, "standard": 1, "full": 3}
_FIGURES = {"ssim": "SSIM", "rms": "RMS", "linf": "L∞", "gmsd": "GMSD", "displacement": "moved"}


def named(name: str, probes: Sequence[Probe]) -> Probe:
    """Return the probe of that name, or raise ProbeError naming the nearest."""
    known = {probe.name: probe for probe in probes}
    if name not in known:
        raise ProbeError(no_such_probe(name, probes))
    return known[name]


def summary(probe: Probe) -> dict[str, Any]:
    """What a list of probes tells of one."""
    return {
        "name": probe.name,
        "family": probe.family,
        "tags": _tags(probe),
        "ladder": list(probe.ladder),
        "needs": list(probe.needs),
    }


def card(probe: Probe) -> dict[str, Any]:
    """All that is known of a probe; ``calibration`` is None where none is on record."""
    perturb = get(probe.perturbation)
    on_record = (probes_dir() / CALIBRATION).is_file()
    record = recorded(probe.name) if on_record else None
    return {
        **summary(probe),
        "claim": probe.claim,
        "searched": probe.searched,
        "quick_ladder": list(probe.quick_ladder or ()) or None,
        "unit": probe.unit,
        "limit": probe.limit,
        "max_strength": perturb.max_strength,
        "differentiable": perturb.differentiable,
        "perturbation": perturb.name,
        "formula": perturb.doc,
        "stated": probe.place,
        "code": perturb.place,
        "sha256": probe.sha256,
        "calibration": None if record is None else asdict(record),
    }


def list_rows(probes: Sequence[Probe]) -> dict[str, list[tuple[str, str, str, str]]]:
    """By family, the cells under `LIST_HEADERS` of each of its probes."""
    rows: dict[str, list[tuple[str, str, str, str]]] = {}
    for probe in probes:
        rows.setdefault(probe.family, []).append(_list_row(probe))
    return rows


def _list_row(probe: Probe) -> tuple[str, str, str, str]:
    """A probe that is in other batteries too is in ``full`` without saying."""
    return (
        probe.name,
        " ".join(tag for tag in _tags(probe) if tag != "full") or "full",
        _ladder(probe.ladder),
        ", ".join(probe.needs) or "-",
    )


def facts(card: dict[str, Any]) -> list[tuple[str, str]]:
    """(name, text) of what a card tells beside the formula and the ladder."""
    largest = f"the formula ends at {card['max_strength']:g}"
    if card["limit"] is not None:
        largest = f"{card['limit']:g}, to keep the meaning; {largest}"
    found = [
        ("claim", card["claim"]),
        *(
            [("search", "a scan looks for the worst; previews draw one")]
            if card["searched"]
            else []
        ),
        ("tags", ", ".join(card["tags"])),
        ("needs", ", ".join(card["needs"]) or "nothing: any picture"),
        ("gradient", "flows through it" if card["differentiable"] else "none"),
        ("strongest", largest),
        ("stated in", card["stated"]),
        ("code", card["code"]),
    ]
    record = card["calibration"]
    if record is not None:
        found.append(("cost", f"{record['milliseconds']:.2g} ms a picture, as calibrated"))
    return found


def formula(card: dict[str, Any]) -> str:
    """The docstring with a line a paragraph, for a terminal to fold; indented lines stay."""
    paragraphs = (card["formula"] or "Not stated.").split("\n\n")
    return "\n\n".join(
        each if "\n " in f"\n{each}" else " ".join(each.splitlines()) for each in paragraphs
    )


def ladder(card: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows, one a rung, with how visible it is where that is on record."""
    headers = ["strength", "quick"]
    quick = card["quick_ladder"] or ()
    rows = [[f"{rung:g}", "yes" if rung in quick else "-"] for rung in card["ladder"]]
    record = card["calibration"]
    if record is None:
        return headers, rows
    measured = {each["strength"]: each for each in record["ladder"]}
    for row, rung in zip(rows, card["ladder"], strict=True):
        found = [measured.get(rung, {}).get(key) for key in _FIGURES]
        row += ["-" if figure is None else f"{figure:.3g}" for figure in found]
    return [*headers, *_FIGURES.values()], rows


def _ladder(ladder: Sequence[float]) -> str:
    """The strengths; of a long ladder the first and the last."""
    rungs = [f"{rung:g}" for rung in ladder]
    if len(rungs) <= SHORT:
        return " ".join(rungs)
    return f"{rungs[0]} ... {rungs[-1]} ({len(rungs)} rungs)"


def _tags(probe: Probe) -> list[str]:
    """From the smallest battery to the largest; tags of others in between."""
    return sorted(probe.tags, key=lambda tag: (_ORDER.get(tag, 2), tag))
