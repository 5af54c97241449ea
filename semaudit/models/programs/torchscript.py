"""TorchScript archives: a network together with its code, in a language of torch's own."""

from __future__ import annotations

import io
import pickletools
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast, final

import torch
from torch import Tensor, nn

from semaudit.errors import ModelError
from semaudit.models.files.contents import find_file as require_file
from semaudit.models.opened import Opened
from semaudit.models.programs.archives import Archive
from semaudit.models.programs.torchscript_vetting import vet_torchscript
from semaudit.models.programs.trials import USUAL_SIDES, Size, first_that_fits
from semaudit.models.stated import read_stated
from semaudit.models.weights import file_sha256

CPU = torch.device("cpu")


def open_torchscript(path: Path, *, unsafe: bool) -> Opened:
    """Open what ``torch.jit.save`` wrote, on the CPU.

    The size of the pictures comes from the file's metadata, from the inputs that a traced model
    keeps, or else from trying the usual ones.

    Args:
        path: the archive.
        unsafe: load it even though its code could touch files.

    Raises:
        ModelError: the file is damaged, its code could do more than compute, or torch cannot load
            or run it.
    """
    require_file(path)
    archive = Archive(path)
    if "constants.pkl" not in archive.names:
        raise ModelError(f"{path} is no TorchScript archive: it holds no code")
    if not unsafe:
        vet_torchscript(archive)
    module = ScriptedModule(_loaded(path, str(path), CPU))
    _refuse_inflated(path, module)
    kept = _traced_size(archive)
    channels = kept[0] if kept else _channels(module)
    stated = read_stated(archive.extras(), channels=channels)
    preprocessing = dict(stated.preprocessing)
    named = cast("Size | None", preprocessing.get("input_size")) or kept
    sizes = [named] if named else [(channels, side, side) for side in USUAL_SIDES]
    run, reason = first_that_fits(module, sizes)
    if run is None:
        shown = f"pictures of size {named}" if named else f"square pictures of {channels} channels"
        raise ModelError(f"{path} loads, but does not run on {shown}: {reason}")
    notes: list[str] = []
    if kept and "input_size" not in preprocessing:
        preprocessing["input_size"] = kept
    elif run.size[1] != USUAL_SIDES[0] and not named:
        preprocessing["input_size"] = run.size
        notes.append(
            f"{path.name} does not state the size of its pictures; {run.size[1]} x {run.size[2]} "
            "is the first of the usual sizes that it runs on (--img-size sets another)"
        )
    if not run.differentiable:
        notes.append(f"{path.name} gives no input gradient, so that what needs one is left out")
    return Opened(
        module=module,
        name=path.name,
        provenance={"source": "torchscript", "file": str(path), "file_sha256": file_sha256(path)},
        stated=preprocessing,
        labels=stated.labels,
        num_classes=run.classes,
        in_chans=run.size[0],
        notes=tuple(notes),
        differentiable=run.differentiable,
    )


@final
class ScriptedModule(nn.Module):
    """A scripted module that behaves as other modules do when it is moved, copied or frozen.

    A script writes devices into its code and, when frozen, weights among its constants, which
    `nn.Module.to` does not reach: for a copy and for another device the script is saved to memory
    and loaded anew.
    """

    def __init__(self, script: Any, device: torch.device = CPU) -> None:
        super().__init__()
        self.script, self.device = script, device

    def forward(self, images: Tensor) -> object:
        """Run the script on pictures (n, c, h, w)."""
        return self.script(images)

    def train(self, mode: bool = True) -> ScriptedModule:
        """Set the mode; a frozen script has none to set."""
        self.training = mode
        if hasattr(self.script, "training"):
            self.script.train(mode)
        return self

    def __deepcopy__(self, memo: Mapping[int, object]) -> ScriptedModule:
        # A script's own way leaves its weights tied to the original's in the autograd graph.
        return ScriptedModule(self._anew(self.device), self.device).train(self.training)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ScriptedModule:
        device = fn(torch.empty(0, device=self.device)).device
        if device != self.device:
            self.script, self.device = self._anew(device), device
            self.train(self.training)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _anew(self, device: torch.device) -> Any:
        content: bytes = self.script.save_to_buffer()
        return _loaded("the script", io.BytesIO(content), device)


def _refuse_inflated(path: Path, module: nn.Module) -> None:
    """Refuse tensors that claim more numbers than the file holds: copying one could fill memory."""
    for name, tensor in module.state_dict().items():
        if tensor.layout == torch.strided and tensor.nbytes > tensor.untyped_storage().nbytes():
            raise ModelError(
                f"{path}: tensor {name!r} of shape {tuple(tensor.shape)} claims more numbers than "
                "the file holds; save it contiguous"
            )


def _loaded(shown: object, source: str | io.BytesIO, device: torch.device) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript as a whole is deprecated
            load: Callable[..., Any] = torch.jit.load
            script = load(source, map_location=device)
    except Exception as error:  # the reader raises nearly anything on damaged bytes
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        raise ModelError(
            f"{shown} cannot be loaded as TorchScript by torch {torch.__version__}: {reason}. "
            "Save it with an older torch or without torch.jit.optimize_for_inference, or fetch it "
            "again"
        ) from error
    _retarget(_graphs(script), device)
    return script


def _graphs(script: Any) -> list[Any]:
    """The graphs of all methods of a script and of the modules in it."""
    parts = [part._c for part in script.modules() if hasattr(part, "_c")]
    return [part._get_method(name).graph for part in parts for name in part._method_names()]


def _retarget(graphs: Iterable[Any], device: torch.device) -> None:
    """Write ``device`` wherever the code names one; to be done before the first run."""
    for graph in graphs:
        for node in graph.findAllNodes("prim::Constant"):
            if node.output().type().kind() == "DeviceObjType" and node.hasAttribute("value"):
                node.s_("value", str(device))


def _channels(module: ScriptedModule) -> int:
    """What the first convolution takes; a frozen script has its weights among its constants."""
    first = next((t for t in module.state_dict().values() if t.ndim == 4), None)
    if first is None:
        kinds = ("aten::conv2d", "aten::_convolution")
        nodes = (n for g in _graphs(module.script) for k in kinds for n in g.findAllNodes(k))
        weights = (list(node.inputs())[1].toIValue() for node in nodes)
        first = next((weight for weight in weights if isinstance(weight, Tensor)), None)
    return 3 if first is None else first.shape[1]


def _traced_size(archive: Archive) -> Size | None:
    """The size (c, h, w) of the pictures that a model was traced with, where they were kept.

    Their pickle is read, not run: behind each storage stand an offset and the shape.
    """
    if "traced_inputs.pkl" not in archive.names:
        return None
    try:
        steps = [
            f"{argument}" if isinstance(argument, int) and "PUT" not in opcode.name else opcode.name
            for opcode, argument, _ in pickletools.genops(archive.read("traced_inputs.pkl"))
            if "PUT" not in opcode.name
        ]
    except Exception:  # damaged: the size is then found by trial
        return None
    shape = re.search(r"BINPERSID \d+ MARK ((?:\d+ )+)TUPLE", " ".join(steps))
    sides = tuple(map(int, shape[1].split())) if shape else ()
    return (sides[1], sides[2], sides[3]) if len(sides) == 4 and min(sides) > 0 else None
