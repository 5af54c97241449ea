"""What a baseline is of, and which limits it can serve, in words and for programs."""

from __future__ import annotations

from typing import Any

from semaudit.comparing.opening import Opened
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.metric import CHANGES


def limitable(found: Opened) -> list[str]:
    """The metrics that limits against this baseline may speak of."""
    report = found.report
    lacking = [] if report.data.labelled else ["accuracy", "negative_flips"]
    changes = [] if report.model.activation == "none" else [*CHANGES]
    names = [*changes, *(each.name for each in report.metrics)]
    return sorted(name for name in names if name not in lacking)


def served(found: Opened) -> str:
    """In one sentence."""
    report = found.report
    return (
        f"{report.data.pictures:,} pictures under {_probes(found)} probes; serves limits on "
        f"{', '.join(limitable(found))}"
    )


def _probes(found: Opened) -> int:
    return sum(probe.family != NOISE_FLOOR_FAMILY for probe in found.report.battery)


def facts(found: Opened) -> list[tuple[str, str]]:
    """(name, text) of what a baseline is of."""
    report = found.report
    model, data = report.model, report.data
    return [
        ("baseline", found.name),
        ("model", f"{model.name} (weights {model.weights_sha256[:12]})"),
        ("outputs", f"{model.num_classes:,}, {model.activation}"),
        ("input", model.preprocessing),
        ("pictures", f"{data.pictures:,}, {'' if data.labelled else 'not '}labelled"),
        ("fingerprint", data.fingerprint[:12]),
        ("probes", f"{_probes(found)}, of {', '.join(report.layout.all_families)}"),
        ("seed", f"{report.seed}"),
        ("semaudit", report.semaudit),
        ("serves limits on", ", ".join(limitable(found))),
    ]


def described(found: Opened) -> dict[str, Any]:
    """The same for programs."""
    report = found.report
    return {
        "baseline": found.name,
        "semaudit": report.semaudit,
        "model": report.model.model_dump(mode="json"),
        "pictures": report.data.pictures,
        "labelled": report.data.labelled,
        "fingerprint": report.data.fingerprint,
        "seed": report.seed,
        "probes": {probe.name: probe.ladder for probe in report.battery},
        "metrics": limitable(found),
    }
