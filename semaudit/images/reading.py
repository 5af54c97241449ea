"""Pictures read and preprocessed one by one, perhaps in a worker process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from torch import Tensor
from torch.utils.data import Dataset

from semaudit.errors import ImageError
from semaudit.images.decoding import WHITE, Background, DecodeError
from semaudit.images.decoding.transforms import Transform, as_bytes
from semaudit.images.sources.listing import Item
from semaudit.images.sources.origins import Content
from semaudit.images.sources.stacks import PixelOrigin

if TYPE_CHECKING:
    from semaudit.models.preprocessing import Preprocessing

NO_LABEL = -1


@dataclass(frozen=True)
class Sample:
    """One preprocessed picture, uint8 (c, h, w), and the digest of its id and its content."""

    image: Tensor
    image_id: str
    label: int
    digest: int


@dataclass(frozen=True)
class Unreadable:
    """A picture that could not be read: an exception would bring a worker's traceback along."""

    where: str
    reason: str

    def error(self) -> ImageError:
        """Return the error that the main process raises."""
        return ImageError(f"cannot read {self.where}: {self.reason}; replace or remove the file")


class ImageDataset(Dataset[Sample | Unreadable]):
    """The items as a model sees them, before normalisation.

    Raises:
        ImageError: the model takes neither one nor three channels, and the items are not arrays.
    """

    def __init__(
        self,
        items: Sequence[Item],
        preprocessing: Preprocessing,
        background: Background = WHITE,
    ) -> None:
        self.items = tuple(items)
        self.transform = Transform(preprocessing, background)
        channels = self.transform.channels
        if channels not in {1, 3} and not all(isinstance(i.origin, PixelOrigin) for i in items):
            raise ImageError(
                f"the model takes {channels} channels, and picture files give 1 or 3; audit it on "
                "arrays (.npz or .npy) of that many channels, or on tensors through the Python API"
            )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Sample | Unreadable:
        item = self.items[index]
        try:
            content = item.origin.read()
            return sample(content, item.image_id, item.label, self.transform)
        except DecodeError as error:
            return Unreadable(item.origin.where, str(error))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Unreadable(item.origin.where, reason)
        except MemoryError:
            return Unreadable(item.origin.where, "not enough memory to decode it")


def sample(content: Content, image_id: str, label: int | None, transform: Transform) -> Sample:
    """Preprocess one picture.

    Raises:
        DecodeError: the content is no picture.
    """
    number = NO_LABEL if label is None else label
    digest = fingerprint(image_id, as_bytes(content))
    return Sample(transform(content), image_id, number, digest)


def fingerprint(image_id: str, content: bytes) -> int:
    """Return the sha256 digest of an image's id and content as an integer."""
    return int.from_bytes(sha256(image_id.encode() + b"|" + content).digest(), "big")


__all__ = ["NO_LABEL", "ImageDataset", "Sample", "Unreadable", "fingerprint", "sample"]
