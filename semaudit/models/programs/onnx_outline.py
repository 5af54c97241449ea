"""What is in an ONNX file: its graph is parsed, and no runtime sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semaudit.errors import ModelError
from semaudit.models.description import Listed, Port, Program, Side
from semaudit.models.programs.extras import onnx_package
from semaudit.models.programs.onnx_vetting import parse_onnx, vet_onnx
from semaudit.models.programs.outline import (
    LONGEST,
    Outline,
    listed,
    port_shape,
    reading,
    width_of,
)


def outline_onnx(path: Path) -> Outline:
    """Read an ONNX model; weights that lie in a file beside it are listed too.

    Raises:
        ModelError: it is damaged, or the package ``onnx`` is not installed.
    """
    with reading(path):
        return _outline(path)


def _outline(path: Path) -> Outline:
    model = parse_onnx(path)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    inputs = [_port(value) for value in model.graph.input if value.name not in weights]
    outputs = [_port(value) for value in model.graph.output]
    return Outline(
        program=Program(
            format=_format(model),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            num_classes=width_of(outputs),
            danger=_danger(model, path),
        ),
        tensors=tuple(_listed(tensor) for tensor in weights.values()),
        beside={entry.key: entry.value for entry in model.metadata_props},
    )


def opset(model: Any) -> int:
    """Return the version of ONNX's own operators that a parsed model is written in."""
    return max(int(o.version) for o in model.opset_import if o.domain in {"", "ai.onnx"})


def _port(value: Any) -> Port:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return Port(value.name[:LONGEST], None, kind and kind.removesuffix("_type"))
    stated = value.type.tensor_type
    shape = port_shape([*map(_side, stated.shape.dim)]) if stated.HasField("shape") else None
    return Port(value.name[:LONGEST], shape, _type(stated.elem_type)[0])


def _side(side: Any) -> Side:
    if side.HasField("dim_value") and side.dim_value > 0:
        return int(side.dim_value)
    return str(side.dim_param)[:LONGEST] or "any"


def _listed(tensor: Any) -> Listed:
    return listed(tensor.name, list(tensor.dims), *_type(tensor.data_type))


def _type(number: int) -> tuple[str, int]:
    """The name of a type of numbers, and the bytes of one."""
    try:
        found = onnx_package("onnx.helper").tensor_dtype_to_np_dtype(number)
    except (KeyError, ValueError, TypeError):  # of another version of the format
        return f"type {number}", 1
    return str(found), int(found.itemsize)


def _format(model: Any) -> Mapping[str, str]:
    others = [f"{o.domain} {o.version}" for o in model.opset_import if o.domain]
    made_by = f"{model.producer_name} {model.producer_version}".strip()
    stated = {
        "format": f"ONNX, IR version {model.ir_version}",
        "opset": ", ".join([str(opset(model)), *others]),
        "made by": made_by or "what does not say so",
        "version": str(model.model_version) if model.model_version else "",
        "about": " ".join(model.doc_string.split()),
    }
    return {key: text[:LONGEST] for key, text in stated.items() if text}


def _danger(model: Any, path: Path) -> str | None:
    try:
        vet_onnx(model, path)
    except ModelError as error:
        return str(error)
    return None
