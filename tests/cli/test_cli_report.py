"""`semaudit report`, and -o and --format of scan and gate: files, standard output, a GitHub job."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from shared import REPO, Run

from semaudit.report.file import read_report
from semaudit.report.renderings import RENDERINGS

SAMPLE = REPO / "tests" / "data" / "sample_audit"
FORMATS = [name for name in RENDERINGS if name not in ("html", "table", "github")]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(SAMPLE, tmp_path / "audit")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_many_files_at_once(cli: Run, copy: Path, tmp_path: Path) -> None:
    files = [f"out{each.endings[0]}" for each in RENDERINGS.values() if each.endings]
    files.remove("out.html")
    ended = cli("report", str(copy), *(word for file in files for word in ("-o", file)))
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    assert names(tmp_path) == {"audit", *files}
    # An audit from before there were baselines: what it lacks is null now.
    assert read_report(tmp_path / "out.json") == read_report(copy / "report.json")


@pytest.mark.parametrize("form", FORMATS)
def test_standard_output(form: str, cli: Run, copy: Path) -> None:
    ended = cli("report", str(copy), "--format", form)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == RENDERINGS[form].render(read_report(copy / "report.json"))


def test_a_report_alone_and_a_table(cli: Run, copy: Path, tmp_path: Path) -> None:
    shutil.move(copy / "report.json", tmp_path / "kept.json")
    ended = cli("report", "kept.json")
    assert (ended.code, ended.stderr) == (0, "")
    assert "INCONCLUSIVE" in ended.stdout
    assert cli("report", str(copy)).code == 3


def test_both_a_file_and_standard_output(cli: Run, copy: Path, tmp_path: Path) -> None:
    ended = cli("report", str(copy), "-o", "a.md", "--format", "csv")
    assert ended.stdout.startswith("scope,name,metric,")
    assert (tmp_path / "a.md").is_file()


def test_what_is_accepted(cli: Run, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "semaudit.yaml").write_text("accept_inconclusive: true\n")
    by_flag = cli("report", str(copy), "--format", "junit", "--accept-inconclusive").stdout
    assert cli("report", str(copy), "--format", "junit").stdout == by_flag
    assert len(list(ElementTree.fromstring(by_flag).iter("skipped"))) == 2


@pytest.mark.parametrize("command", ["scan", "gate", "report"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "a.pdf"), "the ending '.pdf' says no format"),
        (("-o", "nowhere/a.md"), "there is no folder nowhere"),
        (("-o", "a.md", "-o", "a.md"), "is named twice"),
        (("--format", "nope"), "'nope' is wrong: it should be 'table', 'json', 'markdown', 'gith"),
    ],
)
def test_mistakes_are_said_before_anything_is_opened(
    command: str, words: tuple[str, ...], said: str, cli: Run, tmp_path: Path
) -> None:
    """The model, or the audit, is not even there."""
    ended = cli(command, "no-such-thing.pt", *words)
    assert (ended.code, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert names(tmp_path) == set()


def test_the_audit_s_own_files_are_kept(cli: Run, copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    for own in ("report.json", "report.md", "metrics.json"):
        for command in ("gate", "report"):
            ended = cli(command, str(copy), "-o", str(copy / own))
            assert (ended.code, "is the audit's own file" in ended.stderr) == (2, True)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


# What gate writes.


def test_gate_writes_what_it_judged(cli: Run, copy: Path, tmp_path: Path) -> None:
    words = ("--fail-on", "shift<=0.001", "--fail-on", "shift[noise]<=0.9")
    ended = cli("gate", str(copy), *words, "-o", "a.xml", "-o", "a.json", "--format", "markdown")
    assert (ended.code, ended.stderr) == (1, "")
    assert ended.stdout.startswith("## Gates")
    gates = [case.attrib["name"] for case in ElementTree.parse("a.xml").iter("testcase")]
    assert gates == ["shift<=0.001", "shift[noise]<=0.9"]
    written = read_report(tmp_path / "a.json")
    assert [each.gate for each in written.verdicts] == gates
    assert written.estimates == read_report(copy / "report.json").estimates


def test_gate_prints_whole_reports_for_programs(cli: Run, copy: Path) -> None:
    ended = cli("gate", str(copy), "--fail-on", "shift<=0.001", "--format", "sarif")
    assert ended.code == 1
    (run,) = json.loads(ended.stdout)["runs"]
    assert {each["ruleId"] for each in run["results"]} == {"shift"}


# What scan writes.


def test_scan_writes_renderings_even_where_a_gate_fails(
    cli: Run, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    words = ("--fail-on", "score>=99.999", "--out", "audit", "-o", "audit/report.xml", "-q")
    ended = cli(*tiny, *words, "-o", "a.csv")
    assert ended.code == 1
    assert names(tmp_path) == {"audit", "a.csv"}
    found = ElementTree.parse(tmp_path / "audit" / "report.xml")
    assert len(list(found.iter("failure"))) == 1
    figures = json.loads((tmp_path / "audit" / "metrics.json").read_text())
    assert figures["gates_fail"] == 1
    # Nor does the rendering keep the next scan from taking its audit's place.
    assert cli(*tiny, "--out", "audit", "-q").code == 0
    assert "report.xml" not in names(tmp_path / "audit")


# A GitHub job.


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a job's summary; the process believes to run in the job."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def test_a_table_in_a_job_is_annotated_and_cannot_command_it(
    cli: Run, copy: Path, summary: Path
) -> None:
    ended = cli("gate", str(copy))
    assert ended.code == 1
    first, *table, end, a, b, c, w, n = ended.stdout.splitlines()
    token = first.removeprefix("::stop-commands::")
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    assert end == f"::{token}::"
    assert any("INCONCLUSIVE" in line for line in table)
    kinds = [line.split()[0] for line in (a, b, c, w, n)]
    assert kinds == ["::error", "::error", "::error", "::warning", "::notice"]
    assert summary.read_text("utf-8").startswith("# semaudit: 1 of 4 gates failed")
    assert cli("gate", str(copy)).stdout.splitlines()[0] != first


def test_what_a_program_reads_stays_what_it_is_in_a_job(
    cli: Run, copy: Path, summary: Path
) -> None:
    ended = cli("gate", str(copy), "--format", "json")
    assert len(json.loads(ended.stdout)["verdicts"]) == 4
    assert ended.stderr.count("::error ") == 3
    assert summary.is_file()


def test_rendering_again_does_not_annotate_unless_asked(
    cli: Run, copy: Path, summary: Path
) -> None:
    assert "::error" not in cli("report", str(copy)).stdout
    assert not summary.exists()
    asked = cli("report", str(copy), "--format", "github").stdout.splitlines()
    assert len(asked) == 5
    assert summary.is_file()


def test_the_format_alone_annotates_outside_of_a_job(cli: Run, copy: Path) -> None:
    ended = cli("gate", str(copy), "--format", "github")
    assert ended.stdout.startswith("::error title=semaudit%3A shift<=0.02 failed::")
    assert ended.code == 1


def test_a_summary_that_cannot_be_written_hides_no_verdict(
    cli: Run, copy: Path, summary: Path
) -> None:
    summary.mkdir()
    ended = cli("gate", str(copy))
    assert ended.code == 1
    assert "the job's summary was not written" in ended.stderr


def test_no_torch_is_needed(process: Run) -> None:
    code = (
        "import sys\n"
        "from semaudit.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print({'torch', 'timm', 'pandas'} & sys.modules.keys() or 'none')\n"
    )
    words = ("report", str(SAMPLE), "-o", "a.md", "-o", "a.xml", "-o", "a.sarif", "-o", "a.csv")
    ended = process(*words, program=(sys.executable, "-c", code))
    assert (ended.code, ended.stdout, ended.stderr) == (0, "none\n", "")
