"""Whether an ONNX file may be read on: its weights are there, and nothing is absurdly large.

ONNX has no code of its own: operators come from the runtime alone. What a hostile file can do is
point at other files for its weights, and ask for memory.

What this cannot guard against: sizes that depend on the pictures, a graph that computes without
end, and a fault in the parser or the runtime.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from semaudit.errors import ModelError
from semaudit.models.programs.extras import onnx_package
from semaudit.models.programs.outline import LONGEST, MOST_SIDES, reading

LARGEST_PROTOBUF = (1 << 31) - 1
LARGEST_TENSOR = 1 << 30
"""Numbers in one tensor between operators, for one picture; a ResNet's largest has a million."""
MOST_OPERATORS = 1_000_000
DEEPEST_CALL = 100
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
EXTERNAL = 1
# Some exporters leave out the shape of an output, which the checker minds and no runtime does.
UNSTATED = "Field 'shape' of 'type' is required but missing"
# Where a tensor's numbers are when they are not kept as raw bytes.
FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def parse_onnx(path: Path) -> Any:
    """Read a file as an ``onnx.ModelProto``, without the weights that lie beside it.

    Raises:
        ModelError: it is no ONNX file, or is damaged, or too large for the format.
    """
    onnx = onnx_package("onnx")
    if path.stat().st_size > LARGEST_PROTOBUF:
        raise ModelError(
            f"{path} is larger than 2 GiB, which the format cannot hold; export the weights to a "
            "file beside it (external data)"
        )
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own, in each of its implementations
        raise ModelError(
            f"{path} is no ONNX model, or is damaged or cut short: {_first_line(error)}"
        ) from error
    if not model.graph.node or not model.opset_import:
        raise ModelError(f"{path} holds no ONNX graph; it is damaged, or another kind of file")
    if not any(each.domain in {"", "ai.onnx"} for each in model.opset_import):
        raise ModelError(
            f"{path} does not say which version of ONNX's operators it is written in; it is "
            "damaged, or is no network"
        )
    return model


def vet_onnx(model: Any, path: Path) -> None:
    """Check a parsed model's tensors, operators and sizes.

    Raises:
        ModelError: weights lie outside the model's folder or are not there, a tensor claims more
            than there is or than fits into memory, or an operator is not ONNX's.
    """
    with reading(path):
        _vet(model, path)


def _vet(model: Any, path: Path) -> None:
    onnx = onnx_package("onnx")
    for graph in graphs(model):
        for tensor in tensors(graph):
            _vet_tensor(tensor, path)
    own = {(function.domain, function.name) for function in model.functions}
    for graph in graphs(model):
        for node in graph.node:
            if node.domain not in DOMAINS and (node.domain, node.op_type) not in own:
                raise ModelError(
                    f"{path}: the operator {node.domain}::{node.op_type} comes with a library "
                    "that semaudit does not load; export the model with ONNX's own operators"
                )
    _vet_calls(model, path)
    _check(onnx, path)
    _vet_sizes(model, path)


def _vet_calls(model: Any, path: Path) -> None:
    """Count the operators with every function written out, for shape inference does that.

    Thirty functions that each call the one before twice are a billion operators.

    Raises:
        ModelError: they are too many, or a function calls itself.
    """
    bodies = {(each.domain, each.name): each for each in model.functions}
    counted: dict[tuple[str, str], int] = {}
    at_work: set[tuple[str, str]] = set()

    def count(body: Any) -> int:
        total = 0
        for graph in _nested(body):
            for node in graph.node:
                total += 1 + called((node.domain, node.op_type))
                if total > MOST_OPERATORS:
                    raise ModelError(
                        f"{path} has over {MOST_OPERATORS:,} operators once its functions are "
                        "written out; export the model without functions"
                    )
        return total

    def called(name: tuple[str, str]) -> int:
        if name not in bodies:
            return 0
        if name in at_work or len(at_work) >= DEEPEST_CALL:
            raise ModelError(f"{path} is no valid ONNX model: its function {name[1]!r} has no end")
        if name not in counted:
            at_work.add(name)
            counted[name] = count(bodies[name])
            at_work.remove(name)
        return counted[name]

    count(model.graph)


def _check(onnx: Any, path: Path) -> None:
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # onnx.checker.ValidationError, and plain ones of its C++ code
        if UNSTATED in str(error):
            return
        raise ModelError(f"{path} is no valid ONNX model: {_first_line(error)}") from error


def graphs(model: Any) -> Iterator[Any]:
    """Yield a model's graph, its functions, and every graph inside an operator."""
    for body in (model.graph, *model.functions):
        yield from _nested(body)


def _nested(body: Any) -> Iterator[Any]:
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


def _vet_tensor(tensor: Any, path: Path) -> None:
    _require_few_sides(tensor.name, tensor.dims, path)
    count = math.prod(tensor.dims)
    who = f"{path}: the tensor {tensor.name[:LONGEST]!r} of shape {tuple(tensor.dims)}"
    if any(side < 0 for side in tensor.dims):
        raise ModelError(f"{who} has a negative side")
    if tensor.data_location == EXTERNAL:
        held = _external_bytes(tensor, path)
    else:
        held = max(len(tensor.raw_data), *(8 * len(getattr(tensor, name)) for name in FIELDS))
    # At least half a byte a number, whatever the type; the checker knows the types.
    if count > 2 * held:
        raise ModelError(f"{who} claims more numbers than the file holds; it is damaged")


def _require_few_sides(name: str, sides: Sequence[object], path: Path) -> None:
    """Multiplying a million sides would take hours."""
    if len(sides) > MOST_SIDES:
        raise ModelError(
            f"{path}: the tensor {name[:LONGEST]!r} has {len(sides):,} sides; it is damaged"
        )


def _external_bytes(tensor: Any, path: Path) -> int:
    """The bytes that a tensor may have of a file beside the model, in the model's own folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    who = f"{path}: the weights {tensor.name[:LONGEST]!r} in {location[:LONGEST]!r}"
    parts = {*PurePosixPath(location).parts, *PureWindowsPath(location).parts}
    absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor
    if not location or absolute or ".." in parts:
        raise ModelError(f"{who} lie outside the model's folder, and only there is read")
    folder = path.resolve().parent
    file = folder / location
    try:
        return _bytes_beside(file, folder, entries, who)
    except (OSError, ValueError) as error:  # such as a name that no system takes
        raise ModelError(f"{who} cannot be looked at ({str(error)[:LONGEST]})") from error


def _bytes_beside(file: Path, folder: Path, entries: Mapping[str, str], who: str) -> int:
    if not file.resolve().is_relative_to(folder) or file.is_symlink():
        raise ModelError(f"{who} lie behind a link out of the model's folder; copy the file there")
    if not file.is_file():
        raise ModelError(f"{who} are not there; copy that file next to the model")
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or -1)
    except ValueError as error:
        raise ModelError(f"{who} lie at a place that is no number") from error
    there = file.stat().st_size - offset
    if offset < 0 or there < 0 or length > there:
        raise ModelError(f"{who} reach over the end of that file; fetch it again")
    return there if length < 0 else length


def _vet_sizes(model: Any, path: Path) -> None:
    """Refuse a tensor between operators that is known beforehand to be absurdly large.

    The runtime computes what is constant while it loads a model, so that this comes first.
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
            _require_few_sides(value.name, value.type.tensor_type.shape.dim, path)
            sides = [max(side.dim_value, 1) for side in value.type.tensor_type.shape.dim]
            if math.prod(sides) > LARGEST_TENSOR:
                raise ModelError(
                    f"{path}: the tensor {value.name!r} of shape {tuple(sides)} would not fit "
                    "into memory; the file is damaged, or made to fill it"
                )
    _vet_constants(model, path)


def constants(graph: Any) -> dict[str, Any]:
    """Return the tensors that a graph's operators can refer to by name."""
    held = {tensor.name: tensor for tensor in getattr(graph, "initializer", ())}
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.HasField("t")), None)
        if node.op_type == "Constant" and value is not None and node.output:
            held[node.output[0]] = value
    return held


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
            _require_few_sides(tensor.name, sides, path)
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


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "unreadable")
