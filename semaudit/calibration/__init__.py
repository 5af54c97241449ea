"""Calibration: how visible the rungs of the ladders are, and the ladders at stated visibility."""

from __future__ import annotations

from semaudit.calibration.gmsd import gmsd
from semaudit.calibration.ladders import (
    DISPLACEMENT_LEVELS,
    SSIM_LEVELS,
    Proposal,
    propose,
    strength_at,
)
from semaudit.calibration.meter import Distances, Meter, milliseconds
from semaudit.calibration.record import CALIBRATION, Recorded, recorded

__all__ = [
    "CALIBRATION",
    "DISPLACEMENT_LEVELS",
    "SSIM_LEVELS",
    "Distances",
    "Meter",
    "Proposal",
    "Recorded",
    "gmsd",
    "milliseconds",
    "propose",
    "recorded",
    "strength_at",
]
