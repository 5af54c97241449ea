"""A perturbation in one file.

    semaudit scan MODEL --data DIR --plugin examples/fog.py --select fog

A decorated function that carries its own ladder is a complete probe: the first line of its
docstring is the claim.
"""

from __future__ import annotations

import torch

from semaudit.perturbations import Draw, Strength, perturbation


@perturbation(family="weather", ladder=(0.05, 0.1, 0.2))
def fog(images: torch.Tensor, strength: Strength, draw: Draw) -> torch.Tensor:
    """A light, even fog does not change what the picture shows."""
    return images.lerp(torch.ones_like(images), strength)
