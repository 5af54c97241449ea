"""A hash of each picture's content: tells copies, and what a broken run rested on.

Undecoded bytes are hashed wherever a source has them: nothing else is seen of the held-out pictures
before the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

from semaudit.images import FolderSource, ImageSource, StreamSource, TensorSource
from semaudit.images.decoding.transforms import as_bytes
from semaudit.images.intake import Intake
from semaudit.images.sources.origins import Content

READING = 64
"""Pictures that are read at once."""


@dataclass(frozen=True)
class Roll:
    """All pictures of a source, in its order.

    Attributes:
        image_ids: their names.
        contents: a hash of each one's content; of one that cannot be read, of its name.
    """

    image_ids: tuple[str, ...]
    contents: tuple[bytes, ...]

    @property
    def copies(self) -> int:
        """Pictures that come a second time, under another name."""
        return len(self.contents) - len(set(self.contents))

    @property
    def digest(self) -> str:
        """One hash of all contents, in their order."""
        return digest_of(b"".join(self.contents))


def digest_of(content: bytes) -> str:
    """A short hash."""
    return blake2b(content, digest_size=8).hexdigest()


def roll_of(source: ImageSource, channels: int, classes: int, max_unreadable: float) -> Roll:
    """Go once through a source.

    Raises:
        ImageError: it fails, or, where it hands out nothing but decoded pictures, they do not suit
            the model or too many cannot be read.
    """
    if isinstance(source, FolderSource):
        return _rolled((item.image_id, item.origin.read) for item in source.dataset.items)
    if isinstance(source, StreamSource):
        return _rolled((name, _as_it_is(content)) for name, content, _ in source.contents())
    names: list[str] = []
    contents: list[bytes] = []
    intake = Intake(
        total=len(source), channels=channels, num_classes=classes, max_unreadable=max_unreadable
    )
    for batch in source.batches(READING):
        intake.admit(batch)
        names += batch.image_ids
        contents += [_hash(image.contiguous().cpu().numpy().tobytes()) for image in batch.images]
    intake.close()
    return Roll(tuple(names), tuple(contents))


def ids_of(source: ImageSource) -> tuple[str, ...] | None:
    """The ids of a source's pictures without reading one; None where it does not tell."""
    if isinstance(source, FolderSource):
        return tuple(item.image_id for item in source.dataset.items)
    return tuple(source.image_ids or ()) if isinstance(source, TensorSource) else None


def _as_it_is(content: Content) -> Callable[[], Content]:
    return lambda: content


def _rolled(pictures: Iterable[tuple[str, Callable[[], Content]]]) -> Roll:
    names: list[str] = []
    contents: list[bytes] = []
    for name, read in pictures:
        names.append(name)
        try:
            contents.append(_hash(as_bytes(read())))
        except Exception:  # whatever a decoder raises: where it is wanted, it counts as unreadable
            contents.append(_hash(b"unreadable " + name.encode()))
    return Roll(tuple(names), tuple(contents))


def _hash(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
