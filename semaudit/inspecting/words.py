"""A case in words: what the terminal and the picture say alike."""

from __future__ import annotations

import math
from dataclasses import replace

from semaudit.inspecting.case import Case
from semaudit.report.text import number, percent, probability, similarity, strength

LEAP = 0.5
"""From this share of the whole way on, the break is called a leap."""


def label(case: Case) -> str:
    """The label, and whether the clean answer is right."""
    if case.label is None:
        return "none"
    if case.activation == "none" or case.label >= len(case.names):
        return f"class {case.label}"
    right = (
        "the clean answer is right"
        if case.label in case.clean.decided
        else ("the clean answer is wrong")
    )
    return f"{case.names[case.label]} ({right})"


def clean_answer(case: Case) -> str:
    """The answer for the clean picture, with its confidence."""
    if case.activation != "softmax":
        return case.decided(case.clean)
    sure = case.clean.probabilities[case.clean.decided[0]]
    return f"{case.names[case.clean.decided[0]]}, {probability(float(sure))}"


def of_ladder(case: Case) -> str:
    """How far the ladder goes, and what its strengths are."""
    if case.searched:
        return _of_search(case)
    unit = f": {case.probe.unit}" if case.probe.unit else ""
    return f"of a ladder to {strength(case.probe.ladder[-1])}{unit}"


def _of_search(case: Case) -> str:
    """What a strength is on the way to a change that was looked for, and at which radii it was."""
    radii = ", ".join(strength(radius) for radius in case.probe.ladder)
    unit = f": {case.probe.unit}" if case.probe.unit else ""
    which = "" if case.course.onset is None else ", the first that flips"
    return (
        f"along the straight way to the change found at radius {strength(_end(case))}{which}; "
        f"radii of the search {radii}{unit}"
    )


def course(case: Case) -> list[str]:
    """What the way does besides the flip that is told, a line each."""
    told = case.course
    if not case.flips:
        return []
    said = []
    if told.onset is None:
        said.append("the scan has no flip here, for it looks at the rungs alone")
    if told.early is not None:
        early = strength(told.early)
        said.append(f"another answer already at {early}, and the clean one again before this flip")
    if told.back is not None:
        said.append(f"it flips back: the clean answer again at {strength(told.back)}")
    return said


def where(case: Case) -> str:
    """At which strength it breaks, in one line."""
    before, after = strength(case.before.strength), strength(case.after.strength)
    if case.flips:
        if case.before.strength == 0:
            return f"at any strength: already at {after}"
        told = case.course.onset
        if told is None or strength(told) == strength(case.onset):
            return f"at {strength(case.onset)}"
        return f"at {strength(told)}, to the scan; more exactly at {strength(case.onset)}"
    if case.random:
        return "cannot be told: the answer is random here"
    if not case.leap:
        return "nowhere, and the output does not move at all"
    kind = "steepest from" if case.activation == "none" else "nowhere; steepest from"
    return f"{kind} {before} to {after}"


def turned(case: Case) -> str:
    """From which answer to which."""
    if case.activation == "none":
        return ""
    if case.random:
        return "random: the same picture gets others in a second run"
    if not case.flips:
        return f"it stays {case.decided(case.after)}"
    if case.activation == "sigmoid":
        before, after = {*case.before.decided}, {*case.after.decided}
        changes = (("gains", after - before), ("loses", before - after))
        said = (f"{verb} {_named(case, found)}" for verb, found in changes if found)
        return " and ".join(said)
    return f"{case.decided(case.before)} turns into {case.decided(case.after)}"


def _named(case: Case, classes: set[int]) -> str:
    return case.decided(replace(case.clean, decided=tuple(sorted(classes))))


def leap(case: Case) -> str:
    """How much of the way the break makes alone, and what that means."""
    if math.isnan(case.share):
        return "the output does not move along the ladder"
    made = f"{probability(case.share)} of all that the output moves up to {strength(_end(case))}"
    if case.random:
        return f"{made}, by chance"
    if not case.flips:
        even = 1 / (len(case.sweep.even) - 1)
        return f"{made} (an even drift: {percent(even)})"
    if case.share >= LEAP:
        return f"{made}: a leap"
    small = "the answer changes where two classes cross, without a leap"
    if case.activation == "sigmoid":
        small = "a label crosses one half, without a leap"
    return f"{made}: {small}" if case.share < 0.05 else made


def _end(case: Case) -> float:
    return float(case.sweep.strengths[-1])


def moved(case: Case) -> str:
    """How far the picture had moved."""
    each = case.moved
    return f"RMS {number(each.rms)}, L-infinity {number(each.linf)}, SSIM {similarity(each.ssim)}"


def turn(case: Case) -> str:
    """How far the gradient turns, where that is known."""
    return f"{number(case.gradient_turn)} across it (0: parallel, 1: at right angles)"


def rows(case: Case) -> list[tuple[str, str, str, str]]:
    """(class, clean, just before, just past), one row a class."""
    clean, before, after = (
        [probability(float(p)) for p in side.probabilities]
        for side in (case.clean, case.before, case.after)
    )
    return [(case.names[k], clean[k], before[k], after[k]) for k in case.shown]
