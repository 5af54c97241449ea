"""The rows of what lies deeper than drawn changes: worst cases, and gradients at the pictures."""

from __future__ import annotations

from collections.abc import Mapping

from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.report.document import Estimate, Report
from semaudit.report.text.numbers import (
    interval,
    number,
    percent,
    percent_interval,
    significant,
    similarity,
)

WORST_CASE_HEADERS = ("search", "strength", "flips", "shift", "SSIM")

GRADIENT_HEADERS = ("at the pictures", "of the clean class's logit", "of the loss")

GRADIENT_NOTE = (
    "Logits, or nats of the loss, per unit of L2 of the whole picture, full scale being 1. High is "
    "worse, but of gradient_snr, boundary_l2 and boundary_linf, where low is. ± is a standard "
    "error; jacobian_spectral is a lower bound, converged where its residual is 0.05 or less."
)

_LOSS = "loss_"
_ERRORS = {
    "jacobian_frobenius": ("± {}", "jacobian_frobenius_se"),
    "jacobian_spectral": ("residual {}", "jacobian_spectral_residual"),
}
"""What is said in the row of another metric, of how sure that one is."""


def worst_case_rows(report: Report) -> list[tuple[str, str, str, str, str]]:
    """The worst that was found at each strength of each searched probe."""
    rows = []
    for curve in report.curves:
        if curve.family != ADVERSARIAL_FAMILY:
            continue
        for k, strength in enumerate(curve.strengths):
            flips = None if curve.flip_rate is None else curve.flip_rate[k]
            shift = curve.shift[k]
            rows.append(
                (
                    curve.probe if k == 0 else "",
                    f"{strength:g}",
                    "-" if flips is None else f"{percent(flips.value)} {percent_interval(flips)}",
                    f"{number(shift.value)} {interval(shift)}",
                    similarity(curve.ssim[k]),
                )
            )
    return rows


def gradient_rows(report: Report) -> list[tuple[str, str, str]]:
    """The means over pictures of what was measured of gradients at them."""
    found = {
        each.name: report.estimate(each.name)
        for each in report.metrics
        if each.needs_gradients and each.level == "image"
    }
    there = {name: estimate for name, estimate in found.items() if estimate is not None}
    said = {name for _, name in _ERRORS.values()}
    return [
        (name, _cell(name, there), _cell(f"{_LOSS}{name}", there))
        for name in there
        if name not in said and not name.startswith(_LOSS)
    ]


def _cell(name: str, estimates: Mapping[str, Estimate]) -> str:
    if name not in estimates:
        return "-"
    form, other = _ERRORS.get(name, ("", ""))
    error = f" {form.format(significant(estimates[other].value))}" if other in estimates else ""
    found = estimates[name]
    return f"{significant(found.value)} {interval(found, significant)}{error}"
