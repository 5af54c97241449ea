"""ONNX files: as PyTorch modules where their answers agree with the runtime's, else by the runtime.

onnxruntime decides what a file means. A PyTorch module of the same graph gives input gradients,
and is used when it puts out the same for random pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, final

import torch
from torch import Tensor, nn

from semaudit.errors import ModelError, UsageError, did_you_mean
from semaudit.models.files.contents import find_file
from semaudit.models.opened import Opened
from semaudit.models.programs.adapters import ANY, InputSpec, adapted
from semaudit.models.programs.ending import opened_program
from semaudit.models.programs.extras import onnx_package
from semaudit.models.programs.onnx_gradients import converted
from semaudit.models.programs.onnx_graphs import graphs, tensors
from semaudit.models.programs.onnx_outline import opset
from semaudit.models.programs.onnx_vetting import parse_onnx, vet_onnx
from semaudit.models.programs.trials import forth_and_back
from semaudit.models.stated import Stated, read_stated

CPU_PROVIDER = "CPUExecutionProvider"
TOLERANCE = 1e-4
"""How far, relative to the largest output, a converted module may be from the runtime."""
USUAL_SIDE = 224
DTYPES = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
    "tensor(uint8)": torch.uint8,
    "tensor(int8)": torch.int8,
    "tensor(int32)": torch.int32,
    "tensor(int64)": torch.int64,
}


def open_onnx(path: Path, *, provider: str | None = None, gradients: bool = True) -> Opened:
    """Open an ONNX model whose one input is a batch of pictures.

    Args:
        path: the ``.onnx`` file; weights beside it may lie in its folder only.
        provider: what onnxruntime runs it with, such as ``"CUDAExecutionProvider"``; its CPU when
            None. With gradients the module runs where PyTorch puts it, and this is not used.
        gradients: whether to look for a PyTorch module that gives them.

    Raises:
        ModelError: the extra is not installed, the file is damaged, asks for files elsewhere or
            for absurd memory, has several inputs, or the runtime cannot run it.
        UsageError: onnxruntime has no such provider here.
    """
    path = find_file(path)
    runtime = onnx_package("onnxruntime")
    model = parse_onnx(path)
    vet_onnx(model, path)
    session = _session(runtime, path, provider)
    stated = _stated(model)
    spec = _input(path, session)
    ran = RuntimeModule(session)
    size = _trial_size(spec, stated)
    rows = min(max(2, spec.low), spec.high)
    probe = torch.rand((rows, *size), generator=torch.Generator().manual_seed(0)) * 2 - 1
    probe = (probe * 127 + 128).to(torch.uint8) if spec.dtype == torch.uint8 else probe
    try:
        expected = ran(probe.to(spec.dtype))
    except Exception as error:
        raise ModelError(
            f"{path} loads, but onnxruntime does not run it on pictures of size {size}: "
            f"{_first_line(error)}. Check --img-size and --in-chans"
        ) from error
    module: nn.Module = ran
    note = "gradients were not asked for"
    if gradients and spec.dtype.is_floating_point:
        module, note = _with_gradients(
            path, ran, expected, probe.to(spec.dtype), single=spec.low == 1
        )
    elif gradients:
        note = "it takes whole numbers"
    fitted = adapted(module, spec, name=path.name)
    kept = isinstance(module, RuntimeModule)
    runs = (
        f"{path.name} runs through onnxruntime, without input gradients ({note}): what needs one "
        "is left out"
    )
    flat = isinstance(expected, Tensor) and expected.ndim == 2
    return opened_program(
        path,
        "onnx",
        fitted,
        stated,
        num_classes=int(expected.shape[1]) if flat else None,
        in_chans=cast("tuple[int, ...]", fitted.stated.get("input_size", (None,)))[0],
        notes=(runs,) if kept else (),
        differentiable=not kept,
        more={
            "runs_by": "onnxruntime" if kept else "onnx2torch",
            "opset": str(opset(model)),
        },
    )


@final
class RuntimeModule(nn.Module):
    """A session of onnxruntime's that takes and gives tensors, without gradients.

    A session keeps nothing between calls, so that copies share it.
    """

    def __init__(self, session: Any) -> None:
        super().__init__()
        self.session = session
        self.input = session.get_inputs()[0].name

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Take pictures in the graph's own shape and type; give its outputs where they were."""
        given = {self.input: images.detach().cpu().contiguous().numpy()}
        outputs = self.session.run(None, given)
        answers = tuple(torch.from_numpy(output).to(images.device) for output in outputs)
        return answers[0] if len(answers) == 1 else answers

    def __deepcopy__(self, memo: Mapping[int, object]) -> RuntimeModule:
        return RuntimeModule(self.session).train(self.training)


def _session(runtime: Any, path: Path, provider: str | None) -> Any:
    available = runtime.get_available_providers()
    if provider is not None and provider not in available:
        hint = did_you_mean(provider, available)
        raise UsageError(
            f"onnxruntime has no provider {provider!r} here{hint}; it has: {', '.join(available)}"
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # fatal: what fails is raised as well
    wanted = [CPU_PROVIDER] if provider in {None, CPU_PROVIDER} else [provider, CPU_PROVIDER]
    try:
        return runtime.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # its own exceptions share no base
        raise ModelError(
            f"{path} cannot be loaded by onnxruntime {runtime.__version__}: {_first_line(error)}. "
            "Export the model again, with an opset that it knows and all weights beside it"
        ) from error


def _stated(model: Any) -> Stated:
    return read_stated({entry.key: entry.value for entry in model.metadata_props})


def _input(path: Path, session: Any) -> InputSpec:
    inputs = session.get_inputs()
    shown = ", ".join(f"{given.name} {given.shape} {given.type}" for given in inputs)
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise ModelError(
            f"{path} takes {len(inputs)} input{'s' if len(inputs) != 1 else ''} ({shown}) where "
            "one batch of pictures (n, c, h, w) is needed; export a wrapper that takes that alone"
        )
    if inputs[0].type not in DTYPES:
        raise ModelError(f"{path} takes {shown}, and pictures are float or uint8")
    sides = [side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape]
    low, high = (1, ANY) if sides[0] is None else (sides[0], sides[0])
    shape = (sides[0], sides[1], sides[2], sides[3])
    return InputSpec(shape, DTYPES[inputs[0].type], low, high)


def _trial_size(spec: InputSpec, stated: Stated) -> tuple[int, ...]:
    """The sides after the first of a trial picture, in the order that the graph takes them."""
    named = cast("tuple[int, int, int] | None", stated.preprocessing.get("input_size"))
    channels, height, width = named or (3, USUAL_SIDE, USUAL_SIDE)
    last = spec.shape[1] not in (1, 3) and spec.shape[3] in (1, 3)
    usual = (height, width, channels) if last else (channels, height, width)
    return tuple(side or own for side, own in zip(spec.shape[1:], usual, strict=True))


def _with_gradients(
    path: Path, ran: RuntimeModule, expected: object, probe: Tensor, *, single: bool
) -> tuple[nn.Module, str]:
    """The graph as a PyTorch module that agrees with the runtime; else the runtime, and why."""
    try:
        model = onnx_package("onnx").load(str(path))
        if any(tensor.data_location for graph in graphs(model) for tensor in tensors(graph)):
            return ran, "its weights could not be read along"
        module = converted(model)
        output, came = forth_and_back(module, probe)
        off = _distance(output, expected)
        if single:
            off = max(off, _distance(module(probe[:1]), ran(probe[:1])))
    except Exception as error:  # the converter raises anything on what it does not know
        return ran, f"onnx2torch cannot convert it: {_first_line(error)}"
    if not off <= TOLERANCE:
        return ran, f"converted by onnx2torch its outputs are off by {off:.1g} of the largest"
    return (module, "") if came else (ran, "converted by onnx2torch it gives no gradient")


def _distance(ours: object, theirs: object) -> float:
    """The largest difference, relative to the largest number; infinite where shapes differ."""
    if isinstance(ours, Tensor) and isinstance(theirs, Tensor):
        if ours.shape != theirs.shape:
            return math.inf
        scale = theirs.double().abs().max().clamp_min(1e-12)
        return float((ours.detach().double() - theirs.double()).abs().max() / scale)
    if isinstance(ours, Sequence) and isinstance(theirs, Sequence) and len(ours) == len(theirs):
        return max(map(_distance, ours, theirs))
    return math.inf


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)
