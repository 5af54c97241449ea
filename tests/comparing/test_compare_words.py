"""Tables, Markdown and curves of a comparison; hostile names; what the readings say."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

import semaudit
from semaudit.comparing import Change, Comparison, words
from semaudit.comparing.curves import draw
from semaudit.comparing.files import to_json, to_text
from semaudit.comparing.markdown import to_markdown
from semaudit.comparing.terminal import print_comparison
from semaudit.report import text
from semaudit.report.document import Interval

HOSTILE = (
    "a|b <script>alert(1)</script> `x` [red]y[/red] *z* $\\frac{1}{0}$\n# h1\x1b[31m\x1b]0;t\x07"
    " \u202egnp.exe"
)


@pytest.fixture(scope="module")
def hostile(found: Comparison) -> Comparison:
    """A comparison in which every text that comes from outside is hostile."""
    side = found.before.model_copy(update={"model": HOSTILE, "audit": HOSTILE})

    def named(each: object) -> object:
        return each.model_copy(update={"name": HOSTILE})  # type: ignore[attr-defined]

    family = {"family": HOSTILE, "probe": HOSTILE}
    return found.model_copy(
        update={
            "before": side,
            "after": side,
            "warnings": [HOSTILE],
            "notes": [HOSTILE],
            "seen": [HOSTILE],
            "changes": [named(e) if e.place == "family" else e for e in found.changes],
            "churn": [named(e) if e.place == "family" else e for e in found.churn],
            "ladders": [each.model_copy(update=family) for each in found.ladders],
        }
    )


def terminal(found: Comparison, width: int = 80, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, **options)  # type: ignore[arg-type]
    print_comparison(found, console)
    output: str = console.file.getvalue()  # type: ignore[attr-defined]
    return output


def change(low: float | None, high: float | None, **more: object) -> Change:
    given: dict[str, object] = {
        "metric": "shift",
        "place": "all",
        "name": "all",
        "before": 0.2,
        "after": 0.1,
        "difference": Interval(value=-0.1, low=low, high=high, n=9),
        "relative": -0.5,
        "lower": 5,
        "higher": 4,
        "p_value": 1.0,
        "higher_is_better": False,
        **more,
    }
    return Change.model_validate(given)


@pytest.mark.parametrize(
    ("low", "high", "more", "said"),
    [
        (-0.2, -0.05, {}, "better"),
        (-0.2, -0.05, {"higher_is_better": True}, "worse"),
        (-0.2, -0.05, {"higher_is_better": None}, "lower"),
        (0.05, 0.2, {}, "worse"),
        (0.05, None, {"higher_is_better": None}, "higher"),
        (-0.2, 0.1, {}, "unclear"),
        (None, None, {}, "unclear"),
        (-0.2, 0.1, {"lower": 20, "p_value": 0.001}, "mostly better"),
        (-0.2, 0.1, {"higher": 20, "p_value": 0.001}, "mostly worse"),
        (-0.2, 0.1, {"lower": 0, "higher": 0}, "same"),
    ],
)
def test_the_reading(
    low: float | None, high: float | None, more: dict[str, object], said: str
) -> None:
    assert words.reading(change(low, high, **more)) == said


def test_nothing_is_cut_or_wrapped_in_a_terminal_of_80(found: Comparison) -> None:
    shown = terminal(found)
    assert max(map(len, shown.splitlines())) <= 80
    for title in ("Clean pictures", "Flips", "Shift", "Gradient turn", "Accuracy", "Answers of"):
        assert title in shown
    for each in found.changes:
        cells = words.change_cells(each)
        assert cells[2] in shown, each
        assert cells[3] in shown
    names = [each.name for each in found.changes if each.place == "family"]
    for name in {*names, "all", "seen", "held-out", "worst case"} - {"adversarial"}:
        assert re.search(rf"^ {name}\*?  ", shown, re.M), name
    assert re.search(r"^ noise\*  ", shown, re.M)
    assert "fell : rose" not in shown
    assert "fell : rose" in terminal(found, 120)


def test_the_two_renderings_agree_to_the_digit(found: Comparison) -> None:
    markdown = to_markdown(found).replace("\\", "")
    shown = " ".join(terminal(found, 132).split())
    rows = [*words.clean_rows(found), *words.churn_rows(found)]
    rows += [row for _, section in words.sections(found) for row in section]
    assert len(rows) > 40
    for row in rows:
        assert f"| {' | '.join(row)} |" in markdown
        assert " ".join(" ".join(row).split()) in shown


def test_the_whole_comes_first_and_the_worst_case_last(found: Comparison) -> None:
    for _, rows in words.sections(found):
        names = [row[0] for row in rows]
        assert names[:3] == ["all", "seen", "held-out"]
        assert "worst case" not in names[:-1]
    (shift,) = (rows for title, rows in words.sections(found) if title == "Shift")
    values = {each.name: each.difference.value for each in found.changes if each.metric == "shift"}
    families = [row[0].removesuffix("*") for row in shift[3:-1]]
    assert [values[name] for name in families] == sorted(
        (values[name] for name in families), reverse=True
    )


def test_an_audit_and_itself_says_so(before: Path) -> None:
    same = semaudit.compare(before, before)
    shown = terminal(same)
    assert shown.splitlines()[-1] == words.IDENTICAL
    assert words.IDENTICAL in to_markdown(same)
    readings = {row[4] for _, rows in words.sections(same) for row in rows}
    assert readings == {"same"}


def test_mcnemar_in_words(found: Comparison) -> None:
    each = found.change("accuracy", "clean")
    said = words.mcnemar(found)
    assert each is not None
    assert said is not None
    assert said.startswith(f"clean pictures: {each.lower} right before and wrong now, ")
    assert said.endswith(f"McNemar's exact test p = {each.p_value:.3f}")


def test_hostile_names_in_a_terminal(hostile: Comparison) -> None:
    shown = terminal(hostile, 200, force_terminal=True, color_system=None)
    for sign in ("\x1b[31m", "\x1b]0", "\x07", "\u202e"):
        assert sign not in shown
    assert "[red]y[/red]" in shown
    assert "\n# h1" not in to_text(hostile)


def test_hostile_names_in_markdown(hostile: Comparison) -> None:
    shown = to_markdown(hostile)
    assert "<script>" not in shown
    assert "\\<script\\>" in shown
    assert "\n# h1" not in shown
    for sign in ("\x1b", "\x07", "\u202e"):
        assert sign not in shown
    for line in shown.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (5, 8)


def test_hostile_names_in_curves(hostile: Comparison, tmp_path: Path) -> None:
    draw(hostile, tmp_path / "curves.png", "png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 600
    draw(hostile, tmp_path / "curves.svg", "svg")
    assert "<script" not in (tmp_path / "curves.svg").read_text()


def test_the_curves_show_every_probe_but_the_noise_floor(found: Comparison, tmp_path: Path) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none"}):
        draw(found, tmp_path / "curves.svg", "svg")
    drawn = (tmp_path / "curves.svg").read_text()
    for ladder in found.ladders:
        assert (f">{ladder.probe}<" in drawn) == (ladder.family != "identity"), ladder.probe
    assert "before: Linear" in drawn
    assert ">noise, seen<" in drawn


def test_curves_of_nothing(found: Comparison, tmp_path: Path) -> None:
    draw(found.model_copy(update={"ladders": []}), tmp_path / "curves.png", "png")
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_the_json_comes_back(found: Comparison) -> None:
    assert Comparison.model_validate_json(to_json(found)) == found


@given(st.floats(-1, 1))
def test_points_and_signs(value: float) -> None:
    shown = text.points(value)
    assert float(shown) == pytest.approx(100 * value, abs=0.0501)
    assert shown == "0.0" or shown[0] in "+-"
    signed = text.signed(value)
    assert float(signed) == pytest.approx(value, rel=0.06, abs=6e-4)
