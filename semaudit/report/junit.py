"""The gates as JUnit XML, a case each, as CI services show test results."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from semaudit.report import text
from semaudit.report.breaking import broken_lines
from semaudit.report.document import Report, Verdict
from semaudit.report.grading import Grade, grades, stops_as_degenerate

_TAGS = {
    Grade.FAILED: "failure",
    Grade.INCONCLUSIVE: "failure",
    Grade.UNJUDGED: "error",
    Grade.ACCEPTED: "skipped",
}
"""What a case holds that did not pass: where the exit code is 1 and 4, 3, and 0."""
_NOT_XML = re.compile(r"[\ud800-\udfff\ufffe\uffff]")


def to_junit(report: Report, folder: Path | None = None, *, accepted: bool = False) -> str:
    """Return one suite; an inconclusive gate is a failure, or skipped where it is ``accepted``."""
    cases = [_case(report, *each) for each in grades(report, accepted=accepted)]
    if report.degenerate is not None:
        cases.append(_degenerate(report.degenerate, stops_as_degenerate(report)))
    found = Counter(each.tag for case in cases for each in case)
    counts = {
        "tests": str(len(cases)),
        "failures": str(found["failure"]),
        "errors": str(found["error"]),
    }
    root = ElementTree.Element("testsuites", {"name": "semaudit", **counts})
    name = _legal(text.subject(report))
    more = {"skipped": str(found["skipped"]), "time": "0"}
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts, **more})
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (("semaudit", report.semaudit), *text.headline(report)):
        ElementTree.SubElement(
            properties, "property", {"name": _legal(key), "value": _legal(value)}
        )
    suite.extend(cases)
    ElementTree.indent(root)
    # In ASCII: what is not becomes a reference, which no encoding can damage.
    written: bytes = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True)
    return written.decode("ascii").replace("##[", "#&#35;[") + "\n"


def _case(report: Report, graded: Grade, verdict: Verdict) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", {"name": _legal(verdict.gate), "classname": "semaudit.gates", "time": "0"}
    )
    said = text.estimated(verdict)
    if graded in _TAGS:
        said_why = {"message": _legal(f"{verdict.gate}: {said}; {verdict.reason}")}
        kind = {} if graded is Grade.ACCEPTED else {"type": graded.value}
        found = ElementTree.SubElement(case, _TAGS[graded], {**said_why, **kind})
        found.text = "\n".join(map(_legal, broken_lines(report, verdict)))
    ElementTree.SubElement(case, "system-out").text = f"estimate {said}"
    return case


def _degenerate(why: str, stops: bool) -> ElementTree.Element:
    """An error where the exit code says so, and else what a reader must not miss."""
    case = ElementTree.Element(
        "testcase", {"name": "the model is not degenerate", "classname": "semaudit", "time": "0"}
    )
    kind = {"type": "degenerate"} if stops else {}
    ElementTree.SubElement(case, "error" if stops else "skipped", {"message": _legal(why), **kind})
    return case


def _legal(content: str) -> str:
    """Text from outside, on one line and without characters that XML does not know."""
    return _NOT_XML.sub("�", text.printable(content))
