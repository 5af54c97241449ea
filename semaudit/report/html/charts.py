"""Charts of what report.json holds, each with the table that says the same."""

from __future__ import annotations

from collections.abc import Sequence

from semaudit.layout import ADVERSARIAL_FAMILY, ASIDE
from semaudit.report import text
from semaudit.report.document import Curve, Interval, Report
from semaudit.report.html.parts import Chart, Section, Table
from semaudit.report.html.words import label
from semaudit.report.text import interval, number, percent, percent_interval

_CURVE_HEADERS = ("strength", "shift", "flips", "SSIM", "RMS")
_DOTS = "Dots are means over pictures, whiskers their 95 % intervals."


def score(report: Report) -> Section:
    """What each family takes from the score of 100."""
    found = _by_family(report, "jump")
    if report.score is None or not found:
        return Section("score", "The score")
    share = 100 / len(found)
    points = [(name, _times(each, share)) for name, each in found]
    worst = points[0][0]
    table = Table.of(
        "Points that each family takes from 100",
        ("family", "points", "mean jump"),
        [
            (name, f"{number(p.value)} {interval(p)}", f"{number(each.value)} {interval(each)}")
            for (name, p), (_, each) in zip(points, found, strict=True)
        ],
    )
    chart = Chart(
        "dots",
        "score-chart",
        "What moves the score: points that each family takes from 100",
        f"{_count(points)} {worst} takes most: {number(points[0][1].value)} points. {_DOTS}",
        _dots(points, "points"),
        table,
    )
    remark = (
        "The score is 100 times 1 less the mean jump: the largest step of the output between "
        "neighbouring rungs, in sqrt(shift). Every family weighs the same."
    )
    return Section("score", "The score and what moves it", (remark,), (chart,))


def families(report: Report) -> Section:
    """Shift and flips by family."""
    charts = []
    table = Table.of("Families", text.family_headers(report), text.family_rows(report))
    for metric, title, unit in (
        ("shift", "Mean shift by family", "shift"),
        ("flip_rate", "Share of changed answers by family", "flips"),
    ):
        found = _by_family(report, metric)
        if found:
            most = f"{found[0][0]} has most: {number(found[0][1].value)}."
            charts.append(
                Chart(
                    "dots",
                    f"families-{unit}",
                    title,
                    f"{_count(found)} {most} {_DOTS}",
                    _dots(found, unit),
                    table,
                )
            )
    return Section("families", "Families", charts=tuple(charts))


def probes(report: Report) -> Section:
    """Shift against strength, a chart a probe, worst first."""
    rows = text.probe_rows(report)
    if not rows:
        return Section("probes", "Probes")
    by_name = {curve.probe: curve for curve in report.curves}
    charts = _curves([by_name[row[0]] for row in rows], "probe")
    caption = "Probes, worst first"
    table = Table.of(caption, text.probe_headers(report), rows, text.footer(report))
    remark = (
        "Worst first, all on one scale. Lines are means over pictures, bands their 95 % "
        "intervals; how often answers flip is said at a dot, on hover, and in the tables."
    )
    return Section("probes", "Shift against strength", (remark,), charts, (), (table,))


def searched(report: Report) -> Section:
    """The worst that was found, and whether that can be trusted."""
    curves = [curve for curve in report.curves if curve.family == ADVERSARIAL_FAMILY]
    doubts = tuple(f"Untrustworthy: {doubt}" for doubt in text.doubts(report))
    if not curves and not doubts:
        return Section("worst-case", "Worst case")
    found = doubts or (
        "No sign of masked gradients was found: the checks of the search raised nothing.",
    )
    rows = text.worst_case_rows(report)
    tables = (Table.of("Worst case, searched for", text.WORST_CASE_HEADERS, rows),) if rows else ()
    title = "Worst case, and whether to believe it"
    return Section("worst-case", title, found, _curves(curves, "search"), (), tables)


def gradients(report: Report) -> Section:
    """How the input gradient turns, and how smooth it is at the pictures."""
    rows = text.gradient_rows(report)
    turns = _by_family(report, "gradient_turn")
    charts = []
    if turns:
        table = Table.of(
            "Gradient turn by family",
            ("family", "gradient turn"),
            [(name, f"{number(each.value)} {interval(each)}") for name, each in turns],
        )
        says = f"{_count(turns)} {turns[0][0]} turns it most. {_DOTS}"
        title = "How far the input gradient turns (0: not at all, 1: at right angles)"
        data = _dots(turns, "gradient turn")
        charts.append(Chart("dots", "turn-chart", title, says, data, table))
    tables = (Table.of("Gradients", text.GRADIENT_HEADERS, rows),) if rows else ()
    return Section("gradients", "Gradients", (), tuple(charts), tables)


def _curves(curves: Sequence[Curve], kind: str) -> tuple[Chart, ...]:
    tops = [point.high or point.value for curve in curves for point in curve.shift]
    top = max(tops, default=0.0) or 1.0
    return tuple(_curve(curve, f"{kind}-{k}", top) for k, curve in enumerate(curves))


def _curve(curve: Curve, name: str, top: float) -> Chart:
    rows = []
    for k, (strength, shift) in enumerate(zip(curve.strengths, curve.shift, strict=True)):
        flips = None if curve.flip_rate is None else curve.flip_rate[k]
        said = "-" if flips is None else f"{percent(flips.value)} {percent_interval(flips)}"
        moved = f"{number(shift.value)} {interval(shift)}"
        ssim, rms = f"{curve.ssim[k]:.4f}", number(curve.input_rms[k])
        rows.append((f"{strength:g}", moved, said, ssim, rms))
    last = curve.shift[-1]
    return Chart(
        "curve",
        name,
        f"{label(curve.probe)} ({label(curve.family)})",
        f"Mean shift {number(last.value)} {interval(last)} at the ladder's end, "
        f"{curve.strengths[-1]:g}.",
        {
            "x": curve.strengths,
            **_ends(curve.shift),
            "top": top,
            "said": [
                [f"{name} {cell}" for name, cell in zip(_CURVE_HEADERS, row, strict=True)]
                for row in rows
            ],
        },
        Table.of(f"{curve.probe}: shift against strength", _CURVE_HEADERS, rows),
    )


def _by_family(report: Report, metric: str) -> list[tuple[str, Interval]]:
    """The families that count, and their means, largest first."""
    names = dict.fromkeys(probe.family for probe in report.battery if probe.family not in ASIDE)
    found = [(name, report.estimate(metric, "family", name)) for name in names]
    there: list[tuple[str, Interval]] = [(name, each) for name, each in found if each is not None]
    return sorted(there, key=lambda each: -each[1].value)


def _times(each: Interval, factor: float) -> Interval:
    low, high = (None if end is None else factor * end for end in (each.low, each.high))
    return Interval(value=factor * each.value, low=low, high=high, n=each.n)


def _dots(found: Sequence[tuple[str, Interval]], unit: str) -> dict[str, object]:
    return {
        "labels": [label(name) for name, _ in found],
        **_ends([each for _, each in found]),
        "unit": unit,
        "said": [
            [label(name), f"{number(e.value)} {interval(e)}", f"n {e.n}"] for name, e in found
        ],
    }


def _ends(intervals: Sequence[Interval]) -> dict[str, list[float]]:
    """Values with the ends of their intervals; an open end is drawn at the value."""
    return {
        "y": [each.value for each in intervals],
        "low": [each.value if each.low is None else each.low for each in intervals],
        "high": [each.value if each.high is None else each.high for each in intervals],
    }


def _count(found: Sequence[object]) -> str:
    return f"A dot for each of {len(found)} families." if len(found) > 1 else "A dot: one family."
