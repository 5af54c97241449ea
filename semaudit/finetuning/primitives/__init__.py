"""Generic changes to train under: none of them is a probe, so the whole battery stays unseen.

In the style of PRIME (Modas, Rade, Ortiz-Jimenez, Moosavi-Dezfooli, Frossard 2022, "PRIME: a few
primitives can boost robustness to common corruptions"): random members of a few large classes of
smooth changes, of where pixels look, of how neighbours mix, of what light and colour become, and of
what is added. Each is ``(images, strength, draw) -> images``, the identity at strength 0, with a
strength a picture, (n, 1, 1, 1).
"""

from __future__ import annotations

from semaudit.finetuning.primitives.bands import add_band
from semaudit.finetuning.primitives.colours import bend_colours
from semaudit.finetuning.primitives.displacement import displace
from semaudit.finetuning.primitives.filters import mix_neighbours

__all__ = ["add_band", "bend_colours", "displace", "mix_neighbours"]
