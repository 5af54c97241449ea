"""How much a model's answers depend on who resizes its pictures.

Training resizes with one library, production often with another; the same filter by name is not
the same filter. Every clean picture goes through the usual resizes, to the same size and under
the same crop, and the outputs are compared with those of the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data import create_transform
from torch import Tensor
from torchvision.transforms import Compose, InterpolationMode
from torchvision.transforms.v2 import functional

from semaudit.divergence import jensen_shannon
from semaudit.errors import ImageError, UsageError
from semaudit.images import NO_LABEL, as_float
from semaudit.images.decoding.bounding import bounded
from semaudit.images.decoding.transforms import Transform
from semaudit.models import Classifier, Preprocessing
from semaudit.statistics import mean_evidence

Array: TypeAlias = NDArray[np.float64]
Picture: TypeAlias = tuple[str, int, Image.Image]
"""An id, a label (-1 for none), and the picture as `semaudit.images.decoding` decodes it."""

Resize: TypeAlias = Callable[[Image.Image], Tensor]
"""From a decoded picture to uint8 (c, h, w) at the model's input size."""

OWN = "own"


@dataclass(frozen=True)
class Compared:
    """What another resize does, against the model's own.

    Attributes:
        name: of the resize.
        shift: mean Jensen-Shannon divergence, bits, with its 95 % interval.
        flip_rate: the share of pictures whose answer changes, with its 95 % interval.
        pixel_difference: mean absolute difference of the inputs, in [0, 1].
        accuracy: of the labelled pictures; None when there are none.
        worst: the id of the picture with the largest shift.
    """

    name: str
    shift: float
    shift_low: float
    shift_high: float
    flip_rate: float
    flip_rate_low: float
    flip_rate_high: float
    pixel_difference: float
    accuracy: float | None
    worst: str


@dataclass(frozen=True)
class Comparison:
    """The clean pictures under several resizes.

    Attributes:
        pictures: how many.
        own: the model's own resize, in words.
        accuracy: under it, of the labelled pictures; None when there are none.
        compared: the others.
        reading: one sentence that says what follows.
    """

    pictures: int
    own: str
    accuracy: float | None
    compared: tuple[Compared, ...]
    reading: str


def compare_preprocessing(
    classifier: Classifier, read: Callable[[], Iterable[Picture]], *, batch_size: int
) -> Comparison:
    """Run all pictures through the usual resizes; each costs one forward a picture.

    Memory holds one batch under every resize, and a few numbers a picture.

    Args:
        classifier: what is audited, in its place.
        read: starts over, and yields the pictures one by one.
        batch_size: of every batch but the last, which may be smaller.

    Raises:
        ImageError: there are no pictures, or the model takes neither one nor three channels.
        ModelError: the model fails on them.
        UsageError: the model does not choose one class of several.
    """
    if classifier.activation != "softmax":
        raise UsageError(
            "--compare-preprocessing compares the classes of a model that chooses one of several; "
            f"{classifier.name} has the activation {classifier.activation}: leave it out"
        )
    ways = resizes(classifier.preprocessing)
    ids, labels = list[str](), list[int]()
    rows: list[dict[str, Array]] = []
    for batch in _batched(read(), batch_size):
        ids += [name for name, _, _ in batch]
        labels += [label for _, label, _ in batch]
        rows.append(_measure(classifier, ways, batch))
    if not ids:
        raise ImageError("there is no picture to compare the preprocessing on; check --data")
    columns = {name: np.concatenate([row[name] for row in rows]) for name in ways}
    known = np.array(labels) != NO_LABEL
    right = {
        name: float((column[known, 0] == np.array(labels)[known]).mean()) if known.any() else None
        for name, column in columns.items()
    }
    compared = tuple(
        _compared(name, columns[name], columns[OWN][:, 0], right[name], ids)
        for name in ways
        if name != OWN
    )
    own = f"PIL {classifier.preprocessing.interpolation}"
    return Comparison(len(ids), own, right[OWN], compared, _reading(compared, own, len(ids)))


def resizes(preprocessing: Preprocessing) -> dict[str, Resize]:
    """Return the model's own way under `OWN`, and the others by name.

    Raises:
        ImageError: the model takes neither one nor three channels.
    """
    channels = preprocessing.input_size[0]
    if channels not in {1, 3}:
        raise ImageError(
            f"the model takes {channels} channels, and the resizes of Pillow 1 or 3: leave "
            "--compare-preprocessing out"
        )
    # timm's evaluation begins with the resize; the crop that follows is the same for all.
    steps = create_transform(
        **{**asdict(preprocessing), "is_training": False, "normalize": False}
    ).transforms
    first, rest = steps[0], Compose(steps[1:])

    def by_torch(mode: InterpolationMode, antialias: bool) -> Resize:
        def resize(picture: Image.Image) -> Tensor:
            short = bounded(picture, preprocessing)
            width, height = first(short).size
            pixels = functional.pil_to_tensor(short)
            resized = functional.resize(pixels, [height, width], mode, antialias=antialias)
            # timm pads pictures, and tensors not, with the colour that it is told.
            image: Tensor = rest(functional.to_pil_image(resized))
            return image

        return resize

    return {
        OWN: Transform(preprocessing),
        "PIL bicubic": Transform(replace(preprocessing, interpolation="bicubic")),
        "PIL bilinear": Transform(replace(preprocessing, interpolation="bilinear")),
        "torch bicubic, antialiased": by_torch(InterpolationMode.BICUBIC, True),
        "torch bilinear, antialiased": by_torch(InterpolationMode.BILINEAR, True),
        "torch or OpenCV bilinear, not antialiased": by_torch(InterpolationMode.BILINEAR, False),
    }


def _batched(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    stream = iter(pictures)
    while batch := list(islice(stream, size)):
        yield batch


def _measure(
    classifier: Classifier, ways: dict[str, Resize], batch: list[Picture]
) -> dict[str, Array]:
    """For each way (n, 3): the answer, the shift and the pixel difference from the own way."""
    found: dict[str, Array] = {}
    reference: tuple[Tensor, Tensor] | None = None
    for name, way in ways.items():
        images = as_float(torch.stack([way(picture) for _, _, picture in batch]), "cpu")
        with torch.inference_mode():
            logits = classifier(images.to(classifier.placement.device)).logits
        log_p = logits.double().cpu().log_softmax(-1)
        reference = reference or (images, log_p)
        # Rounding would give equal outputs a divergence of some 1e-17.
        shift = jensen_shannon(log_p, reference[1]).where(
            (log_p != reference[1]).any(-1), torch.zeros(len(log_p), dtype=torch.float64)
        )
        pixels = (images - reference[0]).abs().double().mean((1, 2, 3))
        found[name] = torch.stack([log_p.argmax(-1).double(), shift, pixels], 1).numpy()
    return found


def _compared(
    name: str, column: Array, own_answers: Array, accuracy: float | None, ids: list[str]
) -> Compared:
    shift = mean_evidence(column[:, 1], (0, 1))
    flips = mean_evidence((column[:, 0] != own_answers).astype(np.float64), (0, 1))
    (shift_low, shift_high), (flip_low, flip_high) = shift.interval(), flips.interval()
    return Compared(
        name=name,
        shift=shift.value,
        shift_low=shift_low,
        shift_high=shift_high,
        flip_rate=flips.value,
        flip_rate_low=flip_low,
        flip_rate_high=flip_high,
        pixel_difference=float(column[:, 2].mean()),
        accuracy=accuracy,
        worst=ids[int(column[:, 1].argmax())],
    )


def _reading(compared: tuple[Compared, ...], own: str, pictures: int) -> str:
    worst = max(compared, key=lambda each: (each.flip_rate, each.shift))
    if all(each.pixel_difference == 0 for each in compared):
        return (
            f"the {pictures} pictures have the size of the resize already, so that none of these "
            "resizes changes them: give them as they are before any resize"
        )
    if worst.shift == 0:
        return f"the resize makes no difference to any of the {pictures} pictures"
    if worst.flip_rate == 0:
        return (
            f"no answer changes on {pictures} pictures when the resize is another than {own} "
            f"(at most {100 * worst.flip_rate_high:.1f} % do, at 95 % confidence)"
        )
    share = f"{100 * worst.flip_rate:.1f} %"
    bounds = f"[{100 * worst.flip_rate_low:.1f}, {100 * worst.flip_rate_high:.1f}]"
    return (
        f"the answer changes for {share} {bounds} of {pictures} pictures when the resize is "
        f"{worst.name} instead of {own}: preprocess in production exactly as in training"
    )
