"""All that fine-tuning rests on, opened once and shared by every run of a search or comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from semaudit.finetuning.anchors import Anchors
from semaudit.finetuning.changes import Changes
from semaudit.finetuning.choosing import Choice, choose
from semaudit.finetuning.contents import Roll
from semaudit.finetuning.engine import Engine
from semaudit.finetuning.generic import Generic
from semaudit.finetuning.interpolation import (
    SHARES,
    Point,
    Refresh,
    frontier,
    interpolated,
    statistics_from,
)
from semaudit.finetuning.keeping import Keeper, Log
from semaudit.finetuning.loss import Objective
from semaudit.finetuning.pictures import Pictures, order_of
from semaudit.finetuning.plan import Plan, Watch
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.step import Stepper
from semaudit.finetuning.student import Weights, student_of, weights_of
from semaudit.finetuning.training import Trainer
from semaudit.finetuning.turning import Turning
from semaudit.finetuning.validation import Validation
from semaudit.images import ImageSource, as_float
from semaudit.models import Classifier

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
        trusted: whether nothing speaks against these, see `semaudit.finetuning.judging`.
        names: of the classes, where the pictures or the model give them.
        data: what to call the pictures.
        pictures: those for training and for choices.
        training: rows of these.
        validation: rows of these.
        held_out: not yet opened.
        roll: a hash of each picture.
        plugins: a hash of each.
        changes: P.
        engine: device, precision, processes.
        anchors: what the original says of the training pictures.
        notes: what a reader should know.
    """

    recipe: Recipe
    seed: int
    classifier: Classifier
    labelled: bool
    trusted: bool
    names: tuple[str, ...] | None
    data: str
    pictures: Pictures
    training: tuple[int, ...]
    validation: tuple[int, ...]
    held_out: ImageSource
    roll: Roll
    plugins: tuple[str, ...]
    changes: Changes
    engine: Engine
    anchors: Anchors
    notes: tuple[str, ...]

    @property
    def plan(self) -> Plan:
        """How long the recipe trains."""
        return Plan.of(self.recipe, len(self.training), self.engine.world)

    @property
    def forward(self) -> int:
        """Pictures in a forward of this process, unless memory runs out."""
        return max(self.recipe.batch_size // self.engine.world, 1)

    @property
    def by_label(self) -> bool:
        """Whether labels judge what must not be lost, not the original's answers."""
        return self.labelled and self.trusted and self.classifier.activation == "softmax"

    @property
    def kept(self) -> str:
        """The name of what must not be lost."""
        return "accuracy" if self.by_label else "agreement with the original"

    def measure(self, draws: int, most: int | None = None) -> Validation:
        """The yardstick, of at most so many pictures."""
        rows = self._some(self.validation, most)
        return Validation(self.pictures, rows, self.seed, draws, self.forward, self.by_label)

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
            turning=Turning(Generic(recipe.generic_reach)),
            views=recipe.views,
            engine=self.engine,
            seed=self.seed,
            size=self.forward,
        )
        running = self.measure(1, RUNNING)
        return Trainer(
            stepper,
            recipe,
            plan or self.plan,
            self.pictures,
            self.training,
            (running, running(self.classifier)),
            log,
            watch,
            keeper,
        )

    def sweep(
        self,
        tuned: Weights,
        shares: Sequence[float] | None = None,
        draws: int | None = None,
    ) -> tuple[list[Point], Choice]:
        """The frontier between original and tuned weights, and the choice on it."""
        measure = self.measure(draws or self.recipe.val_draws)
        points = frontier(
            self.classifier, tuned, measure, refresh=self.refresh, shares=shares or SHARES
        )
        return points, choose(points, self.recipe.max_accuracy_drop, self.kept)

    def between(self, tuned: Weights, share: float) -> Classifier:
        """The classifier with a share of the tuned weights, the rest the original's."""
        original = weights_of(self.classifier.module)
        return interpolated(self.classifier, original, tuned, share, self.refresh)

    @property
    def refresh(self) -> Refresh | None:
        """Takes BatchNorm's statistics anew where they were trained."""
        return statistics_from(partial(self._clean, REFRESHED)) if self.recipe.train_bn else None

    def _some(self, rows: tuple[int, ...], most: int | None) -> tuple[int, ...]:
        """At most so many, drawn: in a folder, the first are of one class."""
        ids = [self.pictures.image_ids[row] for row in rows]
        return tuple(rows[index] for index in order_of(ids, self.seed, 0)[:most])

    def _clean(self, most: int) -> list[Tensor]:
        size = max(self.recipe.batch_size, 32)
        rows = self._some(self.training, most)
        # A short batch would weigh like the others.
        whole = rows[: len(rows) // size * size] or rows
        found = self.pictures.batches(whole, size)
        return [as_float(batch.images, self.engine.device) for batch in found if len(batch)]
