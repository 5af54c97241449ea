"""Programs of ``torch.export``: a network's graph and weights, without its Python code."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, final

import torch
from torch import Tensor, fx

from semaudit.errors import ModelError
from semaudit.models.files.contents import find_file
from semaudit.models.opened import Opened
from semaudit.models.programs.adapters import ANY, InputSpec, adapted
from semaudit.models.programs.ending import blind, opened_program
from semaudit.models.programs.exported_pickles import require_loadable
from semaudit.models.programs.exported_reading import exported_archive, read_program
from semaudit.models.programs.exported_vetting import vet_exported
from semaudit.models.programs.moving import CPU, MovingProgram
from semaudit.models.programs.trials import USUAL_SIDES, Size, first_that_fits
from semaudit.models.stated import read_stated

TRAINING_FLAG = {
    torch.ops.aten.batch_norm.default: 5,
    torch.ops.aten.dropout.default: 2,
    torch.ops.aten.native_dropout.default: 2,
}
"""Operators that behave otherwise in training, and which of their arguments says so."""


def open_exported(path: Path, *, unsafe: bool) -> Opened:
    """Open what ``torch.export.save`` wrote, on the CPU.

    Args:
        path: the ``.pt2`` archive.
        unsafe: load it even though it could run code.

    Raises:
        ModelError: the file is damaged, of an older or newer torch, could run code, was exported
            in training mode, or takes something else than one batch of pictures.
    """
    path = find_file(path)
    archive = exported_archive(path)
    if not unsafe:
        vet_exported(archive, read_program(archive))
        require_loadable(archive)
    program = _loaded(path)
    _require_inference(path, program)
    fitted = adapted(ExportedModule(_module(path, program)), _input(path, program), name=path.name)
    channels = _channels(program)
    stated = read_stated(archive.extras(), channels=channels)
    fixed = cast("Size | None", {**stated.preprocessing, **fitted.stated}.get("input_size"))
    sizes: list[Size] = [(channels, side, side) for side in USUAL_SIDES]
    run, reason = first_that_fits(fitted.module, [fixed] if fixed else sizes)
    if run is None:
        raise ModelError(f"{path} loads, but does not run on pictures: {reason}")
    if fixed is None and run.size[1] != USUAL_SIDES[0]:
        fitted = replace(fitted, stated={**fitted.stated, "input_size": run.size})
    return opened_program(
        path,
        "torch.export",
        fitted,
        stated,
        num_classes=run.classes,
        in_chans=run.size[0],
        notes=() if run.differentiable else (blind(path),),
        differentiable=run.differentiable,
    )


@final
class ExportedModule(MovingProgram):
    """An exported graph; it keeps the mode that it was exported in."""

    def __init__(self, graph: fx.GraphModule, device: torch.device = CPU) -> None:
        super().__init__(device)
        self.graph = graph

    def forward(self, images: Tensor) -> object:
        """Run the graph on pictures (n, c, h, w)."""
        return self.graph(images)

    def follow(self, device: torch.device) -> None:
        """Write ``device`` wherever the graph names one."""
        for part in self.graph.modules():
            if isinstance(part, fx.GraphModule):
                _retarget(part, device)


def _retarget(part: fx.GraphModule, device: torch.device) -> None:
    """Write ``device`` wherever the graph names one."""
    for node in part.graph.nodes:
        if isinstance(node.kwargs.get("device"), torch.device):
            node.kwargs = {**node.kwargs, "device": device}
        node.args = tuple(device if isinstance(a, torch.device) else a for a in node.args)
    part.recompile()


def _loaded(path: Path) -> Any:
    with _quiet():
        try:
            return torch.export.load(str(path))
        except Exception as error:  # a damaged or foreign graph makes torch raise nearly anything
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"{path} cannot be loaded by torch {torch.__version__} "
                f"({type(error).__name__}: {reason}); it is damaged, was exported for a device "
                "that is not here, or by a torch of another format. Export the model again, on "
                "the CPU"
            ) from error


def _module(path: Path, program: Any) -> fx.GraphModule:
    with _quiet():
        try:
            # Its guards are source from the file; the shapes are checked without them too.
            module: fx.GraphModule = program.module(check_guards=False)
        except Exception as error:
            raise ModelError(f"{path} cannot be made a module: {error}") from error
    _drop_assertions(module)
    return module


def _drop_assertions(module: fx.GraphModule) -> None:
    """Drop what only asserts the devices and precisions of the export: both may be others here."""
    for part in module.modules():
        if isinstance(part, fx.GraphModule):
            for node in part.graph.find_nodes(
                op="call_function", target=torch.ops.aten._assert_tensor_metadata.default
            ):
                part.graph.erase_node(node)
            part.recompile()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's warnings and log lines, of its own loading, from the user."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _require_inference(path: Path, program: Any) -> None:
    for node in program.graph.nodes:
        position = TRAINING_FLAG.get(node.target)
        if position is not None and len(node.args) > position and node.args[position] is True:
            raise ModelError(
                f"{path} was exported in training mode ({node.name}): its answers depend on the "
                "batch or on chance. Call model.eval() before torch.export.export"
            )


def _input(path: Path, program: Any) -> InputSpec:
    """What the program takes: its one input's shape, and how many pictures at a time."""
    wanted = set(program.graph_signature.user_inputs)
    nodes = [n for n in program.graph.nodes if n.op == "placeholder" and n.name in wanted]
    values = [node.meta.get("val") for node in nodes]
    if len(values) != 1 or not isinstance(values[0], Tensor) or values[0].ndim != 4:
        shown = ", ".join(str(tuple(getattr(v, "shape", ()))) for v in values) or "nothing"
        raise ModelError(
            f"{path} takes {len(values)} inputs ({shown}) where one batch of pictures (n, c, h, w) "
            "is needed; export a wrapper that takes pictures alone"
        )
    sides = [side if isinstance(side, int) else None for side in values[0].shape]
    low, high = _range(program, values[0].shape[0])
    return InputSpec((sides[0], sides[1], sides[2], sides[3]), values[0].dtype, low, high)


def _range(program: Any, side: Any) -> tuple[int, int]:
    """The fewest and the most pictures at a time."""
    if isinstance(side, int):
        return side, side
    expression = side.node.expr
    limits = program.range_constraints.get(expression)
    if limits is None:  # such as twice another number: what it was exported with will do
        hint = int(side.node.hint)
        return hint, hint
    low, high = (float(limit) for limit in (limits.lower, limits.upper))
    # torch takes 0 and 1 apart from the rest while exporting, and states 2 where 1 does as well.
    return (1 if low <= 2 else int(low)), (ANY if math.isinf(high) or high > ANY else int(high))


def _channels(program: Any) -> int:
    """What the first convolution takes."""
    for node in program.graph.nodes:
        if node.op == "call_function" and "conv2d" in str(node.target):
            return int(node.args[0].meta["val"].shape[1])
    return 3
