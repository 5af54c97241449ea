"""Whether TorchScript's code may be run: it computes, and touches no file, process or network.

TorchScript has no imports and cannot reach Python, but its operators include some that read and
write files, it calls a class's ``__setstate__`` while loading, and any library that is loaded can
add operators. torch's own documentation says to load only what one trusts. So the code is read
as text first: every operator must be of a namespace that only computes, and of no name that does
more. What is written so that its meaning is not plain, such as ``torch`` without an operator
behind it, is refused with the rest.

What this cannot guard against: a fault in torch's reader or operators, and code that computes
without end or asks for more memory than there is.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator

from semaudit.errors import ModelError
from semaudit.models.programs.archives import Archive

NAMESPACES = frozenset(
    {"aten", "prim", "prims", "quantized", "_quantized", "torchvision", "mkldnn"}
)
# Reading and writing files, other machines, other processes, the program's own output.
REFUSED = frozenset(
    {"save", "load", "from_file", "to_here", "rpc_async", "rpc_sync", "rpc_remote", "PythonOp"}
    | {"IgnoredPythonOp", "Print", "_print", "print", "load_state_dict", "save_to_file"}
)
HOOKS = ("__setstate__", "__getstate__", "__del__", "__enter__", "__exit__")
CLASSES = "__torch__.torch.classes."
# Packed quantised weights are rebuilt by torch's own C++ code.
QUANTIZED = CLASSES + "quantized."

OPERATOR = re.compile(r"(?<![\w.])ops\b(?:\.(\w+)\.(\w+))?")
BUILTIN = re.compile(r"(?<![\w.])torch\b(?:\.(\w+))?")
# A path of a class is written in one piece; taken apart, it could hide what it names.
# A start within a path is none: it would make the search quadratic.
APART = re.compile(r"(?<![\w.])__torch__(?:\.\w+)*(?:\s*[^\w\s.,:()\[\]=]|\s+\.|\.\s)")
METHOD = re.compile(r"\.\s*(\w+)")
GETATTR = re.compile(r"(?<![\w.])getattr\b(?:\(\w+, \"([\w.\-]*)\"\))?")
CODE_PICKLES = ("data.pkl", "constants.pkl")
NEVER_WRITTEN = frozenset({"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"})


def vet_torchscript(archive: Archive) -> None:
    """Read an archive's code without running it.

    Raises:
        ModelError: it has an operator, hook or class that could do more than compute; names it.
    """
    for name in archive.names:
        if name.startswith("code/") and name.endswith(".py"):
            text = archive.read(name).decode("utf-8", errors="replace")
            for reason in _objections(text):
                raise _refused(archive, f"{reason} in {name}")
        elif name.startswith("code/") and not name.endswith(".debug_pkl"):
            raise _refused(archive, f"{name}, which is neither code nor its line numbers")
        elif name in CODE_PICKLES:
            for reason in _class_objections(archive.read(name)):
                raise _refused(archive, f"{reason} in {name}")


def _refused(archive: Archive, what: str) -> ModelError:
    return ModelError(
        f"{archive.path} is TorchScript that could do more than compute: {what}. It was not "
        "loaded. If you trust whoever made it, open it with --unsafe-load"
    )


def _objections(text: str) -> Iterator[str]:
    for found in OPERATOR.finditer(text):
        namespace, operator = found.groups()
        if namespace not in NAMESPACES or operator in REFUSED:
            yield f"the operator {found[0]}" + ("" if namespace else " without a name")
    for found in BUILTIN.finditer(text):
        if found[1] is None or (found[1] == "classes" and not _quantized(text, found.start())):
            yield (
                f"{found[0]!r} by itself" if found[1] is None else "a custom class of torch.classes"
            )
    for found in METHOD.finditer(text):
        if found[1] in REFUSED:
            yield f"the operator {found[1]!r}"
    for found in GETATTR.finditer(text):
        if found[1] is None or found[1] in REFUSED:
            yield "an attribute whose name is not plain"
    if APART.search(text) or re.search(r"torch\.classes\b(?!\.\w)", text):
        yield "the path of a class in pieces"
    for hook in HOOKS:
        if re.search(rf"\b{hook}\b", text):
            yield f"{hook}, which runs while the file is loaded,"
    for found in re.finditer(re.escape(CLASSES), text):
        if not text.startswith(QUANTIZED, found.start()):
            yield "a custom class of torch.classes"


def _quantized(text: str, start: int) -> bool:
    return text.startswith("torch.classes.quantized.", start)


def _class_objections(content: bytes) -> Iterator[str]:
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in NEVER_WRITTEN:
                yield f"the pickle instruction {opcode.name}"
            if opcode.name == "GLOBAL":
                path = ".".join(str(argument).split(" "))
                if path.startswith(CLASSES) and not path.startswith(QUANTIZED):
                    yield f"the custom class {path}"
    except Exception as error:  # the parser raises nearly anything on damaged bytes
        yield f"a pickle that cannot be read ({error})"
