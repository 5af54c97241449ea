"""How a comparison looks as text: the same in every rendering."""

from __future__ import annotations

from collections.abc import Sequence

from semaudit.comparing.document import Change, Churn, Comparison, Side
from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.report.document import Interval
from semaudit.report.text import difference, number, percent, percent_interval, points, signed

ALPHA = 0.05
SHARES = ("accuracy", "flip_rate")
"""Metrics that are shown in percent."""

TITLES = {
    "flip_rate": "Flips",
    "shift": "Shift",
    "gradient_turn": "Gradient turn",
    "accuracy": "Accuracy on changed pictures",
}
CHANGE_HEADERS = ("before", "after", "difference", "reading", "fell : rose", "p")
SEEN = "*"
"""Follows the name of a family that was named as seen."""

BRIEF = 4
"""How many of these columns have room in a narrow terminal."""
CHURN_HEADERS = ("answers", "differ", "negative flips", "positive flips")

_HOW_TO_READ = (
    "difference: after minus before (in points where it is a share), over the same pictures, with "
    "its 95 % interval, which assumes nothing but the range of the number. better, worse, lower, "
    "higher: the interval excludes 0. mostly: it does not, but of the pictures that changed so "
    "many went one way that chance would do it in at most 5 % (exact sign test; on the accuracy "
    "of clean pictures McNemar's). Each row stands for itself: of twenty rows without any "
    "difference about one would be read as one."
)
CHURN_NOTE = (
    "differ: the two models answer the same picture differently. negative flips: right before, "
    "wrong now; positive flips: wrong before, right now."
)
IDENTICAL = "The two audits are the same in every number: no difference at all"


def how_to_read(found: Comparison) -> str:
    """How the tables of changes are to be read."""
    marked = f"{SEEN} after a family: named as seen. " if found.seen else ""
    return f"{marked}{_HOW_TO_READ}"


def subject(found: Comparison) -> str:
    """What was compared on what."""
    probes = sum(ladder.family in _shown_families(found) for ladder in found.ladders)
    count = found.pictures
    return (
        f"{found.before.model} before, {found.after.model} after, on the same {count:,} "
        f"picture{'s' * (count != 1)} under {probes} probe{'s' * (probes != 1)}"
    )


def _shown_families(found: Comparison) -> set[str]:
    return {change.name for change in found.changes if change.place == "family"}


def sides(found: Comparison) -> list[tuple[str, str]]:
    """(name, text) of the two audits."""
    return [("before", _side(found.before)), ("after", _side(found.after))]


def _side(side: Side) -> str:
    return f"audit {side.audit}, weights {side.weights_sha256[:12]}"


def clean_rows(found: Comparison) -> list[tuple[str, ...]]:
    """The clean pictures, and the score of the whole: a row a metric."""
    return [
        (each.metric, *change_cells(each))
        for each in found.changes
        if each.place == "clean" or each.metric == "score"
    ]


def sections(found: Comparison) -> list[tuple[str, list[tuple[str, ...]]]]:
    """(title, rows) of each metric along ladders: a row a place."""
    made = []
    for metric, title in TITLES.items():
        rows = [
            (_place(each, found), *change_cells(each))
            for each in _sorted(found.changes)
            if each.metric == metric and each.place != "clean"
        ]
        if rows:
            made.append((title, rows))
    return made


def _sorted(changes: Sequence[Change]) -> list[Change]:
    """The whole, what was seen and held out, the families with the worst change first, and last
    the worst case, which stands beside them."""
    places = ("clean", "all", "seen", "held-out", "family")

    def key(each: Change) -> tuple[bool, int, float]:
        rise = each.difference.value
        worse = rise if each.higher_is_better else -rise
        return each.name == ADVERSARIAL_FAMILY, places.index(each.place), worse

    return sorted(changes, key=key)


def _place(each: Change | Churn, found: Comparison) -> str:
    if each.place != "family":
        return each.place
    name = "worst case" if each.name == ADVERSARIAL_FAMILY else each.name
    return f"{name}{SEEN}" if each.name in found.seen else name


def change_cells(each: Change) -> tuple[str, ...]:
    """What `CHANGE_HEADERS` say of a change."""
    share = each.metric in SHARES
    show = percent if share else number
    return (
        show(each.before),
        show(each.after),
        difference(each.difference.value, each.difference, points if share else signed),
        reading(each),
        f"{each.lower:,} : {each.higher:,}",
        p_value(each.p_value),
    )


def p_value(p: float) -> str:
    """A p-value, as it is read."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def reading(each: Change) -> str:
    """What the interval, or else the sign test, says of a change."""
    if each.lower == each.higher == 0:
        return "same"
    low, high = each.difference.low, each.difference.high
    if low is not None and low > 0:
        return _direction(each, rose=True)
    if high is not None and high < 0:
        return _direction(each, rose=False)
    if each.p_value <= ALPHA:
        return f"mostly {_direction(each, rose=each.higher > each.lower)}"
    return "unclear"


def _direction(each: Change, *, rose: bool) -> str:
    if each.higher_is_better is None:
        return "higher" if rose else "lower"
    return "better" if rose == each.higher_is_better else "worse"


def churn_rows(found: Comparison) -> list[tuple[str, ...]]:
    """A row a place."""
    ordered = sorted(found.churn, key=lambda each: each.name == ADVERSARIAL_FAMILY)
    return [
        (
            _place(each, found),
            _share(each.churn),
            _share(each.negative_flips),
            _share(each.positive_flips),
        )
        for each in ordered
    ]


def _share(each: Interval | None) -> str:
    return "-" if each is None else f"{percent(each.value)} {percent_interval(each)}"


def mcnemar(found: Comparison) -> str | None:
    """The exact test of the accuracy on clean pictures, in words; None without labels."""
    each = found.change("accuracy", "clean")
    if each is None:
        return None
    return (
        f"clean pictures: {each.lower:,} right before and wrong now, {each.higher:,} wrong before "
        f"and right now; McNemar's exact test p = {p_value(each.p_value)}"
    ).replace("= <", "< ")


def closing(found: Comparison) -> str:
    """One last line."""
    if found.identical:
        return IDENTICAL
    said = []
    for metric, place, name in (
        ("shift", "shift", "all"),
        ("flip_rate", "flips", "all"),
        ("gradient_turn", "turn", "all"),
        ("accuracy", "clean accuracy", "clean"),
    ):
        each = found.change(metric, "clean" if name == "clean" else "all")
        if each is not None:
            said.append(_closing(each, place))
    return "; ".join(said) if said else "Only the noise floor was measured"


def _closing(each: Change, name: str) -> str:
    show = percent if each.metric in SHARES else number
    turned = f"{name} {show(each.before)} to {show(each.after)}"
    if each.place == "clean" or each.relative is None:
        return turned
    return f"{turned} ({100 * each.relative:+.0f} %)".replace("(+0 %)", "(0 %)").replace(
        "(-0 %)", "(0 %)"
    )
