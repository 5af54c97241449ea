"""What a GitHub job shows: few annotations, worst first, and a summary that GitHub takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import renamed
from hostile_words import SAMPLE

from semaudit.report.document import Outcome, Report
from semaudit.report.file import read_report
from semaudit.report.github import LONGEST, add_summary, to_github
from semaudit.report.markdown import MIB, to_markdown, to_markdown_within

REPORT = read_report(SAMPLE / "report.json")


def levels(report: Report, *, accepted: bool = False) -> list[str]:
    lines = to_github(report, accepted=accepted).splitlines()
    return [line.split()[0].strip(":") for line in lines]


def test_what_stops_the_job_comes_first_and_what_passed_last() -> None:
    lines = to_github(REPORT).splitlines()
    assert levels(REPORT) == ["error"] * 3 + ["warning", "notice"]
    assert lines[0].startswith("::error title=semaudit%3A shift<=0.02 failed::0.044 [0.030, 0.227]")
    assert "%0Abrightness: " in lines[0]
    assert lines[-1].endswith("%0Aaccuracy>=0.5: 0.917 [0.686, 0.994]")
    assert "gates: 1 fail, 2 inconclusive, 1 pass; 1 warning" in lines[-1]


def test_what_is_accepted_is_a_warning_and_a_degenerate_model_an_error() -> None:
    assert levels(REPORT, accepted=True) == ["error", *["warning"] * 3, "notice"]
    dull = REPORT.model_copy(update={"degenerate": "all the same"})
    assert levels(dull)[0] == "error"
    # Where nothing waits for it, the exit code is 0, and it is said all the same.
    assert levels(dull.model_copy(update={"verdicts": []})) == ["warning", "warning", "notice"]


def test_ten_annotations_at_most() -> None:
    many = REPORT.model_copy(update={"verdicts": REPORT.verdicts * 20})
    lines = to_github(many).splitlines()
    assert len(lines) == 10
    assert "53 more are in the job's summary" in lines[8]  # of 61
    assert levels(many) == [*["error"] * 8, "warning", "notice"]
    failing = [each for each in REPORT.verdicts if each.outcome is Outcome.FAIL]
    nine = REPORT.model_copy(update={"verdicts": failing * 9, "warnings": []})
    assert levels(nine) == [*["error"] * 9, "notice"]


def test_what_is_special_is_escaped() -> None:
    gate = REPORT.verdicts[1].model_copy(update={"gate": "a:b,c%d", "reason": "100 %\r\n::error::"})
    (line, *_) = to_github(REPORT.model_copy(update={"verdicts": [gate]})).splitlines()
    assert line.startswith("::error title=semaudit%3A a%3Ab%2Cc%25d failed::0.044 ")
    assert line.endswith("100 %25 ::error::")


def test_an_annotation_is_no_longer_than_github_takes() -> None:
    gate = REPORT.verdicts[1].model_copy(update={"reason": "x" * 100_000})
    (line, *_) = to_github(REPORT.model_copy(update={"verdicts": [gate]})).splitlines()
    assert len(line) < LONGEST + 100


def test_the_summary_is_appended(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    add_summary(REPORT, file)
    first = file.read_text("utf-8")
    assert first.rstrip() == to_markdown(REPORT).rstrip()
    add_summary(REPORT, file)
    assert file.read_text("utf-8") == first + first


def test_the_summary_never_grows_above_a_mebibyte(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    huge = renamed(REPORT, "<" * 4000)
    huge = huge.model_copy(update={"verdicts": huge.verdicts * 200})
    assert len(to_markdown(huge).encode()) > MIB
    for _ in range(3):
        add_summary(huge, file)
        assert file.stat().st_size <= MIB
    assert file.read_text("utf-8").startswith("# semaudit: ")
    file.write_bytes(b"x" * (MIB + 5))
    add_summary(REPORT, file)
    assert file.stat().st_size == MIB + 5


@pytest.mark.parametrize("most", [0, 40, 100, 500, 3000, 10_000])
def test_what_is_cut_keeps_whole_sections(most: int) -> None:
    whole, cut = to_markdown(REPORT), to_markdown_within(REPORT, most)
    assert len(cut.encode()) <= most
    kept = cut.partition("> What does not fit")[0]
    assert whole.startswith(kept.rstrip())
    assert kept.count("<details>") == kept.count("</details>")
    assert (kept.rstrip() == whole.rstrip()) == (most >= 10_000)
