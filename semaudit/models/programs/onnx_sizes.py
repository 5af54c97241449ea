"""Whether an ONNX graph asks for a tensor that is known beforehand to be absurdly large."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from semaudit.errors import ModelError
from semaudit.models.programs.extras import onnx_package
from semaudit.models.programs.onnx_graphs import constants, graphs, require_few_sides
from semaudit.models.programs.onnx_weights import EXTERNAL

LARGEST_TENSOR = 1 << 30
"""Numbers in one tensor between operators, for one picture; a ResNet's largest has a million."""


def vet_sizes(model: Any, path: Path) -> None:
    """Refuse a tensor between operators that is known beforehand to be absurdly large.

    The runtime computes what is constant while it loads a model, so that this comes first.

    Raises:
        ModelError: naming it.
    """
    onnx = onnx_package("onnx")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # shapes that contradict each other: the runtime says so better
        inferred = model
    for graph in graphs(inferred):
        named = [*getattr(graph, "value_info", ()), *getattr(graph, "output", ())]
        for value in named:
            if isinstance(value, str):
                continue
            require_few_sides(value.name, value.type.tensor_type.shape.dim, path)
            sides = [max(side.dim_value, 1) for side in value.type.tensor_type.shape.dim]
            if math.prod(sides) > LARGEST_TENSOR:
                raise ModelError(
                    f"{path}: the tensor {value.name!r} of shape {tuple(sides)} would not fit "
                    "into memory; the file is damaged, or made to fill it"
                )
    _vet_constants(model, path)


def _vet_constants(model: Any, path: Path) -> None:
    """Refuse operators that make a tensor of a constant, absurd size."""
    to_array = onnx_package("onnx.numpy_helper").to_array
    for graph in graphs(model):
        held = constants(graph)
        for node in graph.node:
            position = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}.get(node.op_type)
            if position is None or len(node.input) <= position:
                continue
            tensor = held.get(node.input[position])
            if tensor is None or tensor.data_location == EXTERNAL:
                continue
            sides = to_array(tensor).reshape(-1).tolist()
            require_few_sides(tensor.name, sides, path)
            if not all(isinstance(side, int) for side in sides):
                raise ModelError(
                    f"{path}: the operator {node.op_type} takes a shape that is not of whole "
                    "numbers; the file is damaged"
                )
            if math.prod(max(int(side), 1) for side in sides) > LARGEST_TENSOR:
                raise ModelError(
                    f"{path}: the operator {node.op_type} makes a tensor of shape {tuple(sides)}, "
                    "which would not fit into memory; the file is damaged, or made to fill it"
                )
