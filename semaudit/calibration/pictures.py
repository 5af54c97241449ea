"""The pictures that probes are measured on: a few, in memory, as a model would see them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from semaudit.calibration.meter import Meter
from semaudit.errors import ImageError
from semaudit.images import ImageSource, add_digests, as_float, open_pictures
from semaudit.images.reading import Unreadable
from semaudit.models import ClassNames, Preprocessing


def meter_of(source: ImageSource, most: int, seed: int, device: torch.device) -> tuple[Meter, str]:
    """Read up to ``most`` pictures of a source, and return their meter and their fingerprint.

    Raises:
        ImageError: none can be read.
    """
    parts: list[Tensor] = []
    names: list[str] = []
    digests: list[int] = []
    unreadable: list[Unreadable] = []
    missing = most
    for batch in source.batches(min(most, 16)):
        unreadable += batch.unreadable
        taken = as_float(batch.images[:missing], device)
        if len(taken):
            parts.append(taken)
            names += batch.image_ids[: len(taken)]
            digests.append(batch.digest)
        missing -= len(taken)
        if missing <= 0:
            break
    if not parts:
        first = f": {unreadable[0].where}: {unreadable[0].reason}" if unreadable else ""
        raise ImageError(f"none of the pictures can be read{first}")
    return Meter.of(torch.cat(parts), names, seed), f"{add_digests(digests):064x}"


def open_for_calibration(
    data: Path | None, size: int, num_samples: int, seed: int, label_pattern: str | None = None
) -> ImageSource:
    """Open pictures without a model: the middle seven eighths of each, as ImageNet's are cropped.

    Of a folder, only those whose names match ``label_pattern``, where there is one.

    Raises:
        ImageError: they cannot be listed.
    """
    seen = Preprocessing(
        input_size=(3, size, size),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        crop_pct=0.875,
        crop_mode="center",
        interpolation="bicubic",
    )
    return open_pictures(
        data,
        seen,
        ClassNames((), ()),
        0,
        label_pattern=label_pattern,
        ignore_labels=True,
        num_samples=num_samples,
        seed=seed,
    )
