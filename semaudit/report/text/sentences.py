"""What is said around the tables."""

from __future__ import annotations

from collections import Counter

from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.report.document import Outcome, Report
from semaudit.report.text.numbers import interval, number, percent, percent_interval, short
from semaudit.report.text.rows import WORDS, word

SHOWN = 3
"""How many unreadable pictures a note names."""
LONGEST_NOTE = 2000
GATE_NOTE = (
    "A gate passes or fails where its interval excludes the limit. The gates share one error rate "
    "of 5 % (Holm), so these intervals are wider than those of the estimates."
)

_ANOTHER_BATCH = "the same pictures in another batch"
_STOCHASTIC = "stochastic_"
_BY_CHANCE = "its answer for a picture changes with the batch or by chance"
"""How a warning, doubts and a note begin that say: this model answers by chance."""


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
    every = [*report.model.notes, *_unread(report), *report.data.notes]
    return [short(note, LONGEST_NOTE) for note in every]


def doubts(report: Report) -> list[str]:
    """Why worst cases and gradients are not to be trusted, if so."""
    return [f"{each.name}: {each.meaning} ({each.evidence})" for each in report.doubts]


def said_once(report: Report) -> tuple[list[str], list[str]]:
    """Doubts and notes, without those that tell once more what a warning tells with figures.

    A model that answers by chance, as with dropout left on, gets a warning, a doubt and a note.
    """
    if not any(each.startswith(_ANOTHER_BATCH) for each in report.warnings):
        return doubts(report), notes(report)
    return (
        [said for said in doubts(report) if not said.startswith(_STOCHASTIC)],
        [note for note in notes(report) if not note.startswith(_BY_CHANCE)],
    )


def _unread(report: Report) -> list[str]:
    count = report.data.unreadable_count
    if not count:
        return []
    named = "; ".join(
        f"{short(each.image)} ({short(each.reason)})" for each in report.data.unreadable[:SHOWN]
    )
    more = f"; and {count - SHOWN} more, see report.json" if count > SHOWN else ""
    total = count + report.data.pictures
    return [f"{count} of {total:,} pictures could not be read and were left out: {named}{more}"]


def _score(report: Report) -> str:
    if report.degenerate is not None:
        return "withheld: the model is degenerate"
    if report.score is None:
        return "not measured: no probe draws its changes"
    return f"{report.score.value:.1f} [{report.score.low or 0:.1f}, {report.score.high or 100:.1f}]"


def outcome(report: Report) -> str:
    """What the gates say, in a few words."""
    counts = Counter(verdict.outcome for verdict in report.verdicts)
    total = len(report.verdicts)
    of_all = f"of {total} gate{'s' * (total != 1)}"
    if report.degenerate is not None and not counts[Outcome.FAIL]:
        passed = counts[Outcome.PASS]
        return f"the model is degenerate{f'; {passed} {of_all} passed' if passed else ''}"
    if counts[Outcome.FAIL]:
        return f"{counts[Outcome.FAIL]} {of_all} failed"
    unjudged = sum(word(verdict) == "error" for verdict in report.verdicts)
    if unjudged:
        return f"{unjudged} {of_all} could not be judged"
    if counts[Outcome.INCONCLUSIVE]:
        return f"{counts[Outcome.INCONCLUSIVE]} {of_all} inconclusive"
    return f"{total} {of_all} passed" if total else "no limit was set"


def closing(report: Report) -> str:
    """The score and the verdicts in one line, as pytest ends."""
    counts = Counter(word(verdict) for verdict in report.verdicts)
    named = ", ".join(f"{counts[name]} {name}" for name in WORDS if counts[name])
    count = len(report.warnings)
    warned = f"; {count} warning{'s' * (count != 1)}" if count else ""
    return f"Continuity score {_score(report)}{f'; gates: {named}' if named else ''}{warned}"


def subject(report: Report) -> str:
    """What was audited on what."""
    count = report.data.pictures
    probes = sum(probe.family != NOISE_FLOOR_FAMILY for probe in report.battery)
    return (
        f"{short(report.model.name)} on {count:,} picture{'s' * (count != 1)} "
        f"under {probes} probe{'s' * (probes != 1)}"
    )


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
