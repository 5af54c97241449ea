"""Whether an ONNX file may be read on: its weights are there, and nothing is absurdly large.

ONNX has no code of its own: operators come from the runtime alone. What a hostile file can do is
point at other files for its weights, and ask for memory.

What this cannot guard against: sizes that depend on the pictures, a graph that computes without
end, and a fault in the parser or the runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semaudit.errors import ModelError
from semaudit.models.programs.extras import onnx_package
from semaudit.models.programs.onnx_graphs import graphs, nested, tensors
from semaudit.models.programs.onnx_sizes import vet_sizes
from semaudit.models.programs.onnx_weights import vet_tensor
from semaudit.models.programs.outline import reading

LARGEST_PROTOBUF = (1 << 31) - 1
MOST_OPERATORS = 1_000_000
DEEPEST_CALL = 100
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
# Some exporters leave out the shape of an output, which the checker minds and no runtime does.
UNSTATED = "Field 'shape' of 'type' is required but missing"


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
            vet_tensor(tensor, path)
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
    vet_sizes(model, path)


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
        for graph in nested(body):
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


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "unreadable")
