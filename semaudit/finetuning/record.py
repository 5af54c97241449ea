"""``finetune.json``: what was done, on what, with what result, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semaudit.finetuning.bench import Bench
from semaudit.finetuning.choosing import Choice
from semaudit.finetuning.cost import passes_of
from semaudit.finetuning.interpolation import Point
from semaudit.finetuning.plan import Ended
from semaudit.manifest import made_now

RECORD = "finetune.json"
RECORD_VERSION = 1
_PACKAGES = ("torch", "timm", "accelerate", "safetensors")


def record_of(
    bench: Bench, ended: Ended, points: Sequence[Point], choice: Choice, seconds: float
) -> dict[str, Any]:
    """Gather all but the proof; fit for JSON once `plain`."""
    classifier, plan = bench.classifier, bench.plan
    return {
        "record_version": RECORD_VERSION,
        **made_now(seconds, _PACKAGES),
        "model": {
            "name": classifier.name,
            "num_classes": classifier.num_classes,
            "activation": classifier.activation,
            "provenance": classifier.provenance,
        },
        "data": {
            "name": bench.data,
            "labelled": bench.labelled,
            "training": len(bench.training),
            "validation": len(bench.validation),
            "held_out": len(bench.held_out),
            "copies": bench.roll.copies,
        },
        "recipe": bench.recipe.model_dump(mode="json"),
        "seed": bench.seed,
        "runtime": {
            "device": str(bench.engine.device),
            "processes": bench.engine.world,
            "amp_dtype": str(classifier.placement.amp_dtype or "float32").removeprefix("torch."),
        },
        "training": {
            "planned_updates": plan.updates,
            "updates": ended.updates,
            "pictures_an_update": plan.batch,
            "pictures_a_forward": ended.forward,
            "passes_a_picture": passes_of(bench, bench.recipe.objective),
            "seconds": round(ended.seconds, 3),
            "stopped": ended.why,
            "trained_under": {
                "perturb": list(bench.recipe.perturb),
                "probes": list(bench.changes.probes),
                "families": list(bench.changes.seen),
            },
        },
        "kept": bench.kept,
        "frontier": [asdict(point) for point in points],
        "choice": choice.stated(),
        "notes": [*bench.notes, *_notes(bench, ended)],
    }


def _notes(bench: Bench, ended: Ended) -> Iterator[str]:
    wanted = bench.forward
    if bench.recipe.train_bn and ended.forward < wanted:
        yield (
            f"memory ran out: BatchNorm took statistics of {ended.forward} pictures at a time "
            f"instead of {wanted}"
        )


def write(path: Path, record: dict[str, Any]) -> None:
    """Write it as JSON."""
    text = json.dumps(plain(record), indent=1, allow_nan=False)  # a name may be no UTF-8
    path.write_text(text + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """The same with None for numbers that are none, which JSON lacks."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
