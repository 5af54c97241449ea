"""A probe: the claim that a change keeps the meaning, as a file or a plugin states it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from semaudit.errors import ProbeError
from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.perturbations import Perturbation, get
from semaudit.probefile import ProbeEntry
from semaudit.yamlfile import KeyPath, line_of


@dataclass(frozen=True)
class Probe:
    """A claim: along this ladder of this perturbation the meaning stays the same.

    Attributes:
        name: unique over the battery.
        ladder: strictly rising strengths, each above 0; the clean image is implied.
        quick_ladder: the rungs of it that the tag ``quick`` runs, if it runs fewer.
        limit: the largest strength that keeps the meaning, by eye; None: nothing below the largest
            strength of the perturbation loses it.
        tags: ``full`` is on every probe, ``quick`` on each that has a quick ladder.
        source_text: the YAML file, or the plugin function, that states the claim.
        sha256: of `source_text`, so that ``sha256sum probes/noise.yaml`` checks it.
        unit: what the strengths are, as the comment on the ladder says it; empty if none does.
        place: file and line that state the claim, or the perturbation that carries it.
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
    limit: float | None = None
    unit: str = ""
    place: str = ""

    @property
    def searched(self) -> bool:
        """Whether a scan looks for the worst change, rather than drawing one."""
        return self.family == ADVERSARIAL_FAMILY

    @property
    def needs(self) -> tuple[str, ...]:
        """What pictures must have for the claim to mean anything, in words."""
        perturb = get(self.perturbation)
        channels = {None: "", 1: "1 channel", 3: "colour"}.get(
            perturb.channels, f"{perturb.channels} channels"
        )
        side = f"{perturb.smallest_side} px a side" if perturb.smallest_side > 1 else ""
        return tuple(each for each in (channels, side) if each)


def probe_of(
    name: str,
    entry: ProbeEntry,
    family: str,
    claim: str,
    lines: Mapping[KeyPath, int],
    file: Path,
    text: str,
) -> Probe:
    """Return the probe that an entry under ``probes`` of a file states.

    Args:
        name: its key.
        entry: its keys.
        family: the family that it is of.
        claim: what it claims.
        lines: the line of each key of the file.
        file: for messages.
        text: the file's content.
    """
    quick = {"quick"} if entry.quick_ladder else set()
    ladder = text.splitlines()[line_of(lines, ("probes", name, "ladder")) - 1]
    return Probe(
        name=name,
        family=family,
        claim=claim,
        perturbation=entry.perturbation,
        ladder=entry.ladder,
        quick_ladder=entry.quick_ladder,
        tags=frozenset({*entry.tags, *quick, "full"}),
        source_text=text,
        sha256=_sha256(text),
        limit=entry.limit,
        unit=ladder.partition("#")[2].strip(),
        place=f"{file}:{line_of(lines, ('probes', name))}",
    )


def carried(perturbation: Perturbation, ladder: tuple[float, ...]) -> Probe:
    """Return the probe that a perturbation with a ladder of its own makes.

    Raises:
        ProbeError: it says nothing that could be its claim.
    """
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
        place=f"perturbation {perturbation.name!r}",
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
