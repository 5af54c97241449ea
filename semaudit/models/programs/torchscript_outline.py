"""What is in a TorchScript archive, read from its records; its code is neither run nor compiled."""

from __future__ import annotations

import re
from pathlib import Path

from semaudit.errors import ModelError
from semaudit.models.description import Port, Program
from semaudit.models.programs.archives import Archive
from semaudit.models.programs.outline import LONGEST, Outline, listed, reading
from semaudit.models.programs.script_pickle import (
    Instance,
    Shaped,
    read_script_pickle,
    tensors_in,
)
from semaudit.models.programs.torchscript_vetting import vet_torchscript

ROOT = "__torch__."
LONGEST_HEADER = 1 << 16
"""Characters of the head of a function; that of ten arguments takes a few hundred."""
MANGLED = re.compile(r"___torch_mangle_\d+\.")
TRACED = "traced_inputs.pkl"
VERSIONS = ("version", ".data/version")  # torch writes either


def outline_torchscript(path: Path) -> Outline:
    """Read what ``torch.jit.save`` wrote.

    Raises:
        ModelError: the file is damaged.
    """
    with reading(path):
        return _outline(path)


def _outline(path: Path) -> Outline:
    archive = Archive(path)
    root = _pickled(archive, "data.pkl")
    constants = _pickled(archive, "constants.pkl")
    if not isinstance(root, Instance):
        raise ModelError(f"{path}: data.pkl holds no module; the file is damaged")
    weights = [*tensors_in(root), *((f"constants.{n}", t) for n, t in tensors_in(constants))]
    inputs, outputs = _signature(archive, root.path)
    shapes = traced_inputs(archive)
    traced = [_shaped(port, shapes[at : at + 1]) for at, port in enumerate(inputs)]
    return Outline(
        program=Program(
            format=_format(archive, root),
            inputs=tuple(traced),
            outputs=outputs,
            num_classes=None,  # code does not tell the shape of what it returns
            danger=_danger(archive),
        ),
        tensors=tuple(listed(name, t.shape, t.dtype, t.itemsize) for name, t in weights),
        beside=archive.extras(),
        attributes=_attributes(root),
    )


def traced_inputs(archive: Archive) -> list[object]:
    """Return what a traced model was traced with, its tensors as `Shaped`; nothing of a scripted.

    A damaged record counts as none.
    """
    if TRACED not in archive.names:
        return []
    try:
        kept = _pickled(archive, TRACED)
    except ModelError:
        return []
    given = kept.get("forward") if isinstance(kept, dict) else None
    return list(given) if isinstance(given, (list, tuple)) else []


def _pickled(archive: Archive, name: str) -> object:
    return read_script_pickle(archive.read(name), f"{archive.path}: {name}")


def _format(archive: Archive, root: Instance) -> dict[str, str]:
    kept = next((name for name in VERSIONS if name in archive.names), None)
    version = archive.read(kept).decode("utf-8", "replace").strip() if kept else "not stated"
    traced = TRACED in archive.names
    return {
        "format": f"TorchScript, archive version {version[:20]}",
        "made by": "tracing" if traced else "scripting, or tracing that kept no inputs",
        "class": MANGLED.sub("", root.path.removeprefix(ROOT))[:LONGEST],
    }


def _signature(archive: Archive, path: str) -> tuple[list[Port], tuple[Port, ...]]:
    """The arguments and the result of ``forward``, by their types: code states no shapes."""
    folder, _, name = path.rpartition(".")
    code = f"code/{folder.replace('.', '/')}.py"
    text = archive.read(code).decode("utf-8", "replace") if code in archive.names else ""
    arguments, _, result = _header(text, name).partition(") -> ")
    if not result:
        return [], ()
    given = arguments.partition(",")[2].strip()  # behind the module itself
    named = [part.partition(": ") for part in re.split(r",\s*(?=\w+: )", given)]
    inputs = [Port(name[:LONGEST], None, kind[:LONGEST]) for name, _, kind in named if name]
    return inputs, (Port("the result", None, " ".join(result.split())[:LONGEST]),)


def _header(text: str, name: str) -> str:
    """What stands between ``def forward(`` and its colon in a class; empty where nothing does.

    Found from piece to piece: a pattern over the whole of the text can take hours on a file that
    is made for it.
    """
    text = f"\n{text}"
    at = text.find(f"\nclass {name}(")
    end = text.find("\nclass ", at + 1)
    opening = "\n  def forward(self: "
    start = text.find(opening, at, end if end > 0 else len(text)) if at >= 0 else -1
    stop = text.find(":\n", start + len(opening), start + LONGEST_HEADER) if start >= 0 else -1
    return text[start + len(opening) : stop] if stop >= 0 else ""


def _shaped(port: Port, traced: list[object]) -> Port:
    """Add the shape that an input was traced with; the batch is free."""
    given = traced[0] if traced else None
    if not isinstance(given, Shaped):
        return port
    return Port(port.name, ("any", *given.shape[1:]) if given.shape else (), given.dtype)


def _attributes(root: Instance) -> dict[str, object]:
    """The plain settings that the network's own object keeps."""
    return {
        name: value
        for name, value in root.attributes.items()
        if isinstance(value, (str, int, float)) and not name.startswith("_")
    }


def _danger(archive: Archive) -> str | None:
    try:
        vet_torchscript(archive)
    except ModelError as error:
        return str(error)
    return None
