"""The parts of a parsed ONNX model: graphs within graphs, tensors, constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from semaudit.errors import ModelError
from semaudit.models.programs.outline import LONGEST, MOST_SIDES


def graphs(model: Any) -> Iterator[Any]:
    """Yield a model's graph, its functions, and every graph inside an operator."""
    for body in (model.graph, *model.functions):
        yield from nested(body)


def nested(body: Any) -> Iterator[Any]:
    """Yield a graph or function, and every graph inside its operators."""
    waiting = [body]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def tensors(graph: Any) -> Iterator[Any]:
    """Yield the tensors that a graph holds: initialisers and attributes."""
    yield from getattr(graph, "initializer", ())
    for sparse in getattr(graph, "sparse_initializer", ()):
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def constants(graph: Any) -> dict[str, Any]:
    """Return the tensors that a graph's operators can refer to by name."""
    held = {tensor.name: tensor for tensor in getattr(graph, "initializer", ())}
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.HasField("t")), None)
        if node.op_type == "Constant" and value is not None and node.output:
            held[node.output[0]] = value
    return held


def require_few_sides(name: str, sides: Sequence[object], path: Path) -> None:
    """Refuse a tensor that no program has: multiplying a million sides would take hours.

    Raises:
        ModelError: it has more than a tensor may.
    """
    if len(sides) > MOST_SIDES:
        raise ModelError(
            f"{path}: the tensor {name[:LONGEST]!r} has {len(sides):,} sides; it is damaged"
        )
