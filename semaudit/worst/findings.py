"""What a check of the gradients raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Name = Literal[
    "black_box_beats_gradient",
    "vanishing_gradients",
    "non_finite_gradients",
    "no_rise_to_one",
    "stochastic_forward",
    "stochastic_gradient",
    "gradient_disagrees_with_differences",
    "rounding_stage",
    "searched_without_gradients",
    "checks_failed",
]

MEANINGS: dict[Name, str] = {
    "black_box_beats_gradient": (
        "Tries without gradients find clearly larger shifts than as many gradients do: "
        "the gradients lead astray, and the worst case is likely worse than what was found."
    ),
    "vanishing_gradients": (
        "The gradient of the shift is zero where the search starts: "
        "it has no direction to go, and what it found says little about the worst case."
    ),
    "non_finite_gradients": (
        "Gradients are infinite or not a number: the search cannot follow them, and no measure of "
        "the gradients means anything."
    ),
    "no_rise_to_one": (
        "Even where every value may be changed at will the search finds no large shift: "
        "it fails, or the model answers the same to everything."
    ),
    "stochastic_forward": (
        "The same pictures get other answers in a second, identical run: "
        "a shift is partly chance, and a gradient belongs to one run only."
    ),
    "stochastic_gradient": (
        "The same pictures get other gradients in a second, identical backward pass: "
        "a search that follows them walks at random, and their smoothness means nothing."
    ),
    "gradient_disagrees_with_differences": (
        "The output does not rise along the gradient as the gradient says: the backward pass is "
        "not the slope of the model, and a search that follows it is led astray."
    ),
    "rounding_stage": (
        "The answer moves in steps as the picture changes evenly, as behind a rounding or integer "
        "stage: gradients say nothing about such a model."
    ),
    "searched_without_gradients": (
        "Worst cases are looked for by chance alone, for the model has no gradients to follow: "
        "the worst case may be far worse than what was found."
    ),
    "checks_failed": (
        "The checks that expose a failing search could not be run: nothing says whether worst "
        "cases and gradients of this model tell the truth."
    ),
}
"""What each finding means to a reader of the report."""


@dataclass(frozen=True)
class Finding:
    """A check that a model failed.

    Attributes:
        name: of the check.
        meaning: what it means, a sentence.
        evidence: the figures.
    """

    name: Name
    meaning: str
    evidence: str


def raised(name: Name, evidence: str) -> Finding:
    """The finding of this name."""
    return Finding(name, MEANINGS[name], evidence)


def untrusted(findings: Sequence[Finding]) -> str | None:
    """One sentence that says why worst cases and gradients cannot be trusted; None: they can."""
    if not findings:
        return None
    names = ", ".join(finding.name for finding in findings)
    return f"the worst case and the gradients of this model cannot be trusted ({names})"
