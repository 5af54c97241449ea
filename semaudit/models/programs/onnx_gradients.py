"""ONNX graphs as PyTorch modules, for the input gradients that a runtime does not give.

onnx2torch knows the operators as they were up to opset 17 or so, while exporters write newer ones
that mostly mean the same. `simplified` rewrites a graph into those older forms. A rewriting may
be wrong for an operator that changed its meaning: whoever uses the module compares its answers
with the runtime's on the original.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any, final

from torch import Tensor, nn

from semaudit.models.programs.extras import onnx_package
from semaudit.models.programs.onnx_graphs import constants

OPSET = 17
REDUCTIONS = frozenset(
    {"ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"}
    | {"ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}
)
DROPPED = {"Reshape": ("allowzero",), "Split": ("num_outputs",)}


def converted(model: Any) -> nn.Module:
    """Make a PyTorch module of an ``onnx.ModelProto`` with its weights loaded.

    Raises:
        Exception: whatever onnx2torch raises; usually that it knows no such operator.
    """
    convert = onnx_package("onnx2torch").convert
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ConvertedModule(convert(simplified(model)).eval())


@final
class ConvertedModule(nn.Module):
    """A converted graph, without the warnings that onnx2torch's older code draws from torch."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, images: Tensor) -> object:
        """Run the graph on its one input."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.graph(images)


def simplified(model: Any) -> Any:
    """Rewrite a copy of the model in the operators of opset 17, named by number.

    The names matter: the converter writes them into Python source that is then executed.
    """
    if model.functions:
        model = onnx_package("onnx.inliner").inline_local_functions(model)
    else:
        model = copy.deepcopy(model)
    held = constants(model.graph)
    version = next(o.version for o in model.opset_import if o.domain in {"", "ai.onnx"})
    nodes = [new for node in model.graph.node for new in _rewritten(node, held)]
    for number, node in enumerate(nodes):
        node.name = f"node_{number}"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]
    for opset in model.opset_import:
        if opset.domain in {"", "ai.onnx"}:
            opset.version = min(version, OPSET)
    return model


def _rewritten(node: Any, constants: dict[str, Any]) -> list[Any]:
    if node.op_type in REDUCTIONS and len(node.input) == 2 and node.input[1] in constants:
        return [_axes_as_attribute(node, constants)]
    rewrite = REWRITES.get(node.op_type)
    if rewrite is not None:
        return rewrite(node)
    _drop(node, DROPPED.get(node.op_type, ()))
    return [node]


def _drop(node: Any, names: tuple[str, ...]) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)


def _axes_as_attribute(node: Any, constants: dict[str, Any]) -> Any:
    to_array = onnx_package("onnx.numpy_helper").to_array
    axes = to_array(constants[node.input[1]]).reshape(-1).tolist()
    del node.input[1]
    _drop(node, ("noop_with_empty_axes",))
    node.attribute.append(onnx_package("onnx.helper").make_attribute("axes", axes))
    return node


def _gelu(node: Any) -> list[Any]:
    """x * (1 + erf(x / sqrt(2))) / 2, or the tanh approximation of it."""
    helper = onnx_package("onnx.helper")
    tanh = any(a.name == "approximate" and a.s == b"tanh" for a in node.attribute)
    x, y = node.input[0], node.output[0]

    def step(operator: str, inputs: list[str], output: str) -> Any:
        return helper.make_node(operator, inputs, [f"{y}/{output}" if output else y])

    def number(name: str, value: float) -> Any:
        tensor = helper.make_tensor(name, 1, [], [value])  # 1: float32
        return helper.make_node("Constant", [], [f"{y}/{name}"], value=tensor)

    half = [number("half", 0.5), number("one", 1.0)]
    if tanh:
        inner = [
            number("cubic", 0.044715),
            number("scale", math.sqrt(2 / math.pi)),
            step("Mul", [x, x], "x2"),
            step("Mul", [f"{y}/x2", x], "x3"),
            step("Mul", [f"{y}/x3", f"{y}/cubic"], "bent"),
            step("Add", [x, f"{y}/bent"], "sum"),
            step("Mul", [f"{y}/sum", f"{y}/scale"], "scaled"),
            step("Tanh", [f"{y}/scaled"], "curve"),
        ]
    else:
        inner = [
            number("scale", math.sqrt(0.5)),
            step("Mul", [x, f"{y}/scale"], "scaled"),
            step("Erf", [f"{y}/scaled"], "curve"),
        ]
    return [
        *half,
        *inner,
        step("Add", [f"{y}/curve", f"{y}/one"], "gate"),
        step("Mul", [x, f"{y}/gate"], "double"),
        step("Mul", [f"{y}/double", f"{y}/half"], ""),
    ]


REWRITES: dict[str, Callable[[Any], list[Any]]] = {"Gelu": _gelu}
