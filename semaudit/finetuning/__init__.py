"""Fine-tuning: the measure of continuity as a constraint, and proof that it worked."""

from __future__ import annotations

from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.tuning import Tuned, finetune

__all__ = ["Recipe", "Tuned", "finetune"]
