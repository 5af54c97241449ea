"""Whether labels may judge what is lost: only where they stand for the model's outputs."""

from __future__ import annotations

from dataclasses import dataclass

from semaudit.checks.labels import doubt_about
from semaudit.errors import UsageError
from semaudit.finetuning.anchors import Anchors, answers_of
from semaudit.finetuning.pictures import Pictures, order_of
from semaudit.finetuning.recipe import Task
from semaudit.models import Classifier

LOOKED_AT = 1024
"""Pictures that the original is asked about where its answers are not kept anyway."""


@dataclass(frozen=True)
class Verdict:
    """On labels.

    Attributes:
        trusted: whether they judge.
        notes: what speaks against them.
    """

    trusted: bool = True
    notes: tuple[str, ...] = ()


def verdict_on(
    task: Task,
    classifier: Classifier,
    pictures: Pictures,
    rows: tuple[int, ...],
    anchors: Anchors,
    seed: int,
) -> Verdict:
    """Hold the labels of the pictures at these indices against the original's answers.

    Labels that would fit under another order of the classes are not taught. An accuracy no better
    than chance may be that of a weak model: a task of labels takes them at the user's word, and
    without one agreement with the original judges, for there is no accuracy to be lost.

    Args:
        task: what is taught.
        classifier: the original, one of whose classes holds.
        pictures: with labels.
        rows: those that are trained on, none of which is held out.
        anchors: what the original says of them, where that is kept.
        seed: of the drawing, where there are more than can be asked about.

    Raises:
        UsageError: the task would teach labels of another order.
    """
    logits = anchors.logits
    if logits is None:
        ids = [pictures.image_ids[row] for row in rows]
        rows = tuple(rows[index] for index in order_of(ids, seed, 0)[:LOOKED_AT])
        logits = answers_of(classifier, pictures, rows)
    labels, classes = pictures.labels[list(rows)].numpy(), logits.argmax(1).numpy()
    doubt = doubt_about(labels, classes, classifier.num_classes, classifier.class_names.names)
    if doubt is None:
        return Verdict()
    if task == "anchor":
        said = f"{doubt.said}; so agreement with the original judges what is lost, not accuracy"
        return Verdict(False, (said,))
    if not doubt.renamed:
        return Verdict(True, (doubt.said,))
    raise UsageError(
        f"--task {task} would teach labels that do not seem to be those of the model: "
        f"{doubt.said}. --task anchor needs no labels"
    )
