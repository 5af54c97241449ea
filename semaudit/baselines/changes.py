"""What a report says of its baseline: what is new, what is fixed and what has stayed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from semaudit.baselines.pairing import SHOWN, Pairing, only
from semaudit.columns import fold
from semaudit.comparing import remarks
from semaudit.comparing.alike import definitions
from semaudit.comparing.changes import (
    RIGHT,
    SHARE,
    change_of_clean,
    changes_along,
    exchanged,
    interval,
    right,
)
from semaudit.comparing.document import Change
from semaudit.comparing.places import Places, places
from semaudit.layout import Array
from semaudit.report.document import Baseline, Changed, Flips, Interval, Moved
from semaudit.statistics import mean_evidence


def changes(pairing: Pairing) -> Baseline:
    """Say what changed since the baseline, with paired 95 % intervals."""
    baseline = pairing.baseline
    model = baseline.report.model
    accuracy, answers, negative, positive = _clean(pairing)
    return Baseline(
        source=baseline.name,
        model=model.name,
        weights_sha256=model.weights_sha256,
        semaudit=baseline.report.semaudit,
        notes=[
            *remarks.notes(pairing.pairs.before, baseline, {}),
            *(f"in the baseline: {each}" for each in baseline.report.warnings),
        ],
        accuracy=accuracy,
        answers=answers,
        negative_flips=negative,
        positive_flips=positive,
        changed=list(_changed(pairing)),
    )


def _clean(
    pairing: Pairing,
) -> tuple[Moved | None, Interval | None, Interval | None, Interval | None]:
    """Of the clean pictures: accuracy, other answers, negative and positive flips."""
    pairs = pairing.pairs
    if pairs.before.report.model.activation == "none":
        return None, None, None, None
    now, then = pairs.clean_classes()
    labels = pairs.labels()
    accuracy = change_of_clean(RIGHT, right((then, now), labels), True)
    answers, negative, positive = (_share(each[:, 0]) for each in exchanged((then, now), labels))
    return (_moved(accuracy[0]) if accuracy else None), answers, negative, positive


def _share(column: Array) -> Interval | None:
    return interval(mean_evidence(column, (0, 1))) if np.isfinite(column).any() else None


def _moved(change: Change) -> Moved:
    return Moved(baseline=change.before, now=change.after, difference=change.difference)


def _changed(pairing: Pairing) -> Iterator[Changed]:
    """The whole, and each family."""
    layout = pairing.pairs.layout
    where = places(layout, ())
    known = definitions(pairing.pairs.before, SHOWN)
    rates: dict[str, list[Change]] = {}
    for name in SHOWN:
        if name in known:
            now, then = pairing.measured(known[name])
            rates[name] = changes_along(known[name], (then, now), layout, where, False)
    flips = dict(_flips(pairing, where)) if rates.get("flip_rate") else {}
    moved = {each.name: _moved(each) for each in rates.get("flip_rate", [])}
    for change in rates["shift"]:
        shares = flips.get(change.name)
        yield Changed(
            scope="all" if change.place == "all" else "family",
            name=change.name,
            shift=_moved(change),
            flips=None if shares is None else Flips(rate=moved[change.name], **shares),
        )


def _flips(pairing: Pairing, where: Places) -> Iterator[tuple[str, dict[str, Interval]]]:
    """The shares of flips that are new, fixed and unchanged, at every place."""
    now, then = pairing.flips()
    new, fixed = only(now, then), only(then, now)
    unchanged = np.where(np.isnan(new), np.nan, (now > 0) & (then > 0))
    parts = [part for _, _, part in where]
    folded = [fold(each, SHARE, pairing.pairs.layout, parts) for each in (new, fixed, unchanged)]
    for g, (_, name, _) in enumerate(where):
        shares = [_share(each[:, g]) for each in folded]
        found = dict(zip(("new", "fixed", "unchanged"), shares, strict=True))
        told = {key: share for key, share in found.items() if share is not None}
        if len(told) == len(found):
            yield name, told
