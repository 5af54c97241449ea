"""Evidence that pictures do not reach a model as it was trained: other ways, tried and compared.

A few labelled pictures go through the model under other statistics, with red and blue exchanged,
and under other croppings: at most ten times as many forwards. Twenty pictures are too few for
accuracies, so the test is on what each picture surprises the model by: the cross-entropy of the
right class plus the entropy of the output, which a wrong preprocessing raises as well. On
tf_efficientnet_lite0 and photographs it finds BGR and wrong statistics twice as often as the
cross-entropy alone. Entropy alone, which needs no labels, is no evidence: a network that is fed
values in [0, 255] may be very sure of nonsense.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semaudit.checks.alternatives import Alternative, Kind, alternatives_to, away_from
from semaudit.checks.surprise import Answers, answers, labelled, paired_p_value
from semaudit.images import ImageSource
from semaudit.models import Classifier, Preprocessing

Reopen = Callable[[Preprocessing], ImageSource]

PICTURES = 32
"""How many pictures are tried."""

PICTURES_OF_A_GUESS = 64
"""How many where nobody stated mean and standard deviation, and an error is far more likely."""

FEWEST = 8
"""Fewer labelled pictures than this say nothing."""

LEVELS: dict[Kind, float] = {"channels": 0.02, "normalisation": 0.02, "geometry": 0.01}
"""One-sided, shared by the alternatives of a kind (Bonferroni): 5 % in all."""

LEAST_GAIN = 0.1
"""Nats of cross-entropy, at the best temperature of each, that another way must gain."""

LEAST_GAIN_ON_A_GUESS = 0.03
"""The same of another normalisation than a guessed one. A good model of few classes is hardly
ever wrong, whatever its pictures go through: of 40 draws of 64 photographs and their classes
tf_efficientnet_lite0 under ImageNet's statistics drew this warning in 37, under its own in none."""


@dataclass(frozen=True)
class Suspicion:
    """Another way of preprocessing that is clearly better, or that the model itself states.

    Attributes:
        kind: ``override`` (the model's own setting was replaced), ``channels``,
            ``normalisation`` or ``geometry``.
        message: one sentence with the figures.
        pictures: how many it rests on; 0 where nothing was measured, and then the rest is None.
        accuracy: as the pictures were preprocessed.
        other_accuracy: under the alternative.
        cross_entropy: of the right class, in nats, as the pictures were preprocessed.
        other_cross_entropy: under the alternative.
        p_value: that the alternative only seems better, one-sided and paired; not corrected.
    """

    kind: Kind
    message: str
    pictures: int = 0
    accuracy: float | None = None
    other_accuracy: float | None = None
    cross_entropy: float | None = None
    other_cross_entropy: float | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class Trial:
    """A classifier and the labelled pictures that every alternative is tried on."""

    classifier: Classifier
    images: Tensor
    labels: Tensor
    batch_size: int
    reopen: Reopen | None

    def __call__(self, alternative: Alternative) -> Answers:
        """Classify the pictures under an alternative."""
        images, given = self.images, alternative.preprocessing
        if self.reopen is not None and _geometry(given) != _geometry(self.classifier.preprocessing):
            classes = self.classifier.num_classes
            images = labelled(self.reopen(given), self.batch_size, len(images), classes)[0]
        return answers(
            # Compiling takes longer than these few pictures.
            replace(
                self.classifier,
                preprocessing=given,
                placement=replace(self.classifier.placement, compile=False),
            ),
            images.flip(1) if alternative.flipped else images,
            self.labels,
            self.batch_size,
        )


def suspect_preprocessing(
    classifier: Classifier,
    source: ImageSource,
    reopen: Reopen | None,
    own: Preprocessing | None,
    *,
    batch_size: int,
    guessed: bool = False,
) -> list[Suspicion]:
    """Say what speaks against the way that pictures are preprocessed.

    Where `can_tell` is False a deviation from ``own`` is still named, and nothing is measured.

    Args:
        classifier: what is audited, in its place.
        source: pictures for it, of which the first `PICTURES` are used, or `PICTURES_OF_A_GUESS`:
            let them be spread over the classes, as the choice that ``num_samples`` of
            `open_folder` makes.
        reopen: opens the same pictures under another preprocessing; None where that cannot be
            done, as for pictures in memory, and then croppings are not tried.
        own: the preprocessing that the model itself states (`Classifier.trained`), None when
            unknown.
        batch_size: of every batch but the last, which may be smaller.
        guessed: whether mean or standard deviation is a guess of ours.

    Returns:
        The deviation from ``own`` if there is one, and the most telling alternative if one is
        clearly better.

    Raises:
        ImageError: a picture cannot be read.
        ModelError: the model fails on them.
    """
    current, geometry = classifier.preprocessing, reopen is not None
    away = None if own is None else away_from(own, current, geometry=geometry)
    images = labels = torch.empty(0)
    if can_tell(classifier, source):
        pictures = PICTURES_OF_A_GUESS if guessed else PICTURES
        images, labels = labelled(source, batch_size, pictures, classifier.num_classes)
    if len(images) < FEWEST:
        text = f"what that does was not measured, which takes {FEWEST} labelled pictures"
        return [] if away is None else [Suspicion("override", f"{away.claim}; {text}")]
    trial = Trial(classifier, images, labels, batch_size, reopen)
    others = [
        each
        for each in alternatives_to(current, geometry=geometry)
        if away is None or each.flipped or each.preprocessing != away.preprocessing
    ]
    before = trial(Alternative("override", "", "", current))
    gains = {"normalisation": LEAST_GAIN_ON_A_GUESS} if guessed else {}
    best = _most_telling(before, [(each, trial(each)) for each in others], gains)
    found: list[Suspicion] = []
    if away is not None:
        after = trial(away)
        found.append(_suspicion("override", _override(away, before, after), before, after))
        # What hardly beats the model's own is only an echo of the override.
        if best is not None and after.calibrated - best[1].calibrated < LEAST_GAIN:
            best = None
    if best is not None:
        text = _alternative(best[0], before, best[1])
        found.append(_suspicion(best[0].kind, text, before, best[1]))
    return found


def can_tell(classifier: Classifier, source: ImageSource) -> bool:
    """Whether there is anything to compare by: classes, and at least `FEWEST` labelled pictures."""
    return classifier.activation == "softmax" and source.labelled and len(source) >= FEWEST


def _geometry(preprocessing: Preprocessing) -> Preprocessing:
    """What happens to the pixels before the classifier: all but the statistics."""
    return replace(preprocessing, mean=(), std=())


def _most_telling(
    before: Answers, tried: Sequence[tuple[Alternative, Answers]], gains: Mapping[str, float]
) -> tuple[Alternative, Answers] | None:
    counts = Counter(each.kind for each, _ in tried)
    clear = [
        (each, after)
        for each, after in tried
        if paired_p_value(before, after) <= LEVELS[each.kind] / counts[each.kind]
        and before.loss > after.loss
        and before.calibrated - after.calibrated >= gains.get(each.kind, LEAST_GAIN)
        and after.accuracy >= before.accuracy
    ]
    return min(clear, key=lambda pair: pair[1].loss, default=None)


def _alternative(alternative: Alternative, before: Answers, after: Answers) -> str:
    return (
        f"{alternative.advice}: {alternative.claim} accuracy is {after.accuracy:.2f} instead of "
        f"{before.accuracy:.2f} and cross-entropy {after.loss:.2f} instead of {before.loss:.2f} "
        f"on {len(before.right)} pictures"
    )


def _override(away: Alternative, before: Answers, after: Answers) -> str:
    worse, better = paired_p_value(before, after), paired_p_value(after, before)
    sure = "" if min(worse, better) <= 0.025 else ", a difference that chance can make"
    return (
        f"{away.claim}: accuracy is {before.accuracy:.2f} instead of {after.accuracy:.2f} and "
        f"cross-entropy {before.loss:.2f} instead of {after.loss:.2f} on {len(before.right)} "
        f"pictures{sure}"
    )


def _suspicion(kind: Kind, message: str, before: Answers, after: Answers) -> Suspicion:
    return Suspicion(
        kind=kind,
        message=message,
        pictures=len(before.right),
        accuracy=before.accuracy,
        other_accuracy=after.accuracy,
        cross_entropy=before.loss,
        other_cross_entropy=after.loss,
        p_value=paired_p_value(before, after),
    )
