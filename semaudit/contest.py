"""Which of several architectures a checkpoint was trained as: labelled pictures tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, wilcoxon

from semaudit.checks.surprise import answers, labelled
from semaudit.errors import UsageError
from semaudit.images import ImageSource
from semaudit.models import Classifier

ENOUGH = 100
"""Pictures that settle it: architectures that share their shapes differ a lot or hardly."""


FEWEST = 8
"""Fewer labelled pictures tell nothing."""

LEVEL = 0.01
"""Of the tests, one-sided; shared by the comparisons (Bonferroni)."""


class UndecidedError(UsageError):
    """The pictures do not tell architectures apart."""


@dataclass(frozen=True)
class Scored:
    """What one architecture makes of n pictures.

    Attributes:
        arch: its name.
        right: (n,) whether the top class is the label.
        loss: (n,) cross-entropy, bits.
        chance: the share that a blind guess gets right.
    """

    arch: str
    right: NDArray[np.bool_]
    loss: NDArray[np.float64]
    chance: float

    def __str__(self) -> str:
        accuracy, loss = self.right.mean(), self.loss.mean()
        return f"{self.arch}: accuracy {accuracy:.3f}, cross-entropy {loss:.3f} bits"


def contest(
    archs: Sequence[str],
    open_one: Callable[[str], Classifier],
    open_source: Callable[[Classifier], ImageSource],
    batch_size: int,
) -> Classifier:
    """Open a checkpoint as each architecture and return the one that fits the labels best.

    It has to be better than chance, and its cross-entropy lower than every other's beyond chance:
    otherwise wrong labels would choose whichever is least sure. The notes say what each gave.

    Args:
        archs: the architectures that the tensors fit.
        open_one: opens the checkpoint as one of them.
        open_source: opens at most `ENOUGH` labelled pictures as a classifier takes them.
        batch_size: pictures in a forward.

    Raises:
        UndecidedError: the model has no classes, or the pictures have no labels, are too few, or do
            not tell them apart.
    """
    entries = [
        (_score(arch, classifier, open_source, batch_size), classifier)
        for arch in archs
        for classifier in [open_one(arch)]
    ]
    entries.sort(key=lambda entry: float(entry[0].loss.mean()))
    scored = [each for each, _ in entries]
    table = "; ".join(map(str, scored))
    if not _is_clear(scored[0], scored[1:]):
        raise UndecidedError(
            f"{len(scored[0].loss)} labelled pictures do not tell the architectures apart "
            f"({table}); name one with --arch"
        )
    best = entries[0][1]
    note = (
        f"labelled pictures chose {scored[0].arch} of the {len(archs)} architectures that fit "
        f"({table}); --arch names another"
    )
    return replace(best, notes=(note, *best.notes))


def _is_clear(best: Scored, others: Sequence[Scored]) -> bool:
    if len(best.loss) < FEWEST:
        return False
    beyond = binomtest(int(best.right.sum()), len(best.right), best.chance, alternative="greater")
    level = LEVEL / len(others)
    return beyond.pvalue < LEVEL and all(
        wilcoxon(best.loss, other.loss, alternative="less").pvalue < level for other in others
    )


def _score(
    arch: str,
    classifier: Classifier,
    open_source: Callable[[Classifier], ImageSource],
    batch_size: int,
) -> Scored:
    if classifier.activation != "softmax":
        what = "an embedding" if classifier.activation == "none" else "a set of labels"
        raise UndecidedError(
            f"labelled pictures do not help here, for the model puts out {what} and not one class "
            "of several; name one with --arch"
        )
    source = open_source(classifier)
    if not source.labelled:
        raise UndecidedError(
            "the pictures have no labels, which would tell architectures apart; name one with "
            "--arch, or give class folders or a list with labels as --data"
        )
    images, labels = labelled(source, batch_size, ENOUGH, classifier.num_classes)
    if not len(labels):
        raise UndecidedError("no labelled picture could be read; name one with --arch")
    found = answers(classifier, images, labels, batch_size)
    return Scored(arch, found.right, found.cross_entropy / math.log(2), 1 / classifier.num_classes)
