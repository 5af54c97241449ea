"""Limits that no model and no pictures could give a verdict: told before torch is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from semaudit.errors import GateError
from semaudit.gates.binding import check_alone, tracks_of
from semaudit.gates.grammar import Gate, parse
from semaudit.gates.numbers import refuse_limits_without_baseline
from semaudit.gates.shipped import SHIPPED, as_metrics, shipped_tracks
from semaudit.installed import installed_plugins
from semaudit.layout import Layout
from semaudit.metric import CHANGES, TRANSPORT, Metric
from semaudit.settings import FLAG, Resolved, Settings

HIGHER_IS_BETTER = ("accuracy", "score")
LOWER_IS_BETTER = ("flip_rate", "shift", *CHANGES)


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
            raise GateError(
                f"{limit.text!r} needs gradients, which --no-gradients, or gradients: false in the "
                "settings, turns off: leave that out"
            )


def backwards(limits: Sequence[str]) -> Iterator[str]:
    """What to say of limits that better models break; those that cannot be read are left out."""
    for text in limits:
        with suppress(GateError):
            gate = parse(text)
            higher = gate.metric in HIGHER_IS_BETTER
            if gate.metric in (*HIGHER_IS_BETTER, *LOWER_IS_BETTER) and higher == gate.at_most:
                better, sign = ("higher", ">=") if higher else ("lower", "<=")
                yield (
                    f"{text!r} is broken by better models: {gate.metric} is better the {better}; "
                    f"did you mean {sign}?"
                )


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
            layout = Layout(tuple(shipped_tracks()))
            for limit in known:
                tracks_of(limit, layout)
    except GateError as error:
        origin = resolved.origins["fail_on"]
        raise GateError(f"{'' if origin == FLAG else f'{origin}: '}{error}") from None
    return len(known) == len(limits)
