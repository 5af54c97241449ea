"""A scan of a linear model whose every answer has a closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semaudit.audit import scan
from semaudit.perturbations import Draw

SIDE, STEEPNESS = 8, 20.0
LEVELS = (0.35, 0.42, 0.47, 0.53, 0.58, 0.65)
"""The grey of each picture: around mid-grey, where the model's answer turns."""
CLOSE = 1e-4
"""Relative; the samples are float32."""


@dataclass(frozen=True)
class Known:
    """A figure with its closed form."""

    name: str
    expected: float
    measured: float

    @property
    def right(self) -> bool:
        """Whether the two agree."""
        return math.isclose(self.expected, self.measured, rel_tol=CLOSE, abs_tol=CLOSE / 100)


class _Ramp(nn.Module):
    """Two logits, -z and z: linear in the mean brightness, and 0 at mid-grey."""

    num_classes = 2

    def forward(self, images: Tensor) -> Tensor:
        z = STEEPNESS * (images.double().mean((1, 2, 3)) - 0.5)
        return torch.stack([-z, z], 1)


def self_check() -> list[Known]:
    """Scan plain grey pictures under one probe that only makes them lighter or darker."""
    images = torch.tensor(LEVELS)[:, None, None, None].expand(-1, 1, SIDE, SIDE).contiguous()
    audit = scan(_Ramp(), images, select="brightness", device="cpu", amp_dtype="float32")
    track = next(each for each in audit.report.battery if each.name == "brightness")
    draw = Draw.of(audit.report.seed, "brightness", audit.images()["image"].tolist())
    signs = [1 if sign > 0 else -1 for sign in draw.sign().reshape(-1).tolist()]
    pairs = [
        (_z(level), _z(level + sign * strength))
        for level, sign in zip(LEVELS, signs, strict=True)
        for strength in track.ladder
    ]
    pixels = SIDE * SIDE
    expected = {
        "shift": _mean([_jsd(_p(z), _p(moved)) for z, moved in pairs]),
        "flip_rate": _mean([float((z > 0) != (moved > 0)) for z, moved in pairs]),
        "gradient_l2": STEEPNESS / math.sqrt(pixels),
        "boundary_l2": _mean([abs(level - 0.5) for level in LEVELS]) * math.sqrt(pixels),
        "jacobian_spectral": STEEPNESS * math.sqrt(2 / pixels),
        "gradient_turn": 0.0,
        "noise_floor": 0.0,
    }
    return [Known(name, value, _measured(audit.report, name)) for name, value in expected.items()]


def _measured(report: object, name: str) -> float:
    from semaudit.report.document import Report

    assert isinstance(report, Report)
    found = report.noise_floor if name == "noise_floor" else report.estimate(name)
    return math.nan if found is None else found.value


def _z(level: float) -> float:
    return STEEPNESS * (min(1.0, max(0.0, level)) - 0.5)


def _p(z: float) -> float:
    return 1 / (1 + math.exp(-2 * z))


def _jsd(p: float, q: float) -> float:
    middle = (p + q) / 2
    return _entropy(middle) - (_entropy(p) + _entropy(q)) / 2


def _entropy(p: float) -> float:
    return -sum(each * math.log2(each) for each in (p, 1 - p) if each > 0)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)
