"""All that fine-tuning rests on, opened once and shared by every run of a search or comparison."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from semaudit import runtime
from semaudit.applicability import applicable
from semaudit.errors import UsageError
from semaudit.finetuning.anchors import Anchors, anchors_of
from semaudit.finetuning.changes import Changes, Rungs, changes_of
from semaudit.finetuning.engine import Engine
from semaudit.finetuning.interpolation import (
    SHARES,
    Choice,
    Point,
    Refresh,
    choose,
    frontier,
    statistics_from,
)
from semaudit.finetuning.interpolation import names_what_is_kept as kept_name
from semaudit.finetuning.keeping import Keeper, Log
from semaudit.finetuning.loss import Objective
from semaudit.finetuning.pictures import (
    Pictures,
    ids_of,
    in_memory,
    part_of,
    read_pictures,
    split,
)
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.step import Stepper
from semaudit.finetuning.student import Weights, refuse_untrainable, student_of
from semaudit.finetuning.training import Plan, Trainer, Watch
from semaudit.finetuning.validation import Validation
from semaudit.images import ImageSource, as_float
from semaudit.metrics.views import View
from semaudit.models import Classifier, weights_sha256
from semaudit.opening import Data, Model, load_plugins, named, open_data, open_model, refuse_missing
from semaudit.settings import Resolved

RUNNING = 256
"""Validation pictures that are looked at while training goes on, under one draw each."""

REFRESHED = 512
"""Pictures from which BatchNorm's statistics are taken anew."""


@dataclass(frozen=True, eq=False)
class Bench:
    """What all runs share.

    Attributes:
        recipe: as given.
        seed: of everything that is drawn.
        classifier: the original, where it runs.
        labelled: whether pictures have labels.
        names: of the classes, where the pictures or the model give them.
        data: what to call the pictures.
        pictures: those for training and for choices.
        training: rows of these.
        validation: rows of these.
        held_out: not yet opened.
        changes: P.
        engine: device, precision, processes.
        anchors: what the original says of the training pictures.
        notes: what a reader should know.
    """

    recipe: Recipe
    seed: int
    classifier: Classifier
    labelled: bool
    names: tuple[str, ...] | None
    data: str
    pictures: Pictures
    training: tuple[int, ...]
    validation: tuple[int, ...]
    held_out: ImageSource
    changes: Changes
    engine: Engine
    anchors: Anchors
    notes: tuple[str, ...]

    @property
    def plan(self) -> Plan:
        """How long the recipe trains."""
        return Plan.of(self.recipe, len(self.training), self.engine.world)

    @property
    def kept(self) -> str:
        """The name of what must not be lost: accuracy or agreement."""
        return kept_name(self.classifier, labelled=self.labelled)

    def identity(self) -> dict[str, Any]:
        """What a broken run must have in common with the one that goes on with it."""
        ids = "\n".join(self.pictures.image_ids).encode()
        recipe = self.recipe.model_dump(exclude={"max_time", "max_accuracy_drop", "baselines"})
        return {
            **recipe,
            "seed": self.seed,
            "model": weights_sha256(self.classifier.module),
            "pictures": hashlib.blake2b(ids, digest_size=8).hexdigest(),
            "processes": self.engine.world,
        }

    def measure(self, draws: int, most: int | None = None) -> Validation:
        """The yardstick, of at most so many pictures."""
        rows = self.validation[:most]
        size = max(self.recipe.batch_size // self.engine.world, 1)
        return Validation(self.pictures, rows, self.seed, draws, size, self.labelled)

    def trainer(
        self,
        recipe: Recipe,
        objective: Objective,
        log: Log,
        *,
        plan: Plan | None = None,
        watch: Watch = lambda _: None,
        keeper: Keeper | None = None,
    ) -> Trainer:
        """A run that starts from the original."""
        student = student_of(self.classifier, train_bn=recipe.train_bn)
        stepper = Stepper(
            student=student,
            anchors=replace(self.anchors, wanted=objective.anchor > 0),
            objective=objective,
            changes=self.changes,
            views=recipe.views,
            engine=self.engine,
            seed=self.seed,
            size=max(recipe.batch_size // self.engine.world, 1),
        )
        running = self.measure(1, RUNNING)
        return Trainer(
            stepper,
            recipe,
            plan or self.plan,
            self.pictures,
            self.training,
            (running, self._original(running)),
            log,
            watch,
            keeper,
        )

    def _original(self, running: Validation) -> View:
        return running(self.classifier).view

    def sweep(
        self, tuned: Weights, shares: Sequence[float] | None = None, draws: int | None = None
    ) -> tuple[list[Point], Choice]:
        """The frontier between original and tuned weights, and the choice on it."""
        measure = self.measure(draws or self.recipe.val_draws)
        points = frontier(
            self.classifier, tuned, measure, refresh=self.refresh, shares=shares or SHARES
        )
        return points, choose(points, self.recipe.max_accuracy_drop, self.kept)

    @property
    def refresh(self) -> Refresh | None:
        """Takes BatchNorm's statistics anew where they were trained."""
        return statistics_from(partial(self._clean, REFRESHED)) if self.recipe.train_bn else None

    def _clean(self, most: int) -> list[Tensor]:
        size = max(self.recipe.batch_size, 32)
        found = self.pictures.batches(self.training[:most], size)
        return [as_float(batch.images, self.engine.device) for batch in found if len(batch)]


def open_bench(model: Model, data: Data, resolved: Resolved, recipe: Recipe) -> Bench:
    """Open the model and the pictures, split these, and refuse what cannot be.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    settings = resolved.settings
    if data is None and settings.dataset is None:
        raise UsageError("fine-tuning needs pictures: name them with --data")
    load_plugins(settings)
    changes = changes_of(recipe)
    refuse_missing(data, settings)
    place = runtime.resolve(settings)
    engine = Engine(place.device, place.amp_dtype)
    classifier = open_model(model, data, settings, replace(place, device=engine.device))
    refuse_untrainable(classifier)
    if classifier.activation == "softmax" and classifier.num_classes < 2:
        raise UsageError(f"{classifier.name} has one class only: its answer cannot move")
    changes, notes = _suited(changes, classifier)
    source = open_data(data, settings, classifier)
    channels = classifier.preprocessing.input_size[0]
    if ids_of(source) is None:
        source = in_memory(source, channels, classifier.num_classes)
    ids = ids_of(source) or ()
    parts = split(ids, settings.seed, recipe.val_share, recipe.held_out)
    _refuse_labels(recipe, source)
    pictures = read_pictures(
        part_of(source, [*parts.training, *parts.validation]),
        channels, classifier.num_classes, settings.max_unreadable, place.workers,
    )  # fmt: skip
    training = {ids[index] for index in parts.training}
    rows = [row for row, name in enumerate(pictures.image_ids) if name in training]
    others = [row for row, name in enumerate(pictures.image_ids) if name not in training]
    labelled = source.labelled and classifier.activation != "none"
    if recipe.task != "anchor":
        _refuse_one_class(pictures.labels[rows])
    return Bench(
        recipe=recipe,
        seed=settings.seed,
        classifier=classifier,
        labelled=labelled,
        names=_labels(classifier, source),
        data=named(data, settings),
        pictures=pictures,
        training=tuple(rows),
        validation=tuple(others),
        held_out=part_of(source, parts.held_out),
        changes=changes,
        engine=engine,
        anchors=anchors_of(classifier, pictures, rows),
        notes=(*classifier.notes, *source.notes, *notes),
    )


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


def _refuse_one_class(labels: Tensor) -> None:
    distinct = torch.unique(labels)
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
