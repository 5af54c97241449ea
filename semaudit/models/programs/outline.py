"""What can be read of a whole model without running it: the same for every format."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from semaudit.errors import ModelError
from semaudit.models.description import Listed, Port, Program, Side

LONGEST = 200
"""Characters of a name or a version."""
LARGEST = 1 << 50
"""Numbers in a tensor; no disk holds as many."""
MOST_SIDES = 64
"""Of a tensor; torch allows as many."""
MOST_CHANNELS = 1024
UNREADABLE = (
    *(ArithmeticError, ValueError, MemoryError, RecursionError),
    *(LookupError, TypeError, AttributeError),
)
"""What reading a file raises that states other things than its format has."""


@dataclass(frozen=True)
class Outline:
    """A whole model, read and not run.

    Attributes:
        program: its inputs, outputs and origin.
        tensors: its weights, without their numbers.
        beside: what was saved along with it, by name: text or bytes.
        attributes: plain values that its own object keeps, by name; not what it is fed.
    """

    program: Program
    tensors: tuple[Listed, ...]
    beside: Mapping[str, object]
    attributes: Mapping[str, object] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        """The channels that the first input states where a picture has them; 3 where it does not.

        A number that no picture has counts as none stated.

        They come second, or last where the second side is no number of channels.
        """
        shapes = [port.shape for port in self.program.inputs if port.shape is not None]
        shape = next((shape for shape in shapes if len(shape) == 4), (0, 3, 0, 0))
        wide = shape[3] if shape[1] not in (1, 3) and shape[3] in (1, 3) else shape[1]
        return wide if isinstance(wide, int) and 1 <= wide <= MOST_CHANNELS else 3


def listed(name: str, shape: Sequence[int], dtype: str, itemsize: int) -> Listed:
    """List a tensor of numbers of ``itemsize`` bytes.

    Raises:
        ModelError: it has a shape that no tensor has.
    """
    shown = name[:LONGEST]
    sound = len(shape) <= MOST_SIDES and all(type(s) is int and 0 <= s < LARGEST for s in shape)
    if not sound:
        raise ModelError(f"the tensor {shown!r} has a shape that none has; the file is damaged")
    count = math.prod(shape)
    if count > LARGEST:
        raise ModelError(f"the tensor {shown!r} claims more numbers than any file holds")
    return Listed(shown, tuple(shape), dtype, count * itemsize)


def port_shape(sides: Sequence[Side]) -> tuple[Side, ...]:
    """Return the shape of an input or output.

    Raises:
        ModelError: it has more sides than a tensor may.
    """
    if len(sides) > MOST_SIDES:
        raise ModelError(f"an input or output has {len(sides):,} sides; the file is damaged")
    return tuple(sides)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Make a `ModelError` of whatever a file that is not as it should be leads to.

    Raises:
        ModelError: as said.
    """
    try:
        yield
    except UNREADABLE as error:
        reason = f"{type(error).__name__}: {str(error)[:100]}"
        raise ModelError(
            f"{path} is not as its format is written ({reason}); it is damaged, or of another "
            "version of the format. Fetch it again, or export the model anew"
        ) from error


def width_of(outputs: Sequence[Port]) -> int | None:
    """Return the classes of the first output of the shape (n, classes) that states them."""
    tables = (port.shape for port in outputs if port.shape is not None and len(port.shape) == 2)
    return next((shape[1] for shape in tables if isinstance(shape[1], int)), None)
