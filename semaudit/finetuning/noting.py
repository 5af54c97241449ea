"""Notes on what fine-tuning rests on, for whoever reads its result."""

from __future__ import annotations

from collections.abc import Iterator

from semaudit.finetuning.contents import Roll
from semaudit.finetuning.pictures import Split
from semaudit.finetuning.plan import Plan
from semaudit.finetuning.recipe import Recipe
from semaudit.models import Classifier
from semaudit.models.assembly import HELD_WEIGHTS

TOLD_LEFT = 0.1
"""Share of the training pictures, left out of an epoch, above which a note says so."""

FEW = 30
"""Held-out pictures below which a note says that they prove little."""


def notes_on(
    recipe: Recipe, classifier: Classifier, roll: Roll, parts: Split, readable: tuple[int, int]
) -> Iterator[str]:
    """Yield what a reader should know.

    Args:
        recipe: how it is trained.
        classifier: the original.
        roll: of all pictures.
        parts: how they are split.
        readable: how many of those for training and for choices can be read.
    """
    training, validation = readable
    yield from _copies(roll)
    yield from _held(classifier)
    yield from _left_out(len(parts.training) + len(parts.validation), training + validation)
    yield from _coarse(recipe, validation, classifier)
    yield from _few(len(parts.held_out))


def notes_on_plan(recipe: Recipe, pictures: int, world: int) -> Iterator[str]:
    """Yield what a plan does to so many training pictures, shared by so many processes."""
    alone, plan = (Plan.of(recipe, pictures, count) for count in (1, world))
    if plan.batch != alone.batch:
        yield (
            f"an update takes {plan.batch} pictures instead of {alone.batch}: {world} processes "
            "share evenly"
        )
    left = pictures - plan.per_epoch * plan.batch
    if left > TOLD_LEFT * pictures:
        yield (
            f"an epoch takes {pictures - left} of the {pictures} training pictures, others each "
            f"time: updates are of {plan.batch}, and a smaller --batch-size leaves out fewer"
        )


def _copies(roll: Roll) -> Iterator[str]:
    if roll.copies:
        yield (
            f"{roll.copies} of the {len(roll.image_ids)} pictures are copies of others under "
            "another name, byte for byte: all of one picture are on the same side of the split"
        )


def _held(classifier: Classifier) -> Iterator[str]:
    if count := classifier.provenance.get(HELD_WEIGHTS):
        yield (
            f"{count} tensors of weights came with requires_grad=False, and are trained here like "
            "all others"
        )


def _left_out(wanted: int, readable: int) -> Iterator[str]:
    if readable < wanted:
        yield (
            f"{wanted - readable} of the {wanted} pictures for training and choices cannot be "
            "read, and are left out"
        )


def _coarse(recipe: Recipe, count: int, classifier: Classifier) -> Iterator[str]:
    """Of few pictures, one answer is more than may be lost."""
    drop, one = recipe.max_accuracy_drop, 100 / count
    if classifier.activation != "none" and one > drop:
        yield (
            f"of {count} pictures for choices one is {one:.2g} points, so --max-accuracy-drop "
            f"{drop:g} lets none be lost: more pictures, --val-share or a higher drop leaves room"
        )


def _few(held_out: int) -> Iterator[str]:
    if held_out < FEW:
        yield (
            f"with {held_out} held-out pictures only large changes show beyond chance: more "
            "pictures, or a higher --held-out, prove more"
        )
