"""Numbers, curves and names as text; Markdown and the terminal with hostile names."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from semaudit.report import text
from semaudit.report.document import Outcome, Report, Verdict
from semaudit.report.file import read_report
from semaudit.report.markdown import to_markdown, verdicts_to_markdown
from semaudit.report.terminal import print_report, print_verdicts

HOSTILE = (
    "a|b <script>alert(1)</script> `x` [red]y[/red] *z*\n# h1\x1b[31m\x1b]0;t\x07 \u202egnp.exe"
)


@pytest.fixture(scope="module")
def report(audited: Path) -> Report:
    return read_report(audited / "report.json")


@pytest.fixture(scope="module")
def hostile(report: Report) -> Report:
    """A report in which every text that comes from outside is hostile."""
    model = report.model.model_copy(update={"name": HOSTILE})
    data = report.data.model_copy(update={"notes": [HOSTILE], "source": HOSTILE})
    renamed = {"image": HOSTILE, "clean_name": HOSTILE, "to_name": HOSTILE, "to_class": -1}
    worst = [each.model_copy(update=renamed) for each in report.worst]
    turned = {"from_name": HOSTILE, "to_name": HOSTILE}
    flips = [each.model_copy(update=turned) for each in report.class_flips]
    assert flips
    return report.model_copy(
        update={
            "model": model,
            "data": data,
            "worst": worst,
            "class_flips": flips,
            "verdicts": [verdict(HOSTILE)],
        }
    )


def verdict(gate: str) -> Verdict:
    return Verdict(
        gate=gate,
        outcome=Outcome.INCONCLUSIVE,
        value=0.5,
        low=None,
        high=1,
        level=0.05,
        n=12,
        pictures_to_decide=99,
        reason="about 99 pictures like these would make it pass",
    )


def terminal(report: Report, **options: object) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False, **options)  # type: ignore[arg-type]
    print_report(report, console, out=HOSTILE)
    output: str = console.file.getvalue()  # type: ignore[attr-defined]
    return output


# Numbers.


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.12345, "0.123"), (1.5, "1.500"), (12.34, "12.3"), (1e-7, "1.0e-07"), (None, "∞")],
)
def test_numbers(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((0, "0"), (None, "∞"), (0.00039, "0.000390"), (0.0009996, "0.00100"), (0.5, "0.500")),
        *((9.996, "10.0"), (-1.5, "-1.50"), (27, "27.0"), (5812.3, "5810"), (999_400, "999000")),
        *((1.2345e8, "1.23e+08"), (1e-9, "1.00e-09")),
    ],
)
def test_numbers_of_one_column(value: float | None, shown: str) -> None:
    assert text.significant(value) == shown


def test_an_open_end_is_shown_as_infinite() -> None:
    assert text.interval(verdict("x")) == "[-∞, 1.000]"
    assert text.interval(verdict("x").model_copy(update={"high": None})) == "[-∞, ∞]"


def test_sparklines_share_a_scale() -> None:
    assert text.sparkline([0, 0.5, 1], 1) == "▁▅█"
    assert text.sparkline([0, 0.5], 2) == "▁▃"
    assert text.sparkline([0, 0], 0) == "▁▁"
    assert text.sparkline([3], 1) == "█"


@given(st.text())
def test_printable_text_is_one_harmless_line(given: str) -> None:
    shown = text.printable(given)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


def test_printable_text_keeps_what_is_harmless() -> None:
    assert text.printable("Åsa's 犬 <b> | [x]") == "Åsa's 犬 <b> | [x]"


# What is said first.


def test_probes_are_listed_worst_first(report: Report) -> None:
    names = [row[0] for row in text.probe_rows(report)]
    shifts = [report.estimate("shift", "probe", name) for name in names]
    values = [each.value for each in shifts if each is not None]
    assert {*names, "identity"} == {probe.name for probe in report.battery}
    assert len(values) == len(report.battery) - 1 >= 6
    assert values == sorted(values, reverse=True)


def test_families_end_with_the_whole(report: Report) -> None:
    assert text.family_rows(report)[-1][0] == "all"


def test_one_picture_is_not_plural(report: Report) -> None:
    probes = len(report.battery) - 1  # the noise floor is not counted
    assert f"on 12 pictures under {probes} probes" in text.subject(report)
    one = report.data.model_copy(update={"pictures": 1})
    alone = report.model_copy(update={"data": one, "battery": report.battery[:2]})
    assert text.subject(alone).endswith("on 1 picture under 1 probe")


# Markdown.


def test_the_markdown_tables_have_the_cells_that_they_should(hostile: Report) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", to_markdown(hostile), re.MULTILINE)
    assert len(tables) == 6
    for table in tables:
        cells = [len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()]
        assert len(set(cells)) == 1


def test_hostile_names_are_plain_text_in_markdown(hostile: Report) -> None:
    written = to_markdown(hostile)
    assert len(re.findall("script", written)) > 10
    # Every character that could begin markup is escaped wherever a name stands.
    for line in written.splitlines():
        if "script" in line:
            assert not re.search(r"(?<!\\)[<>`*\[\]]", line.removeprefix("> ").removeprefix("- "))
    assert "\x1b" not in written
    assert "\u202e" not in written
    assert not re.search(r"^# h1", written, re.MULTILINE)


def test_markdown_of_verdicts_alone() -> None:
    shown = verdicts_to_markdown([verdict("flip_rate[noise]<=0.05")])
    assert "| inconclusive | flip\\_rate\\[noise\\]\\<=0.05 |" in shown


# The terminal.


def test_hostile_names_are_plain_text_on_a_terminal(hostile: Report) -> None:
    for colour in ("truecolor", None):
        shown = terminal(hostile, force_terminal=colour is not None, color_system=colour)
        assert "[red]y[/red]" in shown
        assert "\x1b]0;" not in shown
        assert "\u202e" not in shown
        # Only rich's own styles: the name would have set plain red.
        assert not re.search(r"h1\s*\x1b\[31m", shown)
        assert "h1 [31m" in shown


def test_a_stream_that_is_no_terminal_gets_no_colours(hostile: Report) -> None:
    assert "\x1b" not in terminal(hostile)


def test_the_verdicts_come_last_of_all(report: Report) -> None:
    judged = report.model_copy(update={"verdicts": [verdict("shift<=0.5")]})
    assert terminal(judged).rstrip().endswith("; gates: 1 inconclusive")
    assert "Gates" not in terminal(report)


def test_reasons_have_a_column_where_there_are_any() -> None:
    undecided = verdict("flip_rate<=0.4")
    passed = undecided.model_copy(update={"outcome": Outcome.PASS})
    headers, rows = text.verdict_table([passed])
    assert (headers, [len(row) for row in rows]) == (("verdict", "gate", "estimate"), [3])
    headers, rows = text.verdict_table([passed, undecided])
    assert headers[-1] == "why"
    assert [row[-1] for row in rows] == ["", undecided.reason]


def test_no_verdicts_no_table(report: Report) -> None:
    console = Console(file=io.StringIO())
    print_verdicts(report.model_copy(update={"verdicts": ()}), console)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


def test_a_degenerate_model_is_named_everywhere(report: Report) -> None:
    named = report.model_copy(update={"degenerate": "the same for all", "score": None})
    for shown in (terminal(named), to_markdown(named)):
        assert "withheld: the model is degenerate" in shown
        assert "the same for all" in shown


def test_no_interval_of_usual_numbers_is_folded_on_a_terminal_of_80_columns(
    report: Report,
) -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_report(report, console)
    families = console.file.getvalue().partition("Families")[2]  # type: ignore[attr-defined]
    lines = families.partition("Gradients")[0].splitlines()
    usual = [line for line in lines if "e-" not in line and " % " in line]
    assert len(usual) > 3
    assert all(line.count("[") == line.count("]") == 2 for line in usual)
