"""Every rendering: chosen by its file's ending, opens old audits, says the same figures."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shutil
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from hostile_words import DATA, PAIRED, SAMPLE, markdown_tokens
from shared import Run

from semaudit.errors import UsageError
from semaudit.report import text
from semaudit.report.document import Against, Outcome, Report, Verdict
from semaudit.report.file import read_report
from semaudit.report.renderings import ENDINGS, RENDERINGS, check_outputs, of_file, write
from semaudit.values import Format

REPORT, HELD = (read_report(folder / "report.json") for folder in (SAMPLE, PAIRED))
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
@pytest.mark.parametrize(("report", "folder"), [(REPORT, SAMPLE), (HELD, PAIRED)], ids=["", "held"])
def test_a_kept_audit_still_renders(report: Report, folder: Path, name: str) -> None:
    shown = RENDERINGS[name].render(report, folder)
    assert "shift" in shown
    assert shown == RENDERINGS[name].render(report, folder)


@HTML
def test_a_kept_audit_s_pictures_are_shown() -> None:
    shown = RENDERINGS["html"].render(HELD, PAIRED)
    assert shown.count("data:image/webp;base64,") == 9
    assert "Since the baseline" in shown


def test_a_kept_audit_verifies(cli: Run) -> None:
    """The whole of it: hashes, figures, lists, verdicts against the baseline's kept file."""
    ended = cli("verify", str(PAIRED), "--baseline", str(DATA / "baseline.semaudit"))
    assert (ended.code, ended.stderr) == (0, "")
    assert "5 verdicts of report.json follow from the tables" in ended.stdout
    # Of the first there are no hashes, and all else follows.
    ended = cli("verify", str(SAMPLE))
    assert (ended.code, "4 verdicts of report.json follow" in ended.stdout) == (3, True)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (REPORT, [str(SAMPLE)]),
        (HELD, [str(PAIRED), "--baseline", str(DATA / "baseline.semaudit")]),
    ],
    ids=["", "held"],
)
def test_a_kept_audit_is_judged_as_it_was(report: Report, words: list[str], cli: Run) -> None:
    ended = cli("gate", *words, "--format", "json")
    assert ended.code == 1
    again = [Verdict.model_validate(each) for each in json.loads(ended.stdout)["verdicts"]]
    for before, now in zip(report.verdicts, again, strict=True):
        assert (now.gate, now.outcome) == (before.gate, before.outcome)
        assert text.estimated(now) == text.estimated(before)
    assert {each.outcome for each in again} == set(Outcome)


# One audit, the same figures to the digit.

BARE = r"\S+ \[[^\]\[]+, [^\]\[]+\]"
ESTIMATE = rf"{BARE}(?:: \S+ now, .*? in the baseline)?"


def _shown(of: Mapping[str, Any], against: Mapping[str, Any] | None) -> str:
    """Numbers at full precision, as a person reads them."""
    names = ("value", "low", "high")
    numbers = {key: None if of[key] in (None, "") else float(of[key]) for key in names}
    both = None
    if against is not None:
        both = Against(**{key: float(against[key]) for key in Against.model_fields})
    return text.estimated(REPORT.verdicts[0].model_copy(update={**numbers, "against": both}))


def _from_table(shown: str) -> dict[str, str]:
    """A column of a terminal breaks what is said after a difference."""
    rows = re.findall(rf"^ *(?:PASS|FAIL|INCONCLUSIVE) +(\S+) +({BARE})", shown, re.M)
    return dict(rows)


def _from_json(shown: str) -> dict[str, str]:
    return {v["gate"]: _shown(v, v["against"]) for v in json.loads(shown)["verdicts"]}


def _from_markdown(shown: str) -> dict[str, str]:
    table = shown.partition("## What broke")[0]
    cells = [cell.content for cell in markdown_tokens(table) if cell.type == "text"]
    gates = {verdict.gate for each in (REPORT, HELD) for verdict in each.verdicts}
    return {gate: said for gate, said in pairwise(cells) if gate in gates}


def _from_github(shown: str) -> dict[str, str]:
    gates = [re.escape(verdict.gate) for each in (REPORT, HELD) for verdict in each.verdicts]
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
    return {each["gate"]: _shown(each, each.get("against")) for each in gates}


def _from_csv(shown: str) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(shown))
    return {
        r["name"]: _shown(r, r if r["statistic"] == "difference" else None)
        for r in rows
        if r["scope"] == "gate"
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
@pytest.mark.parametrize("report", [REPORT, HELD], ids=["", "held"])
def test_every_gate_s_figures_are_the_document_s(report: Report, name: str) -> None:
    expected = {verdict.gate: text.estimated(verdict) for verdict in report.verdicts}
    assert len(expected) >= 4
    if name == "table":
        expected = {gate: said.partition(": ")[0] for gate, said in expected.items()}
    assert READERS[name](rendered(name, report)) == expected


@HTML
def test_html_holds_every_gate_s_figures() -> None:
    for report in (REPORT, HELD):
        shown = rendered("html", report).replace("\u00a0", " ")  # an interval stays on one line
        for verdict in report.verdicts:
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
