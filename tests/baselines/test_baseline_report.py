"""What a report says of its baseline: new, fixed and unchanged flips, and the clean answers."""

from __future__ import annotations

import html
import io
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from made import made
from rich.console import Console

from semaudit import gates
from semaudit.baselines import judged, open_baseline, pair
from semaudit.comparing.opening import opened
from semaudit.gates.shipped import recorded_metrics
from semaudit.report import text
from semaudit.report.document import Changed, Report
from semaudit.report.file import read_report
from semaudit.report.html import to_html
from semaudit.report.html.words import shown as on_page
from semaudit.report.markdown import to_markdown
from semaudit.report.terminal import print_report

HOSTILE = "a|b <script>x</script> [red]y[/red] \x1b[31m\x1b]0;t\x07\n# h1 \u202egnp"


def against(now: Path, baseline: Path, *limits: str) -> Report:
    found, read = opened(now), [gates.parse(limit) for limit in limits]
    metrics = recorded_metrics(found.report, [each.metric for each in read], now)
    layout = found.samples.layout
    bound = gates.bind(read, metrics, layout, True, found.report.model.activation)
    pairing = pair(found, open_baseline(baseline), read)
    return judged(found.report, bound, found.samples, pairing)


@pytest.fixture(scope="module")
def report(now: Path, then: Path) -> Report:
    return against(now, then, "flip_rate<=baseline+0.1", "shift<=baseline*1.5", "new_flips<=0.3")


def changed(report: Report, name: str) -> Changed:
    assert report.baseline is not None
    (found,) = (each for each in report.baseline.changed if each.name == name)
    return found


def test_flips_are_new_fixed_or_unchanged(report: Report, now: Path, then: Path) -> None:
    one, other = (pd.read_parquet(each / "samples.parquet") for each in (now, then))
    rows = pd.DataFrame({"now": one.flip > 0, "then": other.flip > 0, "probe": one.probe})
    rows = rows[one.family == "noise"]
    expected = {
        "new": rows.now & ~rows.then,
        "fixed": rows.then & ~rows.now,
        "unchanged": rows.now & rows.then,
    }
    flips = changed(report, "noise").flips
    assert flips is not None
    for name, where in expected.items():
        by_probe = where.groupby(rows.probe, observed=True).mean()
        assert getattr(flips, name).value == pytest.approx(by_probe.mean())
    rise = flips.rate.now - flips.rate.baseline
    assert rise == pytest.approx(flips.new.value - flips.fixed.value)
    assert flips.rate.baseline == pytest.approx(flips.fixed.value + flips.unchanged.value)
    assert flips.rate.difference.value == pytest.approx(rise)


def test_the_whole_comes_first_and_the_worst_case_last(report: Report) -> None:
    assert report.baseline is not None
    shown = [row[0] for row in text.change_rows(report.baseline)]
    assert (shown[0], shown[-1]) == ("all", "worst case")
    assert {each.scope for each in report.baseline.changed} == {"all", "family"}


def test_the_clean_answers(report: Report, now: Path, then: Path) -> None:
    one, other = (pd.read_parquet(each / "images.parquet") for each in (now, then))
    was, is_now = other.clean_class == other.label, one.clean_class == one.label
    found = report.baseline
    assert found is not None
    assert found.accuracy is not None
    assert found.answers is not None
    assert found.negative_flips is not None
    assert found.positive_flips is not None
    assert found.answers.value == pytest.approx((one.clean_class != other.clean_class).mean())
    assert found.negative_flips.value == pytest.approx((was & ~is_now).mean())
    assert found.positive_flips.value == pytest.approx((is_now & ~was).mean())
    assert found.accuracy.difference.value == pytest.approx(is_now.mean() - was.mean())
    assert (found.accuracy.baseline, found.accuracy.now) == (was.mean(), is_now.mean())


def test_the_document_comes_back_and_follows_its_schema(report: Report, tmp_path: Path) -> None:
    schema = (resources.files("semaudit.report") / "report.schema.json").read_text("utf-8")
    document = json.loads(report.model_dump_json())
    jsonschema.validate(document, json.loads(schema))
    (tmp_path / "report.json").write_text(json.dumps(document), "utf-8")
    assert read_report(tmp_path / "report.json") == report


def test_an_audit_from_before_there_were_baselines_opens(report: Report, tmp_path: Path) -> None:
    document: dict[str, Any] = json.loads(report.model_dump_json())
    del document["baseline"]
    for verdict in document["verdicts"]:
        del verdict["against"]
    (tmp_path / "report.json").write_text(json.dumps(document), "utf-8")
    old = read_report(tmp_path / "report.json")
    assert old.baseline is None
    assert all(verdict.against is None for verdict in old.verdicts)
    assert "Since the baseline" not in to_markdown(old)


def shown(report: Report, width: int = 132) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        print_report(report, console)
    return captured.get()


def test_terminal_and_markdown_say_the_same(report: Report) -> None:
    assert report.baseline is not None
    terminal = " ".join(shown(report, 400).split())
    markdown = to_markdown(report).replace("\\", "")
    for row in text.change_rows(report.baseline):
        for cell in row:
            assert cell in terminal
            assert cell in markdown
    for _, value in text.change_facts(report.baseline):
        assert value in terminal
        assert value in markdown
    (verdict,) = (each for each in report.verdicts if "*1.5" in each.gate)
    assert verdict.against is not None
    then = text.number(verdict.against.baseline)
    said = f"{text.number(verdict.against.now)} now, 1.5 x {then} in the baseline"
    assert said in terminal
    assert said in markdown


@pytest.mark.parametrize("width", [80, 100, 132, 200])
def test_changes_fit_the_terminal(report: Report, width: int) -> None:
    assert report.baseline is not None
    table = shown(report, width).partition("Since the baseline")[2].partition("\n  baseline")[0]
    lines = [line for line in table.splitlines() if "[" in line]
    rows = text.change_rows(report.baseline)
    assert len(lines) == len(rows)  # none is folded
    for line, row in zip(lines, rows, strict=True):
        assert row[0] in line
        assert row[2] in line
    # Less and less is shown: all, then and now of the two main figures, their differences alone.
    assert ("unchanged" in table, " to " in table, "fixed" in table) == {
        200: (True, True, True),
        132: (False, True, False),
        100: (False, False, True),
        80: (False, False, False),
    }[width]


def test_a_limit_is_not_broken_in_two(report: Report) -> None:
    gates = shown(report, 80).partition("Gates")[2]
    assert all(each.gate in gates for each in report.verdicts)


def test_the_page_says_the_same(report: Report) -> None:
    assert report.baseline is not None
    page = html.unescape(to_html(report, None))
    for row in text.change_rows(report.baseline):
        assert all(on_page(cell) in page for cell in row)
    assert 'id="baseline"' in page


def test_hostile_names_stay_text(report: Report) -> None:
    assert report.baseline is not None
    named = {"source": HOSTILE, "model": HOSTILE, "semaudit": HOSTILE, "notes": [HOSTILE]}
    changes = [each.model_copy(update={"name": HOSTILE}) for each in report.baseline.changed]
    baseline = report.baseline.model_copy(update={**named, "changed": changes})
    hostile = report.model_copy(update={"baseline": baseline})
    terminal, markdown = shown(hostile), to_markdown(hostile)
    for rendered in (terminal, markdown):
        assert not {"\x1b", "\x07", "\u202e"} & set(rendered)
        assert "\n# h1" not in rendered
    assert re.search(r"(?<!\\)[<\[]", markdown.split("## Since")[1]) is None
    assert "[red]" in terminal


def test_an_embedding_has_shift_alone(tmp_path: Path) -> None:
    import torch
    from torch import nn

    import semaudit

    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    images = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    settings = {"activation": "none", "select": "brightness", "device": "cpu"}
    semaudit.scan(model, images, out=tmp_path / "one", **settings)
    found = semaudit.scan(
        *(model, images),
        baseline=tmp_path / "one",
        fail_on=["shift<=baseline+0.9"],
        out=tmp_path / "two",
        **settings,
    ).report
    assert found.baseline is not None
    assert found.baseline.answers is None
    assert [each.flips for each in found.baseline.changed] == [None, None]
    assert text.change_rows(found.baseline)[0][:5] == ("all", "-", "-", "-", "-")
    with pytest.raises(semaudit.SemauditError, match="of an embedding, which has no classes"):
        against(tmp_path / "two", tmp_path / "one", "new_flips<=0.5")


def test_pictures_without_labels_have_no_negative_flips(tmp_path: Path) -> None:
    one, other = (made(tmp_path / name, 30, labelled=False) for name in ("one", "other"))
    found = against(one, other).baseline
    assert found is not None
    assert (found.accuracy, found.negative_flips, found.positive_flips) == (None, None, None)
    assert found.answers is not None
    assert [name for name, _ in text.change_facts(found)][:2] == ["baseline", "other clean answers"]


def test_what_only_the_noise_floor_measures(tmp_path: Path) -> None:
    from made import LAYOUT

    from semaudit.layout import Layout

    floor = Layout(LAYOUT.tracks[:1])
    one = made(tmp_path / "one", 30, layout=floor)
    found = against(one, one, "noise_floor<=baseline+0.9")
    assert found.baseline is not None
    assert found.baseline.changed == []
    assert np.isfinite(found.verdicts[0].value or 0)
