"""How numbers, intervals and curves look."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from semaudit.report.document import Interval, Verdict

_BARS = "▁▂▃▄▅▆▇█"
# Control characters, line breaks and those that turn the direction of writing around.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def printable(text: str) -> str:
    """Text from outside on one line, without what a terminal would obey."""
    return _UNPRINTABLE.sub(" ", text)


def short(text: str, most: int = 120) -> str:
    """A name from outside, cut where it is longer than any that a person reads."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def number(value: float | None) -> str:
    """Three significant places; tiny and huge numbers in powers of ten; ∞ for None."""
    if value is None:
        return "∞"
    if value == 0:
        return "0"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.3g}"


def significant(value: float | None) -> str:
    """Three significant digits written out, for columns whose numbers are of all sizes."""
    if value is None:
        return "∞"
    if value == 0:
        return "0"
    if not 1e-6 <= abs(value) < 1e6:
        return f"{value:.2e}"
    rounded = float(f"{value:.2e}")
    places = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{places}f}"


def percent(value: float, places: int = 1) -> str:
    """A share in [0, 1] in percent."""
    return f"{100 * value:.{places}f} %"


def strength(value: float) -> str:
    """A strength, to the thousandth that it is known to."""
    return f"{value:.4g}"


def probability(value: float) -> str:
    """A probability in percent; not 0 or 100 unless it is."""
    shown = 100 * value
    if 0 < shown < 0.05:
        return "< 0.1 %"
    return "> 99.9 %" if 99.95 <= shown < 100 else f"{shown:.1f} %"


def similarity(ssim: float) -> str:
    """An SSIM; not 1 unless it is."""
    return "> 0.9999" if 0.99995 <= ssim < 1 else f"{ssim:.4f}"


def interval(each: Interval | Verdict, show: Callable[[float | None], str] = number) -> str:
    """The 95 % interval."""
    low = "-∞" if each.low is None else show(each.low)
    return f"[{low}, {show(each.high)}]"


def percent_interval(each: Interval) -> str:
    """The 95 % interval of a share, in percent."""
    return f"[{100 * (each.low or 0):.1f}, {100 * (1 if each.high is None else each.high):.1f}]"


def signed(value: float) -> str:
    """A difference as a number."""
    return f"{'-' if value < 0 else '+' if value > 0 else ''}{number(abs(value))}"


def points(value: float) -> str:
    """A difference of shares in percentage points."""
    rounded = round(100 * value, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def difference(value: float, each: Interval | Verdict, show: Callable[[float], str]) -> str:
    """A difference with the interval that goes with it."""
    low = "-∞" if each.low is None else show(each.low)
    high = "∞" if each.high is None else show(each.high)
    return f"{show(value)} [{low}, {high}]"


def estimated(each: Interval | Verdict) -> str:
    """A value with its interval; a dash where nothing could be measured.

    Of a gate that is held against a baseline, the difference, and what it is of.
    """
    if each.value is None:
        return "-"
    if not isinstance(each, Verdict) or each.against is None:
        return f"{number(each.value)} {interval(each)}"
    then = number(each.against.baseline)
    times = "" if each.against.factor == 1 else f"{each.against.factor:g} x "
    said = difference(each.value, each, signed)
    return f"{said}: {number(each.against.now)} now, {times}{then} in the baseline"


def sparkline(values: Sequence[float], top: float) -> str:
    """One bar a value, from 0 to ``top``, which all curves of a report share."""
    scale = (len(_BARS) - 1) / top if top > 0 else 0
    return "".join(_BARS[min(len(_BARS) - 1, round(value * scale))] for value in values)
