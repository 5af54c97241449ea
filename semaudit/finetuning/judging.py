"""Whether labels may judge what is lost: only where they stand for the model's outputs."""

from __future__ import annotations

from semaudit.checks.labels import label_warnings
from semaudit.errors import UsageError
from semaudit.finetuning.anchors import Anchors, answers_of
from semaudit.finetuning.pictures import Pictures, order_of
from semaudit.finetuning.recipe import Task
from semaudit.models import Classifier

LOOKED_AT = 1024
"""Pictures that the original is asked about where its answers are not kept anyway."""


def doubts_about(
    classifier: Classifier, pictures: Pictures, rows: tuple[int, ...], anchors: Anchors, seed: int
) -> list[str]:
    """What speaks against the labels of the pictures at these indices; an empty list: nothing.

    Args:
        classifier: the original, one of whose classes holds.
        pictures: with labels.
        rows: those that are trained on, none of which is held out.
        anchors: what the original says of them, where that is kept.
        seed: of the drawing, where there are more than can be asked about.
    """
    logits = anchors.logits
    if logits is None:
        ids = [pictures.image_ids[row] for row in rows]
        rows = tuple(rows[index] for index in order_of(ids, seed, 0)[:LOOKED_AT])
        logits = answers_of(classifier, pictures, rows)
    labels = pictures.labels[list(rows)].numpy()
    names = classifier.class_names.names
    return label_warnings(labels, logits.argmax(1).numpy(), classifier.num_classes, names)


def refuse_doubted(task: Task, doubts: list[str]) -> tuple[str, ...]:
    """Refuse to teach labels that something speaks against; returns notes where none are taught.

    Raises:
        UsageError: the task teaches them.
    """
    if doubts and task != "anchor":
        raise UsageError(
            f"--task {task} would teach labels that do not seem to be those of the model: "
            f"{'; '.join(doubts)}. --task anchor needs no labels"
        )
    return tuple(
        f"{each}; so agreement with the original judges what is lost, not accuracy"
        for each in doubts
    )
