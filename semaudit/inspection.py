"""Signs that something around the model is wrong: looked for before and after a scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from semaudit import checks
from semaudit.errors import UsageError
from semaudit.images import NO_LABEL, FolderSource, ImageDataset, ImageSource
from semaudit.images.decoding import DecodeError
from semaudit.models import Classifier, Preprocessing
from semaudit.models.assembly import GUESSED
from semaudit.models.checkpoint import DISPUTED
from semaudit.opening import SMALL, Data, on_disk, open_data, some
from semaudit.report.document import Compared, Comparison, Interval
from semaudit.settings import Settings
from semaudit.store import Samples

STATISTICS = ("--mean", "--std")
"""What bears on pictures that are at the input size already."""


def preprocessing_warnings(classifier: Classifier, data: Data, settings: Settings) -> list[str]:
    """Say what was guessed of the preprocessing and, judged by a few pictures, what is wrong."""
    guesses = guess_warnings(classifier, data, settings)
    if settings.trust_inputs:
        return guesses
    guessed = bool(_guessed_statistics(classifier) or _disputed(classifier, settings))
    return [*guesses, *_suspicions(classifier, data, settings, guessed=guessed)]


def guess_warnings(classifier: Classifier, data: Data, settings: Settings) -> list[str]:
    """Say what was guessed of the preprocessing; no picture is looked at."""
    taken = classifier.provenance.get(GUESSED) if on_disk(data) else _guessed_statistics(classifier)
    return [*_guess(list(taken or ())), *_disputed(classifier, settings)]


def _guessed_statistics(classifier: Classifier) -> list[str]:
    taken = classifier.provenance.get(GUESSED) or ()
    return [each for each in taken if each.startswith(STATISTICS)]


def _disputed(classifier: Classifier, settings: Settings) -> list[str]:
    others = list(classifier.provenance.get(DISPUTED) or ())
    given = {"--mean": settings.mean, "--std": settings.std}
    left = [flag for flag in STATISTICS if not given[flag]]
    if not others or not left:
        return []
    arch = classifier.provenance["arch"]
    what = " and ".join(flag.removeprefix("--") for flag in left)
    return [
        f"{what} {'are' if len(left) > 1 else 'is'} a guess: the file states none, and timm's "
        f"weights of {arch} differ in mean and std; those of its default are taken, and others "
        f"have {'; '.join(others)}. If it was trained so, give {', '.join(left)}, or name the "
        f"weights, as in --arch {arch}.TAG"
    ]


def _guess(named: Sequence[str]) -> list[str]:
    if not named:
        return []
    flags = [flag for flag in ("--input-size", *STATISTICS) if flag in " ".join(named)]
    return [
        "the preprocessing is a guess, for the model does not state it all, and a wrong one moves "
        f"every figure; taken: {', '.join(named)}. "
        f"Give what it was trained with ({', '.join(flags)})"
    ]


def _suspicions(
    classifier: Classifier, data: Data, settings: Settings, *, guessed: bool
) -> list[str]:
    count = checks.PICTURES_OF_A_GUESS if guessed else checks.PICTURES
    few = some(settings, count) if on_disk(data) else settings

    def reopen(other: Preprocessing) -> ImageSource:
        return open_data(data, few, replace(classifier, preprocessing=other))

    found = checks.suspect_preprocessing(
        classifier,
        open_data(data, few, classifier),
        reopen if on_disk(data) else None,
        _known_of_training(classifier),
        batch_size=SMALL,
        guessed=guessed,
    )
    return [each.message for each in found]


def _known_of_training(classifier: Classifier) -> Preprocessing | None:
    """What the model states of itself; a disputed mean and std are no statement of its own."""
    trained, taken = classifier.trained, classifier.preprocessing
    if trained is None or not classifier.provenance.get(DISPUTED):
        return trained
    return replace(trained, mean=taken.mean, std=taken.std)


def label_warnings(samples: Samples, classifier: Classifier, names: Sequence[str]) -> list[str]:
    """Say what speaks against the labels of the N pictures."""
    labels = np.nan_to_num(samples.image("label"), nan=NO_LABEL).astype(np.int64)
    classes = samples.image("clean_class").astype(np.int64)
    return checks.label_warnings(labels, classes, classifier.num_classes, names)


def compare_preprocessing(classifier: Classifier, source: ImageSource) -> Comparison:
    """Compare ways to resize on all pictures that can be read.

    Raises:
        UsageError: the model does not choose one class of several, or the pictures are in memory.
        ImageError: there are no pictures to read.
    """
    if not isinstance(source, FolderSource):
        raise UsageError(
            "--compare-preprocessing goes with pictures on disk that are read one by one"
        )
    found = checks.compare_preprocessing(
        classifier, partial(_decoded, source.dataset), batch_size=SMALL
    )
    return Comparison(
        pictures=found.pictures,
        own=found.own,
        accuracy=found.accuracy,
        compared=[_compared(each, found.pictures) for each in found.compared],
        reading=found.reading,
    )


def _compared(each: checks.Compared, n: int) -> Compared:
    return Compared(
        name=each.name,
        shift=Interval(value=each.shift, low=each.shift_low, high=each.shift_high, n=n),
        flip_rate=Interval(
            value=each.flip_rate, low=each.flip_rate_low, high=each.flip_rate_high, n=n
        ),
        pixel_difference=each.pixel_difference,
        accuracy=each.accuracy,
        worst=each.worst,
    )


def _decoded(dataset: ImageDataset) -> Iterator[tuple[str, int, Image.Image]]:
    """The pictures before any resize; those that cannot be read are left out, as in the scan."""
    for item in dataset.items:
        try:
            picture = dataset.transform.picture(item.origin.read())
        except (DecodeError, OSError, ValueError, MemoryError):
            continue
        yield item.image_id, NO_LABEL if item.label is None else item.label, picture
