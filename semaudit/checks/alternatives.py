"""What else pictures may have to go through: the usual conventions, one change at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from semaudit.models import Preprocessing

Kind = Literal["override", "channels", "normalisation", "geometry"]
Values = tuple[float, ...]

STATISTICS: tuple[tuple[str, Values, Values], ...] = (
    ("ImageNet's mean and standard deviation", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    (
        "OpenAI CLIP's mean and standard deviation",
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
    ),
    ("mean 0.5 and standard deviation 0.5", (0.5,), (0.5,)),
    ("values in [0, 1] as they are", (0.0,), (1.0,)),
    ("values in [0, 255]", (0.0,), (1 / 255,)),
)
CROPPINGS = (("center", 0.875), ("center", 1.0), ("squash", 1.0))
"""What lies between, such as 0.95, cannot be told from these on 32 pictures."""

OVERRIDABLE = ("mean", "std", "crop_pct", "crop_mode", "interpolation")
IN_MEMORY = ("mean", "std")
"""The settings that bear on pictures that are at the input size already."""


@dataclass(frozen=True)
class Alternative:
    """Another way to preprocess.

    Attributes:
        kind: what it changes.
        claim: what is different, for a sentence with the figures.
        advice: what it means if it is better.
        preprocessing: the settings.
        flipped: whether the channels come in the opposite order.
    """

    kind: Kind
    claim: str
    advice: str
    preprocessing: Preprocessing
    flipped: bool = False


def alternatives_to(current: Preprocessing, *, geometry: bool) -> Iterator[Alternative]:
    """Yield at most nine; the croppings only with ``geometry``."""
    channels = current.input_size[0]
    if channels == 3:
        advice = "the pictures seem to be BGR where the model takes RGB, or the other way round"
        claim = "with red and blue exchanged"
        yield Alternative("channels", claim, advice, current, flipped=True)
    for name, mean, std in STATISTICS:
        given = replace(current, mean=_spread(mean, channels), std=_spread(std, channels))
        if not _close(given, current):
            advice = "the model seems to be trained with another normalisation"
            claim = f"with {name} (--mean {_listed(given.mean)} --std {_listed(given.std)})"
            yield Alternative("normalisation", claim, advice, given)
    for mode, share in CROPPINGS if geometry else ():
        given = replace(current, crop_mode=mode, crop_pct=share)
        if given != current:
            advice = "the model seems to be trained with another cropping"
            claim = f"with --crop-mode {mode} --crop-pct {share:g}"
            yield Alternative("geometry", claim, advice, given)


def away_from(own: Preprocessing, current: Preprocessing, *, geometry: bool) -> Alternative | None:
    """Return the way back to the model's own settings, or None where they are in force.

    The input size is left as it is: other sizes are common, and the module may be built for it.
    """
    channels = current.input_size[0]
    own = replace(own, mean=_spread(own.mean, channels), std=_spread(own.std, channels))
    keys = OVERRIDABLE if geometry else IN_MEMORY
    changed = {key: getattr(own, key) for key in keys if getattr(own, key) != getattr(current, key)}
    if not changed:
        return None
    claim = " and ".join(
        f"{key.replace('_', '-')} {_shown(getattr(current, key))} is not the model's own "
        f"({_shown(value)})"
        for key, value in changed.items()
    )
    return Alternative("override", claim, "", replace(current, **changed))


def _spread(values: Values, channels: int) -> Values:
    """One value a channel; their mean where they were stated for another number of channels."""
    return values if len(values) == channels else (fmean(values),) * channels


def _close(one: Preprocessing, other: Preprocessing) -> bool:
    pairs = zip(one.mean + one.std, other.mean + other.std, strict=True)
    return all(abs(a - b) <= 1e-3 for a, b in pairs)


def _shown(value: object) -> str:
    return _listed(value) if isinstance(value, tuple) else f"{value}"


def _listed(values: Values) -> str:
    """Numbers as the flags take them; one where all are the same."""
    return ",".join(f"{value:.4g}" for value in (values[:1] if len(set(values)) == 1 else values))
