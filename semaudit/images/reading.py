"""Pictures on disk, read and preprocessed one by one, perhaps in a worker process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from timm.data import create_transform
from torch import Tensor
from torch.utils.data import Dataset

from semaudit.errors import ImageError
from semaudit.images.decoding import DecodeError, decode
from semaudit.images.source import Item

if TYPE_CHECKING:
    from semaudit.models.preprocessing import Preprocessing

NO_LABEL = -1


@dataclass(frozen=True)
class Sample:
    """One preprocessed picture, uint8 (c, h, w), and the digest of its id and its file."""

    image: Tensor
    image_id: str
    label: int
    digest: int


@dataclass(frozen=True)
class Unreadable:
    """A picture that could not be read: an exception would bring a worker's traceback along."""

    path: Path
    reason: str

    def error(self) -> ImageError:
        """Return the error that the main process raises."""
        return ImageError(f"cannot read {self.path}: {self.reason}; replace or remove the file")


class ImageDataset(Dataset[Sample | Unreadable]):
    """The items as a model sees them, before normalisation.

    Raises:
        ImageError: the model takes neither one nor three channels.
    """

    def __init__(self, items: Sequence[Item], preprocessing: Preprocessing) -> None:
        self.items = tuple(items)
        self.channels = preprocessing.input_size[0]
        if self.channels not in {1, 3}:
            raise ImageError(
                f"the model takes {self.channels} channels, and picture files give 1 or 3; "
                "audit it on tensors, through the Python API"
            )
        self.transform = _eval_transform(preprocessing)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Sample | Unreadable:
        item = self.items[index]
        try:
            content = item.path.read_bytes()
            image = self.transform(decode(content, self.channels))
        except DecodeError as error:
            return Unreadable(item.path, str(error))
        except OSError as error:
            return Unreadable(item.path, error.strerror or str(error))
        except MemoryError:
            return Unreadable(item.path, "not enough memory to decode it")
        label = NO_LABEL if item.label is None else item.label
        return Sample(image, item.image_id, label, fingerprint(item.image_id, content))


def fingerprint(image_id: str, content: bytes) -> int:
    """Return the sha256 digest of an image's id and content as an integer."""
    return int.from_bytes(sha256(image_id.encode() + b"|" + content).digest(), "big")


def _eval_transform(preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
    transform: Callable[[Image.Image], Tensor] = create_transform(
        input_size=preprocessing.input_size,
        is_training=False,
        normalize=False,  # the Classifier normalises, so that perturbations see [0, 1]
        mean=preprocessing.mean,
        std=preprocessing.std,
        crop_pct=preprocessing.crop_pct,
        crop_mode=preprocessing.crop_mode,
        interpolation=preprocessing.interpolation,
    )
    return transform


__all__ = ["NO_LABEL", "ImageDataset", "Sample", "Unreadable", "fingerprint"]
