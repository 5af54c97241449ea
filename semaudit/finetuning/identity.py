"""What a run rests on: one that was broken off goes on only where all of this is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from semaudit.finetuning.bench import Bench
from semaudit.finetuning.changes import Rungs
from semaudit.finetuning.contents import digest_of
from semaudit.finetuning.proof import MEASURING
from semaudit.models import weights_sha256
from semaudit.settings import Settings

_FREE = {"max_time", "max_accuracy_drop", "baselines"}
"""Of a recipe: what may be another, as no update depends on it."""


def identity_of(bench: Bench) -> dict[str, Any]:
    """All of it, by the names that a message has for it; fit for JSON."""
    classifier, place = bench.classifier, bench.classifier.placement
    ids = "\n".join(bench.roll.image_ids)
    return {
        **bench.recipe.model_dump(exclude=_free(bench)),
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


def free_of(bench: Bench, audits: Settings) -> dict[str, Any]:
    """What a run that goes on may have otherwise, by the names of the flags; fit for JSON."""
    return {
        **bench.recipe.model_dump(mode="json", include=_free(bench)),
        **audits.model_dump(mode="json", include=set(MEASURING)),
    }


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A note on each of these that is another than when the run was broken off."""
    for name, value in now.items():
        if before.get(name) != value:
            yield (
                f"--{name.replace('_', '-')} was {_said(before.get(name))} when the run was "
                f"broken off, and is {_said(value)} now"
            )


def _free(bench: Bench) -> set[str]:
    # The search of --alpha auto chooses by the drop, which then is part of what a run rests on.
    return _FREE - ({"max_accuracy_drop"} if bench.recipe.alpha == "auto" else set())


def _said(value: object) -> str:
    if isinstance(value, list):
        return " ".join(str(each) for each in value) or "none"
    if value is None or isinstance(value, bool):
        return "given" if value else "not given"
    return str(value)


def _probes(bench: Bench) -> list[str]:
    """A hash of each: a battery file may be another under the same name."""
    parts = (part for part in bench.changes.parts if isinstance(part, Rungs))
    probes = (each for part in parts for each in part.probes)
    return [digest_of(repr((each.ladder, each.sha256)).encode()) for each in probes]
