"""Opens what fine-tuning rests on, and refuses what cannot be."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from semaudit import runtime
from semaudit.applicability import applicable
from semaudit.errors import UsageError
from semaudit.finetuning.anchors import anchors_of
from semaudit.finetuning.bench import Bench
from semaudit.finetuning.changes import Changes, Rungs, changes_of
from semaudit.finetuning.contents import roll_of
from semaudit.finetuning.engine import Engine
from semaudit.finetuning.judging import Verdict, verdict_on
from semaudit.finetuning.noting import notes_on, notes_on_plan
from semaudit.finetuning.parts import part_of
from semaudit.finetuning.pictures import read_pictures, refuse_few, split
from semaudit.finetuning.plan import Plan, Tick, Watch
from semaudit.finetuning.proof import audits_settings, rehearse
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.student import batch_norms, refuse_untrainable
from semaudit.images import ImageSource
from semaudit.models import Classifier
from semaudit.opening import Data, Model, load_plugins, named, open_data, open_model, refuse_missing
from semaudit.preparing import choose
from semaudit.settings import Resolved
from semaudit.taxonomy import open_taxonomy


def open_engine(resolved: Resolved) -> Engine:
    """Meet the processes that train together, on the device that the settings name.

    Raises:
        UsageError: it cannot train so.
    """
    place = runtime.resolve(resolved.settings)
    return Engine(place.device, place.amp_dtype)


def open_bench(
    model: Model,
    data: Data,
    resolved: Resolved,
    recipe: Recipe,
    engine: Engine | None = None,
    watch: Watch = lambda _: None,
) -> Bench:
    """Open the model and the pictures, split these, and refuse what cannot be.

    Args:
        model: as of `semaudit.scan`.
        data: as of `semaudit.scan`.
        resolved: settings as of a scan.
        recipe: how to train.
        engine: those that train together; by default, opened here.
        watch: told what is being opened.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    settings = resolved.settings
    brought = load_plugins(settings)
    changes = changes_of(recipe)
    choose(audits_settings(resolved, settings.device))  # before pictures are read for a rehearsal
    refuse_missing(data, settings)
    place = runtime.resolve(settings)
    engine = engine or open_engine(resolved)
    if recipe.train_bn and engine.world > 1:
        raise UsageError(
            f"--train-bn trains in one process, and there are {engine.world}: each would normalise "
            "by the statistics of its own share of a batch. Leave it out, or use one process"
        )
    watch(Tick(0, 0, stage="opening the model"))
    classifier = open_model(model, data, settings, replace(place, device=engine.device))
    refuse_untrainable(classifier)
    if recipe.train_bn and not batch_norms(classifier.module):
        raise UsageError(
            f"--train-bn would have no effect: {classifier.name} has no BatchNorm; leave it out"
        )
    if classifier.activation == "softmax" and classifier.num_classes < 2:
        raise UsageError(f"{classifier.name} has one class only: its answer cannot move")
    if classifier.activation == "none" and recipe.task != "anchor":
        raise UsageError(
            f"--task {recipe.task} needs classes, and {classifier.name} has none: --task anchor "
            "needs none"
        )
    if classifier.activation == "none" and recipe.turn_penalty:
        raise UsageError(
            f"--turn-penalty turns on the logit of a class, and {classifier.name} has none"
        )
    changes, notes = _suited(changes, classifier)
    source = open_data(data, settings, classifier)
    open_taxonomy(settings.taxonomy, classifier, source.class_names)
    channels = classifier.preprocessing.input_size[0]
    _refuse_labels(recipe, source)
    classes, share = classifier.num_classes, settings.max_unreadable
    watch(Tick(0, 0, stage="reading pictures"))
    roll = roll_of(source, channels, classes, share)
    ids = roll.image_ids
    parts = split(ids, settings.seed, recipe.val_share, recipe.held_out, roll.contents)
    some = part_of(source, [*parts.training, *parts.validation], ids)
    pictures = read_pictures(some, channels, classes, share, place.workers)
    training = {ids[index] for index in parts.training}
    rows = [row for row, name in enumerate(pictures.image_ids) if name in training]
    others = [row for row, name in enumerate(pictures.image_ids) if name not in training]
    for name, wanted, readable in (
        ("training", parts.training, rows),
        ("validation", parts.validation, others),
    ):
        count = len(readable)
        refuse_few(count, f"{count} of the {len(wanted)} pictures for {name} can be read")
    if engine.world > len(rows):
        raise UsageError(f"{engine.world} processes share {len(rows)} training pictures: use fewer")
    _refuse_warmup(recipe, Plan.of(recipe, len(rows), engine.world))
    rehearse(classifier, pictures, others, audits_settings(resolved, str(engine.device)))
    labelled = source.labelled and classifier.activation != "none"
    if recipe.task != "anchor":
        _refuse_one_class(pictures.labels[rows])
    anchors = anchors_of(classifier, pictures, rows, wanted=recipe.task != "ce")
    verdict = Verdict()
    if labelled and classifier.activation == "softmax":
        verdict = verdict_on(recipe.task, classifier, pictures, tuple(rows), anchors, settings.seed)
    return Bench(
        recipe=recipe,
        seed=settings.seed,
        classifier=classifier,
        labelled=labelled,
        trusted=verdict.trusted,
        names=_labels(classifier, source),
        data=named(data, settings),
        pictures=pictures,
        training=tuple(rows),
        validation=tuple(others),
        held_out=part_of(source, parts.held_out, ids),
        roll=roll,
        plugins=tuple(each.sha256 for each in brought),
        changes=changes,
        engine=engine,
        anchors=anchors,
        notes=(
            *(*classifier.notes, *source.notes, *notes),
            *notes_on(recipe, classifier, roll, parts, (len(rows), len(others))),
            *notes_on_plan(recipe, len(rows), engine.world),
            *verdict.notes,
        ),
    )


def refuse_no_pictures(data: Data, resolved: Resolved) -> None:
    """Refuse a run without pictures: a smoke test has too few to train on.

    Raises:
        UsageError: none are named.
    """
    if data is None and resolved.settings.dataset is None:
        raise UsageError("fine-tuning needs pictures: name them with --data")


def _labels(classifier: Classifier, source: ImageSource) -> tuple[str, ...] | None:
    """What a file of the weights can call the classes; None where that would be their numbers.

    Synsets where these are known: the names of some of ImageNet's classes are the same.
    """
    names = classifier.class_names
    if source.class_names is not None or names.wordnet_ids:
        return source.class_names or names.wordnet_ids
    numbered = all(name == f"class {index}" for index, name in enumerate(names.names))
    return None if numbered else names.names


def _refuse_labels(recipe: Recipe, source: ImageSource) -> None:
    if recipe.task != "anchor" and not source.labelled:
        raise UsageError(
            f"--task {recipe.task} needs labels, and the pictures have none: --task anchor needs "
            "none"
        )


def _refuse_warmup(recipe: Recipe, plan: Plan) -> None:
    warmup = plan.warmup(recipe)
    if recipe.sched != "none" and warmup >= plan.updates:
        raise UsageError(
            f"--warmup-epochs {recipe.warmup_epochs:g} are {warmup} updates, of {plan.updates} in "
            "all: the rate would only rise"
        )


def _refuse_one_class(labels: Tensor) -> None:
    distinct = torch.unique(labels[labels >= 0])
    if len(distinct) < 2:
        raise UsageError(
            f"the {len(labels)} training pictures are all of class {int(distinct[0])}: "
            "cross-entropy would teach that answer alone. --task anchor needs no labels"
        )


def _suited(changes: Changes, classifier: Classifier) -> tuple[Changes, tuple[str, ...]]:
    """Leave out probes that mean nothing for the pictures of a model."""
    channels, *sides = classifier.preprocessing.input_size
    notes: tuple[str, ...] = ()
    parts = list(changes.parts)
    for index, part in enumerate(parts):
        if isinstance(part, Rungs):
            kept, more = applicable(part.probes, channels, side=min(sides))
            parts[index], notes = Rungs(tuple(kept)), (*notes, *more)
    return replace(changes, parts=tuple(parts)), notes
