"""Inspects a finished audit: its worst pictures, or one, each under what moved it most."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from semaudit.asking import ask
from semaudit.errors import AuditError, ImageError
from semaudit.folder import REPORT, read_manifest
from semaudit.gradients import Ability
from semaudit.images import FolderSource, ImageSource, as_float
from semaudit.inspecting.breaking import break_of
from semaudit.inspecting.case import Case
from semaudit.inspecting.choose import Chosen, choose, probe_again
from semaudit.inspecting.reopen import (
    Given,
    as_recorded,
    open_again,
    open_plugins,
    require_pictures,
)
from semaudit.opening import open_data
from semaudit.report.document import Report
from semaudit.report.file import read_report
from semaudit.store import Samples
from semaudit.worst import CHEAP

Tell = Callable[[int, int], None]
"""Told how many cases are done, and of how many."""

SAME = 0.003
"""What may lie between sqrt(shift), which is a metric, and the same measured again."""

SEARCHED_SAME = 0.05
"""The same of a searched change: steps along signs of gradients carry rounding far."""

FLOORS = 5
"""How many noise floors, of sqrt(shift), may lie between in addition: reduced precision."""


@dataclass(frozen=True)
class Inspection:
    """What was looked into.

    Attributes:
        report: of the audit.
        cases: worst first.
        warnings: why they may not be the audit's.
    """

    report: Report
    cases: tuple[Case, ...]
    warnings: tuple[str, ...]


def inspect(
    audit: Path,
    *,
    picture: str | None = None,
    worst: int = 3,
    probe: str | None = None,
    given: Given | None = None,
    tell: Tell = lambda done, total: None,
) -> Inspection:
    """Look into the worst pictures of a finished audit, or into one.

    Args:
        audit: its folder.
        picture: the id of one picture; else the worst.
        worst: how many of them.
        probe: under which; else that which moved each most.
        given: what is named anew; whatever runs code has to be.
        tell: told how far it is.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    given = given or Given()
    if not audit.is_dir():
        if audit.exists():
            raise AuditError(f"{audit} is a file: name the folder of an audit")
        raise AuditError(f"there is no folder {audit}: name that of an audit")
    report = read_report(audit / REPORT)
    samples = Samples(audit, report.layout)
    samples.check(report.data.pictures)
    audited = as_recorded(read_manifest(audit), audit, given)
    chosen = choose(report, samples, picture, worst, probe)
    _, warnings = open_plugins(audited)
    probes = {each.probe: probe_again(report, audited, each.probe) for each in chosen}
    settings = audited.settings
    require_pictures(audit, report, settings)
    classifier, place = open_again(audit, report, audited)
    source = open_data(settings.data, settings, classifier)
    names = source.class_names or classifier.class_names.names
    pictures = _find(source, {each.image_id for each in chosen})
    wanting = settings.model_copy(update={"gradients": True})
    asked, _ = ask(wanting, classifier, tuple(probes.values()), None, audited.effort)
    cases: list[Case] = []
    for done, each in enumerate(chosen):
        tell(done, len(chosen))
        image = as_float(pictures[each.image_id], place.device)
        case = break_of(
            classifier,
            image,
            each.image_id,
            probes[each.probe],
            report.seed,
            label=each.label,
            names=names,
            effort=CHEAP if asked.hunt is None else asked.hunt.effort,
            ability=asked.ability or Ability(None),
            batch_size=min(place.batch_size, 32),
        )
        if case.flips:  # the figure that the tables print, whatever the arithmetic here
            case = replace(case, course=replace(case.course, onset=each.onset))
        cases.append(case)
        warnings += _differing(case, each, report)
    tell(len(chosen), len(chosen))
    return Inspection(report, tuple(cases), tuple(warnings))


def _find(source: ImageSource, wanted: Collection[str]) -> dict[str, Tensor]:
    """The pictures (1, c, h, w) of these ids; of files, no other is read.

    Raises:
        ImageError: one is not there any more, or cannot be read.
    """
    if isinstance(source, FolderSource):
        few = copy.copy(source.dataset)
        few.items = tuple(item for item in few.items if item.image_id in wanted)
        source = replace(source, dataset=few)
    found: dict[str, Tensor] = {}
    for batch in source.batches(8):
        for each in batch.unreadable:
            if isinstance(source, FolderSource):
                raise each.error()
        for row, image_id in enumerate(batch.image_ids):
            if image_id in wanted:
                found[image_id] = batch.images[row : row + 1]
        if len(found) == len(wanted):
            return found
    missing = sorted({*wanted} - {*found})
    raise ImageError(
        f"the picture {missing[0]!r} of the audit is not among those that are there now; say with "
        "--data where the audited ones are"
    )


def _differing(case: Case, chosen: Chosen, report: Report) -> list[str]:
    """A warning where the shifts are not those of the audit."""
    floor = 0.0 if report.noise_floor is None else max(0.0, report.noise_floor.value)
    allowed = (SEARCHED_SAME if case.searched else SAME) + FLOORS * math.sqrt(floor)
    here, there = (np.maximum(shifts, 0) for shifts in (case.rung_shifts, chosen.shifts))
    apart = np.abs(np.sqrt(here) - np.sqrt(there))
    if bool((apart <= allowed).all()):
        return []
    worst = int(np.nanargmax(apart))
    return [
        f"{case.image_id} under {case.probe.name} at {case.probe.ladder[worst]:g} shifts by "
        f"{here[worst]:.4g} here and by {there[worst]:.4g} in the audit: another model with the "
        "same weights, another device or precision, other pictures, or another version of a library"
    ]
