"""Evidence that labels do not stand for the outputs that they name.

Two questions: is the accuracy no better than chance, and would one fixed renaming of the labels
make it far better? Renamings that mistakes are known to make are held against all pictures. Any
other is learned on one half of the pictures and judged on the other, so that a handful of
pictures, which some permutation always fits, proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from semaudit.checks.renaming import NOWHERE, Renaming, known_renamings, learn
from semaudit.statistics import mean_evidence

Indices = NDArray[np.int64]

CHANCE_LEVEL = 0.05
"""An accuracy above chance at this one-sided level is not at chance."""

MODEST = 0.25
"""How far from chance to perfection even a modest model gets ..."""

MODEST_LEVEL = 0.01
"""... and the one-sided level at which so few right answers must exclude that it did."""

KNOWN_LEVEL, LEARNED_LEVEL = 1e-4, 1e-3
"""Of each test of a renaming; at most six known renamings are held against the pictures."""

KNOWN_AGREEMENT, LEARNED_AGREEMENT = 0.1, 0.4
"""The least chance-corrected agreement (Cohen's kappa) on the renamed pictures.

A model that answers one class most of the time agrees with labels that are one class most of the
time, once the one is renamed to the other; kappa takes that out. Random models with skewed answers
stay below 0.2, and permutations of models that are 60 % right or better lie above 0.37.
"""

FAR_BETTER = 2
"""How many times as accurate the renamed pictures become at least."""

SHOWN = 3
"""How many pairs of a renaming a message names."""


@dataclass(frozen=True)
class Judged:
    """What a renaming does to the pictures that it is judged on.

    Attributes:
        renaming: what is judged.
        before: the accuracy as labelled.
        after: the accuracy under the renaming.
        moved_before: the same over the pictures whose label it changes; 0 where there are none.
        moved_after: likewise.
        pictures: how many it was judged on.
        agreement: Cohen's kappa over those pictures, under the renaming.
        p_value: that it beats the labels as they are (one-sided exact McNemar), and that it
            beats answers that do not depend on the picture (binomial): the larger of the two.
    """

    renaming: Renaming = field(repr=False)
    before: float
    after: float
    moved_before: float
    moved_after: float
    pictures: int
    agreement: float
    p_value: float

    @property
    def convincing(self) -> bool:
        """Whether it makes the accuracy far better, beyond what chance does."""
        learned = self.renaming.learned
        return (
            self.p_value <= (LEARNED_LEVEL if learned else KNOWN_LEVEL)
            and self.agreement >= (LEARNED_AGREEMENT if learned else KNOWN_AGREEMENT)
            and self.moved_after >= FAR_BETTER * self.moved_before
        )


@dataclass(frozen=True)
class Doubt:
    """What speaks against labels.

    Attributes:
        said: in words.
        renamed: whether a renaming explains it; else the accuracy is at chance.
    """

    said: str
    renamed: bool


def label_warnings(
    labels: Indices, classes: Indices, num_classes: int, names: Sequence[str]
) -> list[str]:
    """Say what speaks against the labels; an empty list when nothing does, see `doubt_about`."""
    doubt = doubt_about(labels, classes, num_classes, names)
    return [] if doubt is None else [doubt.said]


def doubt_about(
    labels: Indices, classes: Indices, num_classes: int, names: Sequence[str]
) -> Doubt | None:
    """Return what speaks against the labels, or None: a renaming, which explains one, or chance.

    Measured in ``tests/checks/test_check_labels.py``: of 1,000 random models in each of ten
    settings at most two seem renamed, and a shuffle, a shift and a swap are found on 300 pictures.

    Args:
        labels: (n,) output indices, -1 for none.
        classes: (n,) the model's answers.
        num_classes: how many outputs the model has.
        names: of the outputs.
    """
    known = labels >= 0
    labels, classes = labels[known], classes[known]
    if not len(labels):
        return None
    found = find_renaming(labels, classes, num_classes)
    if found is not None:
        return Doubt(_renaming_message(found, labels, classes, names), renamed=True)
    return _doubt_at_chance(labels == classes, num_classes)


def find_renaming(labels: Indices, classes: Indices, num_classes: int) -> Judged | None:
    """Return the most telling renaming that makes the accuracy far better, or None.

    Args:
        labels: (n,) output indices, none below 0.
        classes: (n,) the model's answers.
        num_classes: how many outputs the model has.
    """
    known = [judge(each, labels, classes) for each in known_renamings(num_classes)]
    convincing = [each for each in known if each.convincing]
    best = max(convincing, key=lambda each: each.after, default=None)
    first, second = _halves(labels)
    renaming = learn(labels[first], classes[first], num_classes)
    learned = judge(renaming, labels[second], classes[second])
    if not learned.convincing:
        return best
    if best is not None:
        # The named one explains more than a list of pairs unless it leaves much unexplained.
        named = judge(best.renaming, labels[second], classes[second])
        return best if named.after >= 0.9 * learned.after else learned
    return learned


def judge(renaming: Renaming, labels: Indices, classes: Indices) -> Judged:
    """Hold a renaming against pictures that it was not learned on."""
    renamed = renaming.outputs[labels]
    old, new, moved = labels == classes, renamed == classes, renamed != labels
    wins, losses = int((new & ~old).sum()), int((old & ~new).sum())
    mcnemar = float(special.bdtrc(wins - 1, wins + losses, 0.5)) if wins else 1.0
    agreement, by_chance = _agreement(renamed[moved], classes[moved])
    return Judged(
        renaming=renaming,
        before=_mean(old),
        after=_mean(new),
        moved_before=_mean(old[moved]),
        moved_after=_mean(new[moved]),
        pictures=len(labels),
        agreement=agreement,
        p_value=max(mcnemar, by_chance),
    )


def _mean(right: NDArray[np.bool_]) -> float:
    return float(right.mean()) if len(right) else 0.0


def _agreement(expected: Indices, answers: Indices) -> tuple[float, float]:
    """Cohen's kappa, and the one-sided p-value of as many hits were the two independent."""
    if not len(expected):
        return 0.0, 1.0
    values, coded = np.unique(np.concatenate([expected, answers]), return_inverse=True)
    counts = [np.bincount(half, minlength=len(values)) for half in np.split(coded, 2)]
    chance = float(np.dot(*counts)) / len(expected) ** 2
    hits = int((expected == answers).sum())
    if chance == 1 or not hits:
        return 0.0, 1.0
    by_chance = float(special.bdtrc(hits - 1, len(expected), chance))
    return (hits / len(expected) - chance) / (1 - chance), by_chance


def _halves(labels: Indices) -> tuple[Indices, Indices]:
    """The pictures of each label dealt in turn, in an order that their names do not decide."""
    order = np.random.default_rng(0).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[order], labels[order])
    turn = (np.arange(len(order)) - starts) % 2
    return order[turn == 0], order[turn == 1]


def _doubt_at_chance(right: NDArray[np.bool_], num_classes: int) -> Doubt | None:
    n, count, chance = len(right), int(right.sum()), 1 / num_classes
    above = float(special.bdtrc(count - 1, n, chance)) if count else 1.0
    modest = chance + MODEST * (1 - chance)
    if above <= CHANCE_LEVEL or special.bdtr(count, n, modest) > MODEST_LEVEL:
        return None
    evidence = mean_evidence(right.astype(np.float64), (0, 1))
    low, high = evidence.interval()
    return Doubt(
        f"accuracy {evidence.value:.3f} [{low:.3f}, {high:.3f}] on {n} pictures is no better than "
        f"chance ({chance:.3g} for {num_classes} classes): check that the labels stand for this "
        "model's outputs, that the weights were loaded, and the preprocessing",
        renamed=False,
    )


def _renaming_message(
    found: Judged, labels: Indices, classes: Indices, names: Sequence[str]
) -> str:
    where = f"on {found.pictures} pictures"
    if found.renaming.learned:
        where += " that it was not learned from"
    swap = found.renaming.swap
    if swap is not None:
        a, b = (_named(index, names) for index in swap)
        claim = f"if {a} and {b} changed places"
        advice = "the two seem to be swapped"
    elif found.renaming.learned:
        claim = f"if {found.renaming.moved} labels were renamed by one fixed permutation"
        advice = f"{_pairs(found.renaming, labels, classes, names)}; the order of the classes seems"
        advice += " to differ between the labels and the model"
    else:
        claim, advice = found.renaming.claim, found.renaming.advice
    return f"accuracy {found.before:.2f}, but {found.after:.2f} {claim} ({where}): {advice}"


def _pairs(renaming: Renaming, labels: Indices, classes: Indices, names: Sequence[str]) -> str:
    """The pairs that the most pictures speak for."""
    outputs = renaming.outputs
    moved = np.flatnonzero((outputs != np.arange(len(outputs))) & (outputs != NOWHERE))
    total = np.bincount(labels, minlength=len(outputs))
    agreeing = np.bincount(labels[outputs[labels] == classes], minlength=len(outputs))
    first = sorted(moved.tolist(), key=lambda label: (-agreeing[label], label))[:SHOWN]
    return ", ".join(
        f"{_named(label, names)} is answered {_named(int(outputs[label]), names)} "
        f"({agreeing[label]} of {total[label]})"
        for label in first
    )


def _named(index: int, names: Sequence[str]) -> str:
    """A name with its index: two classes may share a name."""
    return f"{names[index]!r} [{index}]" if index < len(names) else f"[{index}]"
