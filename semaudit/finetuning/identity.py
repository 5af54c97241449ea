"""What a run rests on: one that was broken off goes on only where all of this is the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from semaudit.finetuning.bench import Bench
from semaudit.finetuning.changes import Rungs
from semaudit.finetuning.contents import digest_of
from semaudit.models import weights_sha256

FREE = {"max_time", "max_accuracy_drop", "baselines"}
"""Of a recipe: what may be another, as no update depends on it.

The search of ``--alpha auto`` chooses by the drop, which then is no such thing."""


def identity_of(bench: Bench) -> dict[str, Any]:
    """All of it, by the names that a message has for it; fit for JSON."""
    classifier, place = bench.classifier, bench.classifier.placement
    ids = "\n".join(bench.roll.image_ids)
    searching = {"max_accuracy_drop"} if bench.recipe.alpha == "auto" else set()
    return {
        **bench.recipe.model_dump(exclude=FREE - searching),
        "seed": bench.seed,
        "model": weights_sha256(classifier.module),
        "activation": classifier.activation,
        **asdict(classifier.preprocessing),
        "precision (--amp-dtype)": str(place.amp_dtype or "float32").removeprefix("torch."),
        "memory layout (--channels-last)": place.channels_last,
        "--torchcompile": place.compile,
        "names of the pictures": digest_of(ids.encode()),
        "contents of the pictures": bench.roll.digest,
        "labels": digest_of(bench.pictures.labels.numpy().tobytes()) if bench.labelled else None,
        "texts of the probes trained under": _probes(bench),
        "plugins": list(bench.plugins),
        "processes": bench.engine.world,
    }


def _probes(bench: Bench) -> list[str]:
    """A hash of each: a battery file may be another under the same name."""
    parts = (part for part in bench.changes.parts if isinstance(part, Rungs))
    probes = (each for part in parts for each in part.probes)
    return [digest_of(repr((each.ladder, each.sha256)).encode()) for each in probes]
