"""TorchScript archives: a network together with its code, in a language of torch's own."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast, final

import torch
from torch import Tensor, nn

from semaudit.errors import ModelError
from semaudit.models.files.contents import find_file
from semaudit.models.opened import Opened
from semaudit.models.programs.adapters import Adapted
from semaudit.models.programs.archives import Archive
from semaudit.models.programs.ending import blind, opened_program
from semaudit.models.programs.moving import CPU, MovingProgram
from semaudit.models.programs.script_pickle import Shaped
from semaudit.models.programs.torchscript_outline import traced_inputs
from semaudit.models.programs.torchscript_vetting import vet_torchscript
from semaudit.models.programs.trials import USUAL_SIDES, Size, first_that_fits
from semaudit.models.stated import read_stated


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
    path = find_file(path)
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
    named = cast("Size | None", stated.preprocessing.get("input_size")) or kept
    sizes = [named] if named else [(channels, side, side) for side in USUAL_SIDES]
    run, reason = first_that_fits(module, sizes)
    if run is None:
        shown = f"pictures of size {named}" if named else f"square pictures of {channels} channels"
        raise ModelError(f"{path} loads, but does not run on {shown}: {reason}")
    notes: list[str] = []
    found = named
    if not named and run.size[1] != USUAL_SIDES[0]:
        found = run.size
        notes.append(
            f"{path.name} does not state the size of its pictures; {run.size[1]} x {run.size[2]} "
            "is the first of the usual sizes that it runs on (--img-size sets another)"
        )
    if not run.differentiable:
        notes.append(blind(path))
    return opened_program(
        path,
        "torchscript",
        Adapted(module, {"input_size": found} if found else {}),
        stated,
        num_classes=run.classes,
        in_chans=run.size[0],
        notes=tuple(notes),
        differentiable=run.differentiable,
    )


@final
class ScriptedModule(MovingProgram):
    """A scripted module that can be moved, copied and frozen.

    A script writes devices into its code and, when frozen, weights among its constants, which
    `nn.Module.to` does not reach: for a copy and for another device the script is saved to memory
    and loaded anew.
    """

    def __init__(self, script: Any, device: torch.device = CPU) -> None:
        super().__init__(device)
        self.script = script

    def forward(self, images: Tensor) -> object:
        """Run the script on pictures (n, c, h, w)."""
        return self.script(images)

    def train(self, mode: bool = True) -> ScriptedModule:
        """Set the mode; a frozen script has none to set."""
        if hasattr(self.script, "training"):
            self.script.train(mode)
        return super().train(mode)

    def follow(self, device: torch.device) -> None:
        """Load the script anew on ``device``."""
        self.script = self._anew(device)
        self.train(self.training)

    def __deepcopy__(self, memo: Mapping[int, object]) -> ScriptedModule:
        # A script's own way leaves its weights tied to the original's in the autograd graph.
        return ScriptedModule(self._anew(self.device), self.device).train(self.training)

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
    """The size (c, h, w) of the pictures that a model was traced with, where they were kept."""
    shape = next((each.shape for each in traced_inputs(archive) if isinstance(each, Shaped)), ())
    return (shape[1], shape[2], shape[3]) if len(shape) == 4 and min(shape) > 0 else None
