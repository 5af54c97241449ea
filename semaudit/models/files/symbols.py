"""The symbols that `vetting` plays a pickle with, and what each may be made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from semaudit.models.files import allowed

MAX_DEPTH = 64
_MAX_WEIGHT = 1 << 40


class UnreadableError(Exception):
    """The pickle is damaged, or takes a step that no checkpoint takes."""


class ForeignError(Exception):
    """The pickle uses a global that is not one of a checkpoint's."""


class UnusableError(Exception):
    """The pickle holds tensors that cannot be audited."""


class InflatedError(Exception):
    """A tensor claims more numbers than the file holds."""


@dataclass(frozen=True)
class Global:
    """A name that the pickle imports."""

    name: str


@dataclass(frozen=True)
class Tuple:
    """A tuple, how deep it nests, and how many items it has with those inside."""

    items: tuple[object, ...]
    depth: int
    weight: int


@dataclass
class Made:
    """Anything else: what it is, how many items it has, and the bytes of a storage."""

    what: str
    weight: int = 1
    nbytes: int = 0
    itemsize: int = 1

    def grow(self, items: list[object]) -> None:
        """Take items in; they are weighed, not kept."""
        self.weight = min(_MAX_WEIGHT, self.weight + sum(map(weight, items)))


class Storages:
    """How many bytes the storages that a pickle names may have."""

    def __init__(self, sizes: Mapping[str, int] | None, file_size: int) -> None:
        """Take the entries of an archive by name, or None for a file that keeps no directory."""
        self._sizes, self._left, self._seen = sizes, file_size, dict[str, int]()

    def claim(self, key: str, nbytes: int) -> None:
        """Refuse a storage that claims more than there is.

        Raises:
            InflatedError: it does.
        """
        if self._sizes is not None:
            if nbytes > self._sizes.get(f"data/{key}", -1):
                raise InflatedError(f"storage {key[:40]!r} of {nbytes:,} bytes")
            return
        self._left -= max(0, nbytes - self._seen.get(key, 0))
        self._seen[key] = max(nbytes, self._seen.get(key, 0))
        if self._left < 0:
            raise InflatedError(f"storages up to {key[:40]!r}")


def tuple_of(items: list[object]) -> Tuple:
    """Make a tuple.

    Raises:
        UnreadableError: it nests too deep.
    """
    depth = 1 + max((item.depth for item in items if isinstance(item, Tuple)), default=0)
    if depth > MAX_DEPTH:  # hashing a deeper one would overflow the C stack
        raise UnreadableError(f"tuples nest over {MAX_DEPTH} deep")
    return Tuple(tuple(items), depth, min(_MAX_WEIGHT, 1 + sum(map(weight, items))))


def weight(item: object) -> int:
    """How many items something has, with those inside."""
    return item.weight if isinstance(item, (Tuple, Made)) else 1


def hashed(key: object) -> int:
    """Return the work of hashing a key once.

    Raises:
        UnreadableError: keys of its kind can be made to collide, which takes time without end.
    """
    if isinstance(key, int) and abs(key) >= 1 << 60:
        raise UnreadableError("a key that is a very large number")
    return weight(key)


def tensor_of(function: str, given: tuple[object, ...]) -> Made:
    """Make a tensor of a storage's numbers, if the storage has them all.

    Raises:
        InflatedError: it does not.
        UnreadableError: the arguments are not those of a tensor.
    """
    storage, offset, size, stride = given[:4]
    shape, steps = _whole(size), _whole(stride)
    if not (isinstance(storage, Made) and storage.what == "storage" and isinstance(offset, int)):
        raise UnreadableError("a tensor of what is no storage")
    if shape is None or steps is None or len(shape) != len(steps) or offset < 0:
        raise UnreadableError("a tensor without a shape")
    itemsize = storage.itemsize
    if function.endswith("_v3"):
        stated = allowed.dtype(given[6].name) if isinstance(given[6], Global) else None
        if stated is None:
            raise UnreadableError("a tensor without a type")
        itemsize = stated.itemsize
    reach = offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True)) + 1
    if prod(shape) and max(reach, prod(shape)) * itemsize > storage.nbytes:
        raise InflatedError(f"a tensor of shape {shape}")
    return Made("tensor")


def _whole(value: object) -> tuple[int, ...] | None:
    """A tuple of at most 64 whole numbers from 0 to 2**62."""
    items = value.items if isinstance(value, Tuple) else None
    if items is None or len(items) > 64:
        return None
    if not all(isinstance(item, int) and 0 <= item < 1 << 62 for item in items):
        return None
    return tuple(item for item in items if isinstance(item, int))
