"""Which architecture a checkpoint's tensors belong to, by a shipped index of their shapes.

`recognise` lists the architectures that fit, `prefer` breaks ties by a file's name, the dialect of
its keys and its class count, `differences` says what the remaining ones differ in, and `nearest`
what comes near where none fits. The index is made by ``python -m
semaudit.models.architectures.build``.
"""

from semaudit.models.architectures.differences import Difference, differences
from semaudit.models.architectures.evidence import (
    Preference,
    by_classes,
    by_dialect,
    likeliest,
    prefer,
)
from semaudit.models.architectures.nearest import Near, nearest
from semaudit.models.architectures.recognise import Recognised, recognise

__all__ = [
    "Difference",
    "Near",
    "Preference",
    "Recognised",
    "by_classes",
    "by_dialect",
    "differences",
    "likeliest",
    "nearest",
    "prefer",
    "recognise",
]
