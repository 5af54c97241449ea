"""Puts the page together: sections, charts and pictures into the template."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from semaudit.folder import MANIFEST
from semaudit.report import text
from semaudit.report.document import Report
from semaudit.report.html import charts, classes, record
from semaudit.report.html.cases import Cases, cases
from semaudit.report.html.gallery import BUDGET, gallery
from semaudit.report.html.library import plotting_script
from semaudit.report.html.parts import Section, Table
from semaudit.report.html.words import as_script, shown
from semaudit.store import Samples

_ROOM = "templates"
_WORST = 10
_LONGEST = 1_000  # characters of a remark


def render(report: Report, audit: Path | None) -> str:
    """Return the page."""
    scripts = [plotting_script(), _asset("report.js")]
    kept = gallery(report, audit)
    inspected = cases(report, audit, BUDGET - kept.size)
    sections = _sections(report, audit, inspected)
    drawn = [chart for section in sections for chart in section.charts]
    data = {chart.name: {"kind": chart.kind, "data": chart.data} for chart in drawn}
    environment = Environment(
        loader=PackageLoader("semaudit.report.html", _ROOM),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = _sentence
    return environment.get_template("report.html.j2").render(
        title=shown(text.subject(report)),
        policy=_policy(scripts),
        # Our own files, and JSON in which no markup is left: all else is escaped.
        style=Markup(_asset("report.css")),
        scripts=[Markup(script) for script in scripts],
        data=Markup(as_script(data)),
        verdict=_verdict(report),
        headline=[(shown(name), shown(value)) for name, value in text.headline(report)],
        warnings=[_sentence(each) for each in _warnings(report)],
        notes=[_sentence(each) for each in text.notes(report)],
        gates=Table.of("Gates", *text.verdict_table(report.verdicts)),
        gate_note=text.GATE_NOTE,
        sections=sections,
        gallery=kept,
        cases=inspected.drawn,
        made=f"semaudit {shown(report.semaudit)}, seed {report.seed}",
    )


def _sections(report: Report, audit: Path | None, inspected: Cases) -> list[Section]:
    manifest = None if audit is None else record.read_json(audit / MANIFEST)
    found = [
        _baseline(report),
        charts.score(report),
        charts.probes(report),
        charts.families(report),
    ]
    if audit is None:
        left_out = "Left out: they need the audit's folder, and there is only report.json."
        found.append(Section("classes", "Classes and onsets", (left_out,)))
    else:
        samples = Samples(audit, report.layout)
        samples.check(report.data.pictures)
        names = record.class_names(report, manifest)
        found += [classes.heat(report, samples, names), classes.onsets(report, samples)]
    found += [
        Section("pictures", "The worst pictures", folded=_worst(report)),
        Section("cases", "How single answers break", inspected.remarks),
        _flips(report),
        charts.gradients(report),
        charts.searched(report),
        _resizes(report),
        record.finetuned_section(audit),
        record.manifest_section(report, manifest),
    ]
    return [section for section in found if section or section.name == "pictures"]


def _baseline(report: Report) -> Section:
    changed = report.baseline
    if changed is None:
        return Section("baseline", "Since the baseline")
    facts = tuple((name, _sentence(value)) for name, value in text.change_facts(changed))
    rows = text.change_rows(changed)
    table = Table.of("Changes", text.CHANGE_HEADERS, rows, _sentence(text.CHANGE_NOTE))
    return Section("baseline", "Since the baseline", tables=(table,), facts=facts)


def _worst(report: Report) -> tuple[Table, ...]:
    rows = text.worst_rows(report, _WORST)
    return (Table.of("Worst pictures", text.WORST_HEADERS, rows),) if rows else ()


def _flips(report: Report) -> Section:
    rows = text.flip_rows(report, _WORST)
    tables = (Table.of("Commonest flips", text.FLIP_HEADERS, rows),) if rows else ()
    return Section("flips", "Commonest flips", tables=tables)


def _resizes(report: Report) -> Section:
    compared = report.preprocessing
    if compared is None:
        return Section("resizes", "Other ways to resize")
    table = Table.of("Other ways to resize", text.RESIZE_HEADERS, text.resize_rows(compared))
    return Section("resizes", "Other ways to resize", (compared.reading,), (), (table,))


def _warnings(report: Report) -> list[str]:
    degenerate = [] if report.degenerate is None else [f"Degenerate model: {report.degenerate}"]
    doubts = [f"Untrustworthy: {doubt}" for doubt in text.doubts(report)]
    return [*degenerate, *(f"Warning: {each}" for each in report.warnings), *doubts]


def _verdict(report: Report) -> tuple[str, str, str]:
    """The kind, one word, and one line of what the gates say together."""
    counts = Counter(text.word(each) for each in report.verdicts)
    named = [(name, counts[name]) for name in text.WORDS if counts[name]]
    said = ", ".join(f"{count} {name}" for name, count in named)
    if report.degenerate is not None:
        return (
            "fail",
            "DEGENERATE",
            f"The model is degenerate: it is not scored.{f' Gates: {said}.' * bool(said)}",
        )
    if not named:
        return "none", "NO GATES", "No limit was stated, so that nothing passes or fails."
    return named[0][0], named[0][0].upper(), f"Gates: {said}."


def _sentence(words: str) -> str:
    return shown(words, _LONGEST)


def _policy(scripts: Sequence[str]) -> str:
    """Nothing may be fetched, and no script run but ours."""
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    allowed = " ".join(f"'sha256-{base64.b64encode(each).decode('ascii')}'" for each in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return (files("semaudit.report.html") / _ROOM / name).read_text(encoding="utf-8")
