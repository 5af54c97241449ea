"""What is told of a model file, fit for JSON after `dataclasses.asdict`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

Side = int | str
"""A side of a shape; words where a program leaves it open, such as ``"any"`` or its name."""


@dataclass(frozen=True)
class Listed:
    """One tensor, without its numbers."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Port:
    """An input or an output of a program.

    Attributes:
        name: that the program gives it.
        shape: its sides, or None where the file does not state them.
        dtype: of its numbers, or what else it is; None where the file does not state it.
    """

    name: str
    shape: tuple[Side, ...] | None
    dtype: str | None


@dataclass(frozen=True)
class Program:
    """The program of a whole model, read and not run.

    Attributes:
        format: which format, in which version, made by what.
        inputs: what it takes, in order.
        outputs: what it gives, in order.
        num_classes: the width of the first output that has the shape (n, classes), or None.
        danger: why opening it could run code or fill the memory; None where it only computes.
    """

    format: Mapping[str, str]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    num_classes: int | None
    danger: str | None


@dataclass(frozen=True)
class Candidate:
    """An architecture that the tensors fit, and the sizes that they tell."""

    arch: str
    num_classes: int
    in_chans: int
    img_size: int | tuple[int, int] | None
    patch_size: int | None


@dataclass(frozen=True)
class Description:
    """What a model file holds.

    Attributes:
        file: that was read.
        kind: of the file, in words.
        whole: whether it is a whole model, which brings its own architecture.
        size: of the file, bytes.
        sha256: of the file.
        tensors: in the file's order.
        numbers: how many numbers the tensors hold in all.
        weight_bytes: how many bytes these take.
        program: of a whole model; None of a checkpoint, or where it cannot be read here.
        wrapped: the keys and the prefix that lead to the network's tensors.
        candidates: the architectures that they fit; one where it is recognised.
        evidence: how these were told.
        nearest: where none fits, the architectures that come near, and what differs.
        labels: the names of the classes that the file states, or None.
        preprocessing: that the file states, in timm's keys.
        metadata: whatever else the file says of itself.
        notes: what a reader should know.
    """

    file: str
    kind: str
    whole: bool
    size: int
    sha256: str
    tensors: tuple[Listed, ...] = ()
    numbers: int = 0
    weight_bytes: int = 0
    program: Program | None = None
    wrapped: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    evidence: str = ""
    nearest: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] | None = None
    preprocessing: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def dtypes(self) -> Mapping[str, int]:
        """How many tensors there are of each type."""
        return Counter(each.dtype for each in self.tensors)
