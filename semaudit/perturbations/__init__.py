"""Changes that keep the meaning of a picture: importing this registers the built-in families."""

from semaudit.perturbations import (
    adversarial,
    blur,
    codec,
    colour,
    frequency,
    geometric,
    identity,
    noise,
    occlusion,
    photometric,
    warps,
    watermark,
    weather,
)
from semaudit.perturbations.draw import Draw
from semaudit.perturbations.registry import Perturbation, Strength, get, perturbation, registered

__all__ = ["Draw", "Perturbation", "Strength", "get", "perturbation", "registered"]

# Imported for what they register; a plain list, so that nothing is found by accident.
_FAMILIES = (
    identity,
    noise,
    blur,
    photometric,
    colour,
    geometric,
    warps,
    codec,
    occlusion,
    watermark,
    frequency,
    weather,
    adversarial,
)
