"""Writes what came of fine-tuning: the weights, and the evidence beside them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from semaudit.audit import Audit
from semaudit.finetuning import proof, record
from semaudit.finetuning.baselines import Baseline
from semaudit.finetuning.bench import Bench
from semaudit.finetuning.choosing import Choice
from semaudit.finetuning.drawing import draw_frontier
from semaudit.finetuning.interpolation import Point
from semaudit.finetuning.keeping import SEARCH, STATE
from semaudit.finetuning.plan import Tick, Watch
from semaudit.finetuning.saving import how_to_open, metadata_of, save
from semaudit.finetuning.student import Weights
from semaudit.folder import evidence_beside, evidence_of, move_in
from semaudit.models import Classifier, weights_sha256
from semaudit.settings import Resolved
from semaudit.stream import Progress

FRONTIER, COMPARISON = "frontier.png", "comparison"


@dataclass(frozen=True)
class Outcome:
    """What there is to write.

    Attributes:
        bench: what it rests on.
        points: the frontier.
        choice: on it.
        classifier: the chosen one, or the original.
        document: ``finetune.json`` so far.
        baselines: runs without the continuity term.
    """

    bench: Bench
    points: Sequence[Point]
    choice: Choice
    classifier: Classifier
    document: dict[str, Any]
    baselines: Sequence[Baseline] = ()


@dataclass(frozen=True)
class Desk:
    """Where and how to write.

    Attributes:
        out: the file of the weights.
        folder: where the evidence gathers, until it takes its place at the very end.
        settings: of the audits.
        watch: told how far they are.
    """

    out: Path
    folder: Path
    settings: Resolved
    watch: Watch


def chosen(bench: Bench, tuned: Weights, choice: Choice, name: str) -> Classifier:
    """The classifier of a choice: weights in between, or the original."""
    if choice.point is None:
        return bench.classifier
    made = bench.between(tuned, choice.point.share)
    provenance = {**made.provenance, "weights_sha256": weights_sha256(made.module)}
    return replace(made, name=name, provenance=provenance)


def target_of(out: Path, *, improved: bool) -> Path:
    """Where the evidence goes: what is of earlier weights stays beside them."""
    return evidence_of(out) if improved or not out.exists() else evidence_beside(out)


def write(outcome: Outcome, desk: Desk) -> None:
    """Write everything. The document gets the proof, notes, and the name of the file."""
    bench, document = outcome.bench, outcome.document
    desk.folder.mkdir(parents=True, exist_ok=True)
    title = f"{bench.classifier.name}: weights between the original (0) and the tuned (1)"
    path = desk.folder / FRONTIER
    draw_frontier(outcome.points, outcome.choice.point, bench.kept, title, path)
    if outcome.choice.point is not None or any(each.choice.point for each in outcome.baselines):
        _prove(outcome, desk)
    improved = outcome.choice.point is not None
    if improved:
        note = how_to_open(outcome.classifier, desk.out)
        document["notes"] += [] if note is None else [note]
        document["out"] = str(desk.out)
    elif desk.out.exists():
        document["notes"].append(
            f"{desk.out} was there before, and stays as it was; the evidence of this run lies apart"
        )
    record.write(desk.folder / record.RECORD, document)
    for each in desk.folder.glob("*.partial"):  # audits that were broken off, and run since
        shutil.rmtree(each)
    for each in desk.folder.glob(".*"):  # files that a kill left half written
        each.unlink()
    if improved:  # last, right before the evidence takes its place: neither is to stand alone
        header = metadata_of(outcome.classifier, _names(bench), _origin(document))
        save(outcome.classifier.module, desk.out, header)
    target = target_of(desk.out, improved=improved)
    move_in(desk.folder, target)
    if improved:  # what an earlier run did not better is of other weights
        shutil.rmtree(evidence_beside(desk.out), ignore_errors=True)
    for name in (STATE, SEARCH):  # what only a broken run needs: until here this was one
        (target / name).unlink(missing_ok=True)


def _prove(outcome: Outcome, desk: Desk) -> None:
    """Audit the original and all that was chosen on the held-out pictures."""
    bench, document = outcome.bench, outcome.document
    compared = partial(
        proof.compared,
        seen=bench.changes.seen,
        may_change=None if bench.by_label else bench.recipe.max_accuracy_drop / 100,
        trusted=bench.trusted,
    )
    before = _audit(bench, bench.classifier, desk, proof.BEFORE)
    if outcome.choice.point is not None:
        after = _audit(bench, outcome.classifier, desk, proof.AFTER)
        stem = desk.folder / COMPARISON
        document["held_out"] = compared(before, after, stem=stem)
    for baseline, entry in zip(outcome.baselines, document.get("baselines", ()), strict=True):
        if baseline.choice.point is not None:
            model = chosen(bench, baseline.weights, baseline.choice, baseline.name)
            name = baseline.name.replace(" ", "-")
            after = _audit(bench, model, desk, name)
            # Augmentation has seen the same changes; plain fine-tuning none, which only adds.
            stem = desk.folder / f"{COMPARISON}-{name}"
            entry["held_out"] = compared(before, after, stem=stem)


def _audit(bench: Bench, model: Classifier, desk: Desk, name: str) -> Audit:
    def tell(progress: Progress) -> None:
        desk.watch(Tick(progress.cells, progress.total_cells, stage=f"audit {name}"))

    pictures = len(bench.roll.image_ids)
    return proof.audit(model, bench.held_out, desk.settings, desk.folder / name, tell, pictures)


def _names(bench: Bench) -> tuple[str, ...] | None:
    names = bench.names
    return names if names is not None and len(names) == bench.classifier.num_classes else None


def _origin(document: dict[str, Any]) -> dict[str, Any]:
    """What the weights' own header says of where they are from."""
    keys = ("created", "model", "data", "recipe", "seed", "choice")
    found: dict[str, Any] = record.plain({key: document[key] for key in keys})
    return found
