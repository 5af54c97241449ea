"""How numbers, intervals and curves look as text: the same in every rendering."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.report.document import (
    Comparison,
    Interval,
    Outcome,
    Report,
    Scope,
    Verdict,
    WorstPicture,
)

SHOWN = 3
"""How many unreadable pictures a note names."""

_BARS = "▁▂▃▄▅▆▇█"
# Control characters, line breaks and those that turn the direction of writing around.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def printable(text: str) -> str:
    """Text from outside on one line, without what a terminal would obey."""
    return _UNPRINTABLE.sub(" ", text)


def number(value: float | None) -> str:
    """Three significant places; tiny and huge numbers in powers of ten; ∞ for None."""
    if value is None:
        return "∞"
    if value == 0:
        return "0"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.3g}"


def percent(value: float) -> str:
    """A share in [0, 1] in percent."""
    return f"{100 * value:.1f} %"


def interval(each: Interval | Verdict) -> str:
    """The 95 % interval."""
    low = "-∞" if each.low is None else number(each.low)
    return f"[{low}, {number(each.high)}]"


def percent_interval(each: Interval) -> str:
    """The 95 % interval of a share, in percent."""
    return f"[{100 * (each.low or 0):.1f}, {100 * (1 if each.high is None else each.high):.1f}]"


def sparkline(values: Sequence[float], top: float) -> str:
    """One bar a value, from 0 to ``top``, which all curves of a report share."""
    scale = (len(_BARS) - 1) / top if top > 0 else 0
    return "".join(_BARS[min(len(_BARS) - 1, round(value * scale))] for value in values)


def headline(report: Report) -> list[tuple[str, str]]:
    """The few facts that come first, as (name, text)."""
    clean = report.clean
    facts = [("continuity score", _score(report))]
    if clean.accuracy is not None:
        accuracy = clean.accuracy
        facts.append(("clean accuracy", f"{percent(accuracy.value)} {percent_interval(accuracy)}"))
    norm = "mean norm" if report.model.activation == "none" else "mean logit norm"
    for name, each, unit in (
        ("clean confidence", clean.confidence, ""),
        ("output entropy", clean.entropy, "bits "),
        (norm, clean.logit_norm, ""),
    ):
        if each is not None:
            facts.append((name, f"{number(each.value)} {unit}{interval(each)}"))
    if report.noise_floor is not None:
        unit = "" if report.model.activation == "none" else "bits "
        facts.append(("noise floor", f"{number(report.noise_floor.value)} {unit}of shift"))
    for metric in report.metrics:
        said = report.estimate(metric.name) if metric.shown and metric.level == "image" else None
        if said is not None:
            facts.append((metric.name, f"{number(said.value)} {interval(said)}"))
    facts.append(("input", report.model.preprocessing))
    return facts


def notes(report: Report) -> list[str]:
    """What a reader should know of the model, of pictures left out, and of the pictures."""
    return [*report.model.notes, *_unread(report), *report.data.notes]


def _unread(report: Report) -> list[str]:
    count = report.data.unreadable_count
    if not count:
        return []
    named = "; ".join(f"{each.image} ({each.reason})" for each in report.data.unreadable[:SHOWN])
    more = f"; and {count - SHOWN} more, see report.json" if count > SHOWN else ""
    total = count + report.data.pictures
    return [f"{count} of {total:,} pictures could not be read and were left out: {named}{more}"]


def _score(report: Report) -> str:
    if report.degenerate is not None:
        return "withheld: the model is degenerate"
    if report.score is None:
        return "not measured"
    return f"{report.score.value:.1f} [{report.score.low or 0:.1f}, {report.score.high or 100:.1f}]"


def subject(report: Report) -> str:
    """What was audited on what."""
    count = report.data.pictures
    probes = sum(probe.family != NOISE_FLOOR_FAMILY for probe in report.battery)
    return (
        f"{report.model.name} on {count:,} picture{'s' * (count != 1)} "
        f"under {probes} probe{'s' * (probes != 1)}"
    )


def probe_headers(report: Report) -> tuple[str, ...]:
    """What `probe_rows` are."""
    return ("probe", "family", "flips", "shift", "curve", "jump", *_more(report))


def probe_rows(report: Report) -> list[tuple[str, ...]]:
    """The probes, worst first; the noise floor is left out."""
    curves = [curve for curve in report.curves if curve.family != NOISE_FLOOR_FAMILY]
    top = max((point.value for curve in curves for point in curve.shift), default=0.0)
    rows = []
    for curve in curves:
        flips, shift, jump = (
            report.estimate(metric, "probe", curve.probe)
            for metric in ("flip_rate", "shift", "jump")
        )
        if shift is None or jump is None:
            continue
        cells = (
            curve.probe,
            curve.family,
            _flips(flips),
            number(shift.value),
            # In sqrt(JSD), the metric: gentle probes would be flat lines beside harsh ones.
            sparkline([math.sqrt(point.value) for point in curve.shift], math.sqrt(top)),
            number(jump.value),
            *_more_cells(report, "probe", curve.probe),
        )
        rows.append((shift.value, cells))
    return [cells for _, cells in sorted(rows, key=lambda row: -row[0])]


def _flips(flips: Interval | None) -> str:
    """Embeddings name no class that could flip."""
    return "-" if flips is None else f"{percent(flips.value)} {percent_interval(flips)}"


def _more(report: Report) -> tuple[str, ...]:
    """The columns that only some reports have: the transport, and the metrics of plugins."""
    return tuple(
        each.name
        for each in report.metrics
        if (each.shown or each.name == "transport")
        and each.level != "image"
        and report.estimate(each.name) is not None
    )


def _more_cells(report: Report, scope: Scope, name: str) -> tuple[str, ...]:
    found = [report.estimate(metric, scope, name) for metric in _more(report)]
    return tuple("-" if e is None else f"{number(e.value)} {interval(e)}" for e in found)


def family_headers(report: Report) -> tuple[str, ...]:
    """What `family_rows` are."""
    return ("family", "flips", "shift", "jump", *_more(report))


def family_rows(report: Report) -> list[tuple[str, ...]]:
    """The families, worst first, then the whole."""
    families = {
        probe.family: None for probe in report.battery if probe.family != NOISE_FLOOR_FAMILY
    }
    rows = []
    scopes: list[tuple[Scope, str]] = [*(("family", name) for name in families), ("all", "all")]
    for scope, name in scopes:
        found = [report.estimate(metric, scope, name) for metric in ("flip_rate", "shift", "jump")]
        flips, shift, jump = found
        if shift is None or jump is None:
            continue
        cells = (
            name,
            _flips(flips),
            f"{number(shift.value)} {interval(shift)}",
            f"{number(jump.value)} {interval(jump)}",
            *_more_cells(report, scope, name),
        )
        rows.append((scope == "all", -shift.value, cells))
    return [cells for _, _, cells in sorted(rows)]


def worst_rows(report: Report, count: int) -> list[tuple[str, str, str, str, str]]:
    """(picture, shift, worst probe, from, to) of the worst pictures."""
    return [
        (
            each.image,
            number(each.shift),
            f"{each.probe} {each.strength:g}",
            each.clean_name,
            _turned(report, each),
        )
        for each in report.worst[:count]
    ]


def _turned(report: Report, each: WorstPicture) -> str:
    if report.model.activation == "none":
        return "-"
    same = "(same class)" if report.model.activation == "softmax" else "(same first label)"
    return each.to_name if each.to_class != each.clean_class else same


def footer(report: Report) -> str:
    """How the tables are to be read."""
    flips = {
        "softmax": "; flips are the share of changed top-1 classes over the ladder",
        "sigmoid": "; flips are the share of changed sets of labels over the ladder, and the class "
        "of a picture is its first label",
        "none": "",
    }[report.model.activation]
    return (
        f"Means over {report.data.pictures:,} pictures with 95 % intervals; curves, of "
        f"sqrt(shift), share one scale{flips}."
    )


WORST_HEADERS = ("picture", "shift", "worst at", "from", "to")


def flip_rows(report: Report, count: int) -> list[tuple[str, str, str]]:
    """(from, to, pictures) of the commonest turns."""
    return [
        (each.from_name, each.to_name, f"{each.pictures}") for each in report.class_flips[:count]
    ]


FLIP_HEADERS = ("from", "to", "pictures")


def resize_rows(comparison: Comparison) -> list[tuple[str, str, str, str, str]]:
    """(resize, flips, shift, pixel difference, accuracy), the model's own first."""
    own = (f"{comparison.own}, as scanned", "-", "-", "-", _share(comparison.accuracy))
    return [own] + [
        (
            each.name,
            _flips(each.flip_rate),
            f"{number(each.shift.value)} {interval(each.shift)}",
            number(each.pixel_difference),
            _share(each.accuracy),
        )
        for each in comparison.compared
        if each.name != comparison.own
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


RESIZE_HEADERS = ("resize", "flips", "shift", "pixels moved", "accuracy")


def verdict_rows(verdicts: Sequence[Verdict]) -> list[tuple[str, str, str, str]]:
    """(outcome, gate, estimate, reason)."""
    return [
        (
            each.outcome.value,
            each.gate,
            "-" if each.value is None else f"{number(each.value)} {interval(each)}",
            each.reason if each.outcome is Outcome.INCONCLUSIVE else "",
        )
        for each in verdicts
    ]


VERDICT_HEADERS = ("verdict", "gate", "estimate", "why")
GATE_NOTE = (
    "A gate passes or fails where its interval excludes the limit. The gates share one error rate "
    "of 5 % (Holm), so these intervals are wider than those of the estimates."
)
