"""Whether the answer moves in steps while the picture changes evenly."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from semaudit.look import look
from semaudit.models import Classifier
from semaudit.worst.findings import Finding, raised

GREYS = (0.311, 0.637)
"""Where the ramps begin."""

STEPS = 10
"""Steps of a ramp, which in all is less than one of 255 levels long."""

FINE = 0.8 / 255 / STEPS
"""One step of a ramp."""

WIDE = 0.1
"""A step that no rounding hides: from it comes how much a fine one should do."""

STILL = 1e-2
"""A step that does less than this share of what it should counts as none."""

SHARE = 0.6
"""Share of the steps of every ramp that must do nothing for the finding."""


def rounding(classifier: Classifier, images: Tensor) -> Finding | None:
    """Find a rounding stage by ramps of one grey, and by values that 8 bits do not tell apart.

    Run without autocast, whose own rounding is no stage of the model.

    Args:
        classifier: what is audited.
        images: (n, c, h, w) in [0, 1].
    """
    exact = replace(classifier, placement=replace(classifier.placement, amp_dtype=None))
    shares = [_still_share(exact, images, grey) for grey in GREYS]
    if min(shares) >= SHARE:
        percent = ", ".join(f"{100 * share:.0f} %" for share in shares)
        return raised(
            "rounding_stage",
            f"of {STEPS} steps of {255 * FINE:.2g}/255 on a grey picture, {percent} change nothing "
            f"(from the greys {', '.join(f'{grey:g}' for grey in GREYS)})",
        )
    same = _same_at_8_bits(exact, images)
    if bool(same.all()):
        return raised(
            "rounding_stage",
            f"{len(same)} of {len(same)} pictures keep their answer exactly while every value "
            "changes by a quarter of one of 255 levels, within the level",
        )
    return None


def _still_share(classifier: Classifier, images: Tensor, grey: float) -> float:
    """Share of the fine steps from a grey that do not move the output; 0 where no step does."""
    values = torch.tensor(
        [grey + k * FINE for k in range(STEPS + 1)] + [grey + WIDE], dtype=images.dtype
    ).to(images.device)
    greys = values.view(-1, 1, 1, 1).expand(-1, *images.shape[1:])
    # No more at once than the pictures, which are as many as the model and its memory take.
    parts = torch.split(greys, len(images))
    outputs = torch.cat([look(classifier, part).logits for part in parts])
    expected = (outputs[-1] - outputs[0]).norm() * (FINE / WIDE)
    moved = outputs[:-1].diff(dim=0).norm(dim=1)
    return float((moved < STILL * expected).double().mean())


def _same_at_8_bits(classifier: Classifier, images: Tensor) -> Tensor:
    """(n,) whether values at 0.2 and at 0.45 of a level, alike to rounding and to cutting off, are
    answered alike, though three levels more are not.
    """
    level = (images * 255).floor().clamp(0, 250)
    low, within, above = (
        look(classifier, (level + part) / 255).logits for part in (0.2, 0.45, 3.2)
    )
    expected = (above - low).norm(dim=1) * (0.25 / 3)
    same: Tensor = (within - low).norm(dim=1) < STILL * expected
    return same
