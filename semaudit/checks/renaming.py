"""Fixed renamings of labels: those that known mistakes make, and any that pictures teach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

Indices = NDArray[np.int64]

NOWHERE = -1
"""The output of a label that has none: no answer is right."""

STAY = 0.5
"""What a label's own output weighs beside one picture: no label moves without a reason."""

GIVE_UP = 0.01
"""What no output at all weighs; a label takes it only where all its outputs are others'."""

LEAST_GAIN = 2
"""Pictures that a group of labels has to gain in the half that it was learned on, to be kept."""


@dataclass(frozen=True)
class Renaming:
    """What every label should have been.

    Attributes:
        outputs: (classes,) the output of each label, `NOWHERE` for none.
        learned: whether it comes from pictures, so that others have to judge it.
        claim: completes "accuracy 0.02, but 0.87 ...".
        advice: what it means.
    """

    outputs: Indices = field(repr=False)
    learned: bool
    claim: str = ""
    advice: str = ""

    @property
    def moved(self) -> int:
        """How many labels change."""
        return int((self.outputs != np.arange(len(self.outputs))).sum())

    @property
    def swap(self) -> tuple[int, int] | None:
        """The two labels that change places, when nothing else changes."""
        moved = np.flatnonzero(self.outputs != np.arange(len(self.outputs)))
        if len(moved) != 2 or set(self.outputs[moved].tolist()) != set(moved.tolist()):
            return None
        return int(moved[0]), int(moved[1])


def known_renamings(num_classes: int) -> Iterator[Renaming]:
    """Yield what the usual mistakes would have done to ``num_classes`` labels."""
    numbers = np.arange(num_classes)
    yield Renaming(
        numbers - 1,
        False,
        "if every label were one lower",
        "the labels seem to count from 1",
    )
    yield Renaming(
        np.append(numbers[1:], NOWHERE),
        False,
        "if every label were one higher",
        "the model's outputs seem to begin with one that the labels do not count, such as a "
        "background class",
    )
    for first in (0, 1):
        as_text = np.array(sorted(range(first, first + num_classes), key=str)) - first
        if (as_text == numbers).all():
            continue
        example = "'10' before '2'"
        yield Renaming(
            as_text,
            False,
            "if the labels were in numeric order",
            f"the labels seem to be numbers that were sorted as text ({example}), and the model's "
            "outputs are in numeric order",
        )
        yield Renaming(
            np.argsort(as_text),
            False,
            f"if the labels were sorted as text ({example})",
            "the model's outputs seem to be in the sorted order of folder names that are numbers, "
            "and the labels are in numeric order",
        )


def learn(labels: Indices, classes: Indices, num_classes: int) -> Renaming:
    """Return the one-to-one renaming under which the most pictures are right.

    A label moves only with a group of labels that gains at least `LEAST_GAIN` pictures together.
    Time and memory grow with the pictures, not with the square of ``num_classes``.

    Args:
        labels: (n,) output indices, none below 0.
        classes: (n,) the model's answers.
        num_classes: how many outputs there are.
    """
    outputs = np.arange(num_classes)
    present, rows = np.unique(labels, return_inverse=True)
    if not len(present):
        return Renaming(outputs, True)
    own = np.arange(len(present))
    weights = csr_array(
        (
            np.concatenate(
                [np.ones(len(rows)), np.full(len(own), STAY), np.full(len(own), GIVE_UP)]
            ),
            (
                np.concatenate([rows, own, own]),
                np.concatenate([classes, present, num_classes + own]),
            ),
        ),
        shape=(len(present), num_classes + len(present)),
    )
    weights.sum_duplicates()
    taken, columns = min_weight_full_bipartite_matching(weights, maximize=True)
    target = np.empty(len(present), dtype=np.int64)
    target[taken] = np.where(columns < num_classes, columns, NOWHERE)
    better = (classes == target[rows]).astype(np.float64) - (classes == labels)
    gains = np.bincount(rows, better, len(own)).astype(np.float64)
    outputs[present] = np.where(_worthwhile(present, target, gains, num_classes), target, present)
    return Renaming(outputs, True)


def _worthwhile(
    present: Indices, target: Indices, gains: NDArray[np.float64], num_classes: int
) -> NDArray[np.bool_]:
    """Whether each label belongs to a group, bound by taking each other's outputs, that gains."""
    somewhere = target != NOWHERE
    edges = (np.ones(somewhere.sum()), (present[somewhere], target[somewhere]))
    _, group = connected_components(csr_array(edges, shape=(num_classes, num_classes)))
    total = np.bincount(group[present], gains, num_classes)
    worthwhile: NDArray[np.bool_] = total[group[present]] >= LEAST_GAIN
    return worthwhile
