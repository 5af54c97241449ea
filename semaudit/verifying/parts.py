"""Parts of an audit that follow from others: flips and worst pictures, and metrics.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from semaudit.errors import AuditError
from semaudit.figures import differences
from semaudit.files import read_text
from semaudit.folder import MANIFEST, METRICS, REPORT, reading_manifest
from semaudit.report.document import Report
from semaudit.report.flat import to_flat

SAME = 1e-6
"""Share by which a figure that is reckoned again may be off: another version of a library."""


def class_names(report: Report, manifest: Mapping[str, Any], audit: Path) -> list[str]:
    """The names of the classes: the manifest's, or of before it held them the report's own.

    Raises:
        AuditError: the manifest is damaged, or the report is.
    """
    with reading_manifest(audit / MANIFEST):
        kept = manifest["model"].get("class_names")
        if kept is not None:
            return [str(name) for name in kept]
    names = dict.fromkeys(range(report.model.num_classes), "")
    for flip in report.class_flips:
        names |= {flip.from_class: flip.from_name, flip.to_class: flip.to_name}
    for worst in report.worst:
        names |= {worst.clean_class: worst.clean_name, worst.to_class: worst.to_name}
    if len(names) > report.model.num_classes:
        raise AuditError(f"{audit / REPORT} is damaged: it speaks of classes that the model lacks")
    return list(names.values())


def unlike_tables(report: Report, again: Report) -> Iterator[str]:
    """The lists of a report that are not what the tables make them, a line each.

    Of estimates and curves what is no figure: an estimate that stands there twice is shown once,
    and how many pictures it rests on is counted.
    """
    one, other = (each.model_dump() for each in (report, again))
    estimates = ("score", "noise_floor", "clean", "estimates", "curves")
    for name, fields, compare in (
        ("the commonest flips", ("class_flips",), _alike),
        ("the worst pictures", ("worst",), _alike),
        ("the estimates", estimates, _alike_but_figures),
    ):
        if not all(compare(one[field], other[field]) for field in fields):
            yield f"report.json tells {name} otherwise than the tables"


def unlike_flat(report: Report, audit: Path) -> Iterator[str]:
    """What metrics.json says otherwise than report.json; audits of before it was written lack it.

    Keys that only one of the two semaudits knows are left alone, but for the counts of gates.
    """
    if not (audit / METRICS).exists():
        return
    try:
        kept: Any = json.loads(read_text(audit / METRICS, "scan again"))
    except ValueError as error:
        raise AuditError(f"{audit / METRICS} is damaged: it is not JSON") from error
    made = json.loads(to_flat(report))
    gates = {key for key in made if key.startswith("gates_")}
    if not isinstance(kept, dict) or not gates <= kept.keys():
        yield f"{METRICS} does not count the gates"
        return
    both = [{key: part[key] for key in made.keys() & kept.keys()} for part in (kept, made)]
    for each in differences(*both):
        if not each.within(SAME):
            yield f"{METRICS} says {each.name} otherwise than report.json"


def _alike_but_figures(one: Any, other: Any) -> bool:
    """Whether two parts are the same but for their figures, which are told one by one."""
    return _alike(_without_floats(one), _without_floats(other))


def _without_floats(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_floats(each) for key, each in part.items()}
    if isinstance(part, list):
        return [_without_floats(each) for each in part]
    return None if isinstance(part, float) else part


def _alike(one: Any, other: Any) -> bool:
    """Whether two parts of a document are the same but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=SAME, abs_tol=SAME)
    return bool(one == other)
