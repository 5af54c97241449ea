"""Every rendering: chosen by its file's ending, opens old audits, says the same figures."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest
from hostile_words import SAMPLE, markdown_tokens
from shared import Run

from semaudit.errors import UsageError
from semaudit.report import text
from semaudit.report.document import Outcome, Report, Verdict
from semaudit.report.file import read_report
from semaudit.report.renderings import ENDINGS, RENDERINGS, check_outputs, of_file, write
from semaudit.values import Format

REPORT = read_report(SAMPLE / "report.json")
HTML = pytest.mark.skipif(
    importlib.util.find_spec("semaudit.report.html") is None, reason="no rendering as HTML"
)
NAMES = [pytest.param(name, marks=HTML if name == "html" else ()) for name in RENDERINGS]


def rendered(name: str, report: Report = REPORT) -> str:
    return RENDERINGS[name].render(report)


# The registry.


def test_the_settings_know_the_same_formats() -> None:
    assert get_args(Format) == tuple(RENDERINGS)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.json", "json"),
        ("a.md", "markdown"),
        ("results.junit.xml", "junit"),
        ("A.SARIF", "sarif"),
        ("a.sarif.json", "sarif"),
        ("a.csv", "csv"),
        ("a.html", "html"),
        ("a.txt", "table"),
    ],
)
def test_the_ending_says_the_format(file: str, name: str) -> None:
    assert of_file(Path(file)).name == name


def test_no_two_formats_share_an_ending() -> None:
    assert len(ENDINGS) == sum(len(each.endings) for each in RENDERINGS.values())


@pytest.mark.parametrize("name", ["a.pdf", "a", ".json.", "a.htm"])
def test_an_unknown_ending_is_a_usage_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"says no format.*one of \.txt, \.json, \.md, \.xml"):
        check_outputs([tmp_path / name], None, "table")


def test_what_cannot_be_written_is_said_before_any_work(tmp_path: Path) -> None:
    def refused(*names: str) -> str:
        with pytest.raises(UsageError) as error:
            check_outputs([tmp_path / name for name in names], tmp_path / "audit", "table")
        return str(error.value)

    (tmp_path / "folder.md").mkdir()
    assert "there is no folder" in refused("nowhere/a.md")
    assert "is a folder; name a file" in refused("folder.md")
    assert "is named twice" in refused("a.md", "./a.md")
    assert "is the audit's own file" in refused("audit/report.json")
    assert "there it has to be called report.csv" in refused("audit/mine.csv")
    # Its folder will be there when the scan has ended.
    check_outputs([tmp_path / "audit" / "report.csv"], tmp_path / "audit", "table")


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    first, second = tmp_path / "a.md", tmp_path / "b.pdf"
    with pytest.raises(UsageError):
        write(REPORT, [first, second])
    assert list(tmp_path.iterdir()) == []
    write(REPORT, [first, tmp_path / "b.csv"])
    assert first.read_bytes() == rendered("markdown").encode()
    assert (tmp_path / "b.csv").read_bytes() == rendered("csv").encode()


# Audits that people keep.


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_audit_still_renders(name: str) -> None:
    shown = RENDERINGS[name].render(REPORT, SAMPLE)
    assert "shift" in shown
    assert shown == RENDERINGS[name].render(REPORT, SAMPLE)


def test_a_kept_audit_is_judged_as_it_was(cli: Run) -> None:
    ended = cli("gate", str(SAMPLE), "--format", "json")
    assert ended.code == 1
    again = [Verdict.model_validate(each) for each in json.loads(ended.stdout)]
    for before, now in zip(REPORT.verdicts, again, strict=True):
        assert (now.gate, now.outcome) == (before.gate, before.outcome)
        assert text.estimated(now) == text.estimated(before)
    assert {each.outcome for each in again} == set(Outcome)


# One audit, the same figures to the digit.

ESTIMATE = r"\S+ \[[^\]\[]+, [^\]\[]+\]"


def _shown(value: object, low: object, high: object) -> str:
    """Numbers at full precision, as a person reads them."""
    ends = [float(str(each)) if each not in (None, "") else None for each in (value, low, high)]
    numbers = dict(zip(("value", "low", "high"), ends, strict=True))
    return text.estimated(REPORT.verdicts[0].model_copy(update=numbers))


def _from_table(shown: str) -> dict[str, str]:
    rows = re.findall(rf"^ *(?:PASS|FAIL|INCONCLUSIVE) +(\S+) +({ESTIMATE})", shown, re.M)
    return dict(rows)


def _from_json(shown: str) -> dict[str, str]:
    return {
        v["gate"]: _shown(v["value"], v["low"], v["high"]) for v in json.loads(shown)["verdicts"]
    }


def _from_markdown(shown: str) -> dict[str, str]:
    table = shown.partition("## What broke")[0]
    cells = [cell.content for cell in markdown_tokens(table) if cell.type == "text"]
    gates = {verdict.gate for verdict in REPORT.verdicts}
    return {gate: said for gate, said in pairwise(cells) if gate in gates}


def _from_github(shown: str) -> dict[str, str]:
    gates = [re.escape(verdict.gate) for verdict in REPORT.verdicts]
    found = re.findall(rf"({'|'.join(gates)})(?: [\w ]+::|: )({ESTIMATE})", shown)
    return dict(found)


def _from_junit(shown: str) -> dict[str, str]:
    root = ElementTree.fromstring(shown)
    return {
        case.attrib["name"]: str(case.findtext("system-out")).removeprefix("estimate ")
        for case in root.iter("testcase")
    }


def _from_sarif(shown: str) -> dict[str, str]:
    (run,) = json.loads(shown)["runs"]
    gates = run["properties"]["gates"]
    return {each["gate"]: _shown(each["value"], each["low"], each["high"]) for each in gates}


def _from_csv(shown: str) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(shown))
    return {
        r["name"]: _shown(r["value"], r["low"], r["high"]) for r in rows if r["scope"] == "gate"
    }


READERS: dict[str, Callable[[str], dict[str, str]]] = {
    "table": _from_table,
    "json": _from_json,
    "markdown": _from_markdown,
    "github": _from_github,
    "junit": _from_junit,
    "sarif": _from_sarif,
    "csv": _from_csv,
}


def test_every_format_but_html_is_read_back() -> None:
    """The HTML's own tests read its figures back."""
    assert {*READERS, "html"} == set(RENDERINGS)


@pytest.mark.parametrize("name", READERS)
def test_every_gate_s_figures_are_the_document_s(name: str) -> None:
    expected = {verdict.gate: text.estimated(verdict) for verdict in REPORT.verdicts}
    assert len(expected) == 4
    assert READERS[name](rendered(name)) == expected


@HTML
def test_html_holds_every_gate_s_figures() -> None:
    shown = rendered("html").replace("\u00a0", " ")  # an interval stays on one line
    for verdict in REPORT.verdicts:
        assert text.estimated(verdict) in shown


def test_numbers_for_programs_are_not_rounded() -> None:
    for name in ("json", "sarif", "csv"):
        shown = rendered(name)
        for verdict in REPORT.verdicts:
            assert repr(verdict.value) in shown
            assert repr(verdict.low) in shown


def test_a_copy_of_the_audit_is_not_needed(tmp_path: Path) -> None:
    """All but what is drawn comes from report.json alone."""
    shutil.copy(SAMPLE / "report.json", tmp_path)
    alone = read_report(tmp_path / "report.json")
    for name in READERS:
        assert rendered(name, alone) == RENDERINGS[name].render(REPORT, SAMPLE)
