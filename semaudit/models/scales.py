"""What the columns of an output hold: logits, or probabilities whose logarithms stand for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from semaudit.metric import Activation

Scale = Literal["logits", "probabilities"]

_ROUNDING = 2e-3  # what half precision leaves of a sum of probabilities
_SLACK = 0.05  # for what the user calls probabilities: theirs may be rounded further


def as_logits(table: Tensor, scale: Scale, activation: Activation) -> Tensor:
    """Turn the columns of an output (n, k) into logits; NaN where a probability is none."""
    if activation == "none":
        return table
    single = table.shape[1] == 1 and activation == "softmax"
    if scale == "logits":
        # Softmax of (0, z) is the sigmoid of z.
        return torch.cat([torch.zeros_like(table), table], 1) if single else table
    exact = table.float() if table.dtype != torch.float64 else table
    smallest = torch.finfo(exact.dtype).tiny
    # What is no probability must not pass for certainty: as NaN it ends the audit.
    proper = (exact >= -_ROUNDING) & (exact <= 1 + _ROUNDING)
    exact = exact.where(proper, torch.full_like(exact, float("nan")))
    if single or activation == "sigmoid":
        yes, no = exact.clamp_min(smallest).log(), (1 - exact).clamp_min(smallest).log()
        return torch.cat([no, yes], 1) if single else yes - no
    return exact.clamp_min(smallest).log()


def are_probabilities(table: Tensor, activation: Activation) -> bool:
    """Whether the columns of an output (n, k) may be probabilities."""
    values = table.detach().double()
    if activation == "none" or not bool(((values >= 0) & (values <= 1 + _ROUNDING)).all()):
        return False
    if activation == "sigmoid" or table.shape[1] == 1:
        return True
    return bool(((values.sum(1) - 1).abs() < _ROUNDING).all())


def no_probabilities(tables: Iterable[Tensor], activation: Activation) -> str | None:
    """Say why outputs that are called probabilities are none; None where they may be.

    What is not finite is no objection: it is found where the model is checked.
    """
    values = torch.cat([table.detach().double() for table in tables])
    values = values[torch.isfinite(values).all(1)]
    if activation == "none" or not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        return f"they lie in [{low:.4g}, {high:.4g}], and probabilities lie in [0, 1]"
    sums = values.sum(1)
    if activation == "sigmoid" or values.shape[1] == 1:
        return None
    if bool(((sums - 1).abs() > _SLACK).any()):
        return (
            f"those of a picture sum to {float(sums.min()):.4g} to {float(sums.max()):.4g}, and "
            "probabilities of classes to 1 (of labels that each hold or not: --activation sigmoid)"
        )
    return None
