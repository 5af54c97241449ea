"""The registry of what is measured at a clean picture: functions of a `Point`.

To add one, write a pure function from a point to its columns in a file of this room, declare each
column, and decorate the function with `measure`. Samples, summary, gates and tables take it from
there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from semaudit.gradients.point import Point
from semaudit.metric import Bounds, Metric
from semaudit.metrics.registry import declare

INF = float("inf")

Function = Callable[[Point], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Measure:
    """One function of a point.

    Attributes:
        function: it gives each of the columns, (n,).
        columns: of the table of pictures; each is a metric.
        on_graph: whether it needs the graph of the clean forward pass.
    """

    function: Function
    columns: tuple[Metric, ...]
    on_graph: bool


_measures: dict[str, Measure] = {}

MEASURES: Mapping[str, Measure] = MappingProxyType(_measures)
"""By the name of the function."""


def measure(*columns: Metric, on_graph: bool = False) -> Callable[[Function], Function]:
    """Register a function that gives these columns."""

    def register(function: Function) -> Function:
        _measures[function.__name__] = Measure(function, columns, on_graph)
        return function

    return register


def at_picture(
    name: str, description: str, bounds: Bounds = (0, INF), *, needs_classes: bool = True
) -> Metric:
    """Declare one column: a metric of pictures that needs gradients."""
    return declare(
        name, "image", bounds, description, needs_classes=needs_classes, needs_gradients=True
    )
