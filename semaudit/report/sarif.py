"""What broke as SARIF 2.1.0, for code scanning: a result a gate and probe, never a picture."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from semaudit.report import text
from semaudit.report.breaking import broken_by
from semaudit.report.document import Interval, Report, Verdict
from semaudit.report.file import as_json
from semaudit.report.grading import Grade, by_grade, stops_as_degenerate

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Grade.FAILED: "error",
    Grade.UNJUDGED: "error",
    Grade.INCONCLUSIVE: "warning",
    Grade.ACCEPTED: "note",
}
_Object = dict[str, Any]


def to_sarif(report: Report, folder: Path | None = None, *, accepted: bool = False) -> str:
    """Return one run: a rule a gate's subject, a result a gate and probe that breaks it.

    Rules and fingerprints know a gate by its subject, not by its limit or a figure, so that a
    finding stays the same one from scan to scan.
    """
    rules = {_rule_id(verdict.gate): verdict for verdict in report.verdicts}
    results = [*_degenerate(report), *_results(report, accepted)]
    run = {
        "tool": {
            "driver": {
                "name": "semaudit",
                "version": report.semaudit,
                "rules": [
                    *(_rule(name, f"A limit on {name}.") for name in rules),
                    *([_rule("degenerate", _DEGENERATE)] if report.degenerate is not None else []),
                ],
            }
        },
        "automationDetails": {"id": f"semaudit/{_uri(report)}/"},
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": _plain(each)}}
                    for each in (*report.warnings, *text.doubts(report))
                ],
            }
        ],
        "results": results,
        "columnKind": "unicodeCodePoints",
        "properties": {
            "subject": _plain(text.subject(report)),
            "gates": [_judged(verdict) for verdict in report.verdicts],
        },
    }
    return as_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


_DEGENERATE = "The model's answers hardly depend on the picture, so that nothing can be judged."


def _rule(name: str, meaning: str) -> _Object:
    return {"id": name, "shortDescription": {"text": meaning}}


def _rule_id(gate: str) -> str:
    """What a gate limits, as ``flip_rate[noise]``: without the limit, which may be tightened.

    A limit against a baseline is another claim than one on the figure itself.
    """
    subject, *limit = re.split(r"[<>]=", gate, maxsplit=1)
    against = any("baseline" in each for each in limit)
    return _plain(subject.strip() + (" against a baseline" if against else ""))


def _judged(verdict: Verdict) -> _Object:
    return {
        "gate": _plain(verdict.gate),
        "outcome": verdict.outcome.value,
        **_numbers(verdict),
        **({} if verdict.against is None else {"against": verdict.against.model_dump()}),
        "reason": _plain(verdict.reason),
    }


def _numbers(each: Interval | Verdict) -> _Object:
    return {"value": each.value, "low": each.low, "high": each.high, "n": each.n}


def _results(report: Report, accepted: bool) -> Iterator[_Object]:
    for graded, verdict in by_grade(report, accepted=accepted):
        if graded is Grade.PASSED:
            continue
        said = f"{verdict.gate} {graded.value}: {text.estimated(verdict)}"
        whole = f"{said}; {verdict.reason}"
        broken = broken_by(report, verdict)
        if not broken:
            yield _result(report, verdict.gate, _LEVELS[graded], whole, verdict)
        for each in broken:
            message = f"{said}; {each.name} alone: {text.estimated(each)}"
            yield _result(report, verdict.gate, _LEVELS[graded], message, each, each.name)


def _degenerate(report: Report) -> Iterator[_Object]:
    if report.degenerate is not None:
        level = "error" if stops_as_degenerate(report) else "warning"
        yield _result(report, "degenerate", level, report.degenerate)


def _result(
    report: Report,
    gate: str,
    level: str,
    message: str,
    numbers: Interval | Verdict | None = None,
    probe: str | None = None,
) -> _Object:
    location: _Object = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(report)},
            "region": {"startLine": 1},  # code scanning shows nothing without
        }
    }
    if probe is not None:
        location["logicalLocations"] = [{"name": _plain(probe), "kind": "probe"}]
    # ``<=`` and ``>=`` on the same subject are two findings.
    known = (_rule_id(gate), "".join(re.findall(r"[<>]=", gate)[:1]), _plain(probe or ""))
    return {
        "ruleId": _rule_id(gate),
        "level": level,
        "message": {"text": _plain(message)},
        "locations": [location],
        "partialFingerprints": {
            "semaudit/v1": hashlib.sha256("\n".join(known).encode()).hexdigest()
        },
        "properties": {} if numbers is None else _numbers(numbers),
    }


def _uri(report: Report) -> str:
    """The model, as a relative address of one part: no scheme, no way out of the folder."""
    name = text.short(text.printable(report.model.name))
    return quote(name, safe="", errors="replace") if name.strip(".") else "model"


def _plain(content: str) -> str:
    """Text from outside: in a message, ``[text](address)`` would be a link."""
    return text.printable(content).replace("](", "] (")
