"""JUnit XML: a case a gate, by the schema, red exactly where the exit code is not 0."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hostile import renamed
from hostile_words import SAMPLE, WORDS

from semaudit.gates import exit_code
from semaudit.report.document import Outcome, Report
from semaudit.report.file import read_report
from semaudit.report.junit import to_junit

REPORT = read_report(SAMPLE / "report.json")
SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def judged(*outcomes: Outcome, measured: bool = True, degenerate: str | None = None) -> Report:
    verdicts = [
        each.model_copy(update={"outcome": outcome, **({} if measured else {"value": None})})
        for each, outcome in zip(REPORT.verdicts, outcomes, strict=False)
    ]
    return REPORT.model_copy(update={"verdicts": verdicts, "degenerate": degenerate})


def suite(report: Report, *, accepted: bool = False) -> ElementTree.Element:
    written = to_junit(report, accepted=accepted)
    SCHEMA.validate(io.StringIO(written))
    (found,) = ElementTree.fromstring(written)
    assert int(found.attrib["tests"]) == len(found.findall("testcase"))
    for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(found.attrib[plural]) == len(found.findall(f"testcase/{tag}"))
    return found


def test_a_case_a_gate() -> None:
    found = suite(REPORT)
    cases = found.findall("testcase")
    assert [case.attrib["name"] for case in cases] == [each.gate for each in REPORT.verdicts]
    assert [[part.tag for part in case] for case in cases] == [
        ["system-out"],
        *[["failure", "system-out"]] * 3,
    ]
    assert [each.attrib["type"] for each in found.iter("failure")] == [
        *("failed", "inconclusive", "inconclusive")
    ]
    failed = found.find(".//failure")
    assert failed is not None
    assert failed.attrib["message"].startswith("shift<=0.02: 0.044 [0.030, 0.227]; ")
    assert str(failed.text).startswith("brightness: ")


def test_what_is_accepted_is_skipped() -> None:
    found = suite(REPORT, accepted=True)
    assert (found.attrib["failures"], found.attrib["skipped"]) == ("1", "2")


def test_a_degenerate_model_is_an_error() -> None:
    found = suite(judged(*[Outcome.INCONCLUSIVE] * 2, degenerate="all the same"), accepted=True)
    assert (found.attrib["errors"], found.attrib["skipped"]) == ("3", "0")
    assert found.findall("testcase")[-1].find("error[@message='all the same']") is not None


def test_a_degenerate_model_whose_gates_all_pass_is_no_error() -> None:
    """As of a limit on accuracy alone: the exit code is 0, and it is said all the same."""
    for report in (judged(Outcome.PASS, degenerate="all the same"), judged(degenerate="the same")):
        found = suite(report)
        assert (found.attrib["errors"], found.attrib["skipped"]) == ("0", "1")


def test_no_gates_no_cases() -> None:
    assert suite(judged()).attrib["tests"] == "0"


@pytest.mark.parametrize("outcomes", list(product(Outcome, repeat=2)))
@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("measured", [False, True])
@pytest.mark.parametrize("degenerate", [None, "all the same"])
def test_it_is_red_where_the_exit_code_says_so(
    outcomes: tuple[Outcome, ...], accepted: bool, measured: bool, degenerate: str | None
) -> None:
    report = judged(*outcomes, measured=measured, degenerate=degenerate)
    code = exit_code(
        report.verdicts,
        degenerate=degenerate is not None,
        accept_inconclusive=accepted,
        exit_zero=False,
    )
    found = suite(report, accepted=accepted)
    failures = [each.attrib["type"] for each in found.iter("failure")]
    errors = len(found.findall("testcase/error"))
    assert (code == 1) == ("failed" in failures)
    assert (code == 4) == (set(failures) == {"inconclusive"} and not errors)
    assert (code == 3) == (errors > 0 and "failed" not in failures)
    assert (code == 0) == (not failures and not errors)


@pytest.mark.parametrize("words", WORDS, ids=[ascii(each)[:24] for each in WORDS])
def test_hostile_words_keep_the_schema(words: str) -> None:
    suite(renamed(REPORT, words).model_copy(update={"degenerate": words}), accepted=True)
