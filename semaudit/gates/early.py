"""Limits that no model and no pictures could give a verdict: told before torch is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import yaml

from semaudit.errors import GateError
from semaudit.gates.binding import check_alone, tracks_of
from semaudit.gates.grammar import Gate, parse
from semaudit.gates.numbers import refuse_limits_without_baseline
from semaudit.gates.shipped import SHIPPED, as_metrics
from semaudit.installed import installed_plugins
from semaudit.layout import Layout, Track
from semaudit.metric import CHANGES, TRANSPORT, Metric
from semaudit.probedir import probes_dir
from semaudit.settings import FLAG, Resolved, Settings


def refuse_hopeless(
    limits: Sequence[Gate], settings: Settings, metrics: Mapping[str, Metric]
) -> None:
    """Refuse, before any work, limits that the settings alone show to be wrong.

    Args:
        limits: of the settings.
        settings: of the scan.
        metrics: all that there are, by name.

    Raises:
        GateError: names the limit, and what to do.
    """
    refuse_limits_without_baseline(limits, settings.baseline is not None)
    for limit in limits:
        if limit.metric == TRANSPORT and settings.taxonomy is None:
            raise GateError(f"{limit.text!r} needs a tree of classes: --taxonomy head, or a file")
        metric = check_alone(limit, metrics, labelled=not settings.ignore_labels)
        if metric.needs_gradients and not settings.gradients:
            raise GateError(f"{limit.text!r} needs gradients: leave --no-gradients out")


def refuse_early(resolved: Resolved) -> bool:
    """Look at the limits of the settings with what is known without torch.

    Returns:
        Whether all could be looked at: what plugins measure is known only once they are loaded.

    Raises:
        GateError: names the place, the limit, and what to do.
    """
    settings = resolved.settings
    if not settings.fail_on:
        return True
    extended = bool(settings.plugin or installed_plugins())
    try:
        limits = [parse(text) for text in settings.fail_on]
        known = [each for each in limits if not extended or each.metric in {*SHIPPED, *CHANGES}]
        refuse_hopeless(known, settings, as_metrics())
        if settings.battery is None and not extended:
            layout = Layout(tuple(_shipped()))
            for limit in known:
                tracks_of(limit, layout)
    except GateError as error:
        origin = resolved.origins["fail_on"]
        raise GateError(f"{'' if origin == FLAG else f'{origin}: '}{error}") from None
    return len(known) == len(limits)


def _shipped() -> Iterator[Track]:
    """All shipped probes; their ladders, which settings may change, are left out."""
    for path in sorted(probes_dir().glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name in document["probes"]:
            yield Track(name, document["family"], ())
