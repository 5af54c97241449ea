"""Looks for colour in some of the pictures, spread over all: grey ones decide what applies."""

from __future__ import annotations

from torch import Tensor

from semaudit.applicability import UNSEEN, Looked, count_grey
from semaudit.images import as_float
from semaudit.models import Classifier
from semaudit.opening import SMALL, Data, on_disk, open_data, some
from semaudit.settings import Settings

ENOUGH = 64
"""How many pictures are looked at: if a twentieth has colour, 96 of 100 such looks find it."""


def look_for_colour(classifier: Classifier, data: Data, settings: Settings) -> Looked:
    """Count the grey ones among at most `ENOUGH` pictures in three channels.

    Of pictures on disk they are the seeded choice of ``--num-samples``, of those in memory every
    so manieth; of a source that can only be read in order, the first.
    """
    if classifier.preprocessing.input_size[0] != 3:
        return UNSEEN
    few = some(settings, ENOUGH) if on_disk(data) else settings
    looked = grey = 0
    for batch in open_data(_thinned(data), few, classifier).batches(SMALL):
        if len(batch):
            taken = as_float(batch.images[: ENOUGH - looked], "cpu")
            looked += len(taken)
            grey += count_grey(taken)
        if looked >= ENOUGH:
            break
    return Looked(looked, grey)


def _thinned(data: Data) -> Data:
    """Every so manieth of pictures in memory, without their labels."""
    images = data[0] if isinstance(data, tuple) else data
    if not isinstance(images, Tensor):
        return data
    return images[:: max(1, -(-len(images) // ENOUGH))]
