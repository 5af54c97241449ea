"""Whether a ``torch.export`` program may be loaded: it computes, and brings no code of its own.

While torch loads one, it unpickles tensors (falling back to pickles that run code), evaluates
symbolic sizes as Python expressions, imports the modules that a tree of inputs names, looks up
functions by dotted names, and executes Python source written from the names in the graph. So
everything that reaches one of these is held against what torch itself writes there.

What this cannot guard against: a fault in torch's operators, and a graph that computes without
end or asks for more memory than there is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from semaudit.errors import ModelError
from semaudit.models.programs.archives import Archive
from semaudit.models.programs.exported_pickles import pickles, vet_pickle
from semaudit.models.programs.exported_reading import read_json
from semaudit.models.programs.exported_sizes import Objection, vet_size
from semaudit.models.programs.outline import LARGEST, MOST_SIDES, reading

NAMESPACES = frozenset({"aten", "prims", "prim", "quantized_decomposed", "torchvision"})
REFUSED = frozenset({"from_file", "save", "load", "_print"})
HIGHER_ORDER = frozenset({"cond", "wrap_with_set_grad_enabled", "wrap_with_autocast"})
FUNCTIONS = frozenset(
    {
        *("torch.sym_int", "torch.sym_float", "torch.sym_max", "torch.sym_min", "torch.sym_ite"),
        *("torch.sym_not", "torch.sym_sum", "torch.sym_sqrt", "torch.sym_fresh_size"),
        *("math.ceil", "math.floor", "math.trunc", "math.sqrt"),
        *("_operator.add", "_operator.sub", "_operator.mul", "_operator.floordiv"),
        *("_operator.truediv", "_operator.mod", "_operator.neg", "_operator.pos"),
        *("_operator.pow", "_operator.abs", "_operator.getitem", "_operator.and_"),
        *("_operator.or_", "_operator.not_", "_operator.eq", "_operator.ne"),
        *("_operator.lt", "_operator.le", "_operator.gt", "_operator.ge"),
    }
)
OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)(?:\.\w+)?", re.ASCII)
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
PATH = re.compile(r"[\w.@\-]*", re.ASCII)
PAYLOAD = re.compile(r"(?:weight|tensor)_\d+", re.ASCII)
RECORDS = re.compile(
    r"archive_format|archive_version|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/\w+|models/model\.json|data/sample_inputs/model\.pt"
    r"|data/(?:weights|constants)/(?:(?:weight|tensor)_\d+|model\.pt|model_\w+_config\.json)"
    r"|extra/.*",
    re.ASCII,
)
CONFIG = re.compile(r"data/\w+/model_\w+_config\.json", re.ASCII)
MOST_CONFIGS = 2
"""One of the weights and one of the constants."""
TREES = frozenset(
    {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
)
METADATA = frozenset(
    {"stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "custom", "from_node"}
)
NAMES = frozenset({"name", "as_name"})
PATHS = frozenset(
    {"fqn", "parameter_name", "buffer_name", "tensor_constant_name", "user_input_name"}
)
NAMED = frozenset({"tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"})
EMPTY = frozenset({"custom_obj_values", "treespec_namedtuple_fields"})
CODE = frozenset({"as_custom_obj", "custom_obj", "script_object", "class_fqn", "as_opaque_obj"})
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def vet_exported(archive: Archive, program: Mapping[str, object]) -> None:
    """Read an exported program without loading it.

    Args:
        archive: to vet.
        program: its graph, as `read_program` returns it.

    Raises:
        ModelError: something in it could run code or fill the memory, or it is damaged; says what.
    """
    with reading(archive.path):
        _vet(archive, program)


def _vet(archive: Archive, program: Mapping[str, object]) -> None:
    try:
        for name in archive.names:
            if RECORDS.fullmatch(name) is None:
                raise Objection(_foreign(name))
        configs = [name for name in archive.names if CONFIG.fullmatch(name)]
        # Each is small enough to read, and hundreds would take hours.
        if len(configs) > MOST_CONFIGS:
            raise Objection(f"{len(configs):,} lists of weights")
        for name in configs:
            _vet_payloads(archive, name)
        for name in pickles(archive):
            vet_pickle(archive, name)
        _vet_value(program)
    except Objection as objection:
        raise ModelError(
            f"{archive.path} is an exported program that could do more than compute: {objection}. "
            "It was not loaded. If you trust whoever made it, open it with --unsafe-load"
        ) from objection


def _foreign(name: str) -> str:
    compiled = name.startswith("data/aotinductor")
    return f"{name!r}, which holds compiled machine code" if compiled else f"a record {name!r}"


def _vet_payloads(archive: Archive, name: str) -> None:
    content = read_json(archive, name)
    payloads = content.get("config") if isinstance(content, dict) else None
    if not isinstance(payloads, dict):
        raise Objection(f"{name} is not as torch writes it")
    for key, payload in payloads.items():
        try:
            file, meta = str(payload["path_name"]), payload["tensor_meta"]
            sizes = [int(size["as_int"]) for size in meta["sizes"]]
            pickled = payload["use_pickle"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise Objection(f"{name} does not describe {key[:80]!r} as torch does") from error
        if pickled or PAYLOAD.fullmatch(file) is None:
            raise Objection(f"{key[:80]!r} is kept as a pickle or as another object than a tensor")
        held = archive.size(f"{name.rpartition('/')[0]}/{file}")
        if len(sizes) > MOST_SIDES or not all(0 <= side < LARGEST for side in sizes):
            raise Objection(f"{key[:80]!r} has a shape that no tensor has")
        if math.prod(sizes) > held:
            raise Objection(f"{key[:80]!r} of shape {tuple(sizes)} claims more than the file holds")


def _vet_value(root: object) -> None:
    """Walk through the JSON; without recursion, for it may be nested to any depth."""
    waiting: list[tuple[str, object]] = [("", root)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += _entries(key, value)
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        elif isinstance(value, str):
            _vet_text(key, value)


def _entries(key: str, value: dict[str, object]) -> list[tuple[str, object]]:
    if key == "metadata":
        _vet_metadata(value)
        return []
    if key in NAMED and not all(NAME.fullmatch(name) for name in value):
        raise Objection(f"a name in {key} that is none")
    if key in EMPTY and value:
        raise Objection(f"objects of other kinds than tensors ({key})")
    for inner in value:
        if inner in CODE:
            raise Objection(f"an object of another kind than a tensor ({inner})")
    # What a name maps to is no key of torch's: a tensor may be called "target".
    return [("" if key in NAMED else inner, item) for inner, item in value.items()]


def _vet_text(key: str, text: str) -> None:
    if key in {"target", "as_operator"}:
        _vet_target(text)
    elif key == "expr_str":
        vet_size(text)
    elif key in NAMES:
        if text and NAME.fullmatch(text) is None:
            raise Objection(f"the name {text[:80]!r}")
    elif key == "forward_arg_names":
        if NAME.fullmatch(text) is None:
            raise Objection(f"the argument {text[:80]!r}")
    elif key in PATHS:
        if PATH.fullmatch(text) is None:
            raise Objection(f"the name {text[:80]!r}")
    elif key in {"in_spec", "out_spec"}:
        _vet_tree(text)
    elif key not in {"as_string", "as_strings", "guards_code"} and CONTROL.search(text):
        raise Objection(f"a control character in {key}")


def _vet_target(target: str) -> None:
    found = OPERATOR.fullmatch(target)
    if found is None:
        if target not in FUNCTIONS:
            raise Objection(f"the function {target[:80]!r}")
        return
    namespace, operator = found.groups()
    if namespace == "higher_order":
        if operator not in HIGHER_ORDER:
            raise Objection(f"the operator {target[:80]!r}")
    elif namespace not in NAMESPACES or operator in REFUSED:
        raise Objection(f"the operator {target[:80]!r}")


def _vet_metadata(metadata: Mapping[str, object]) -> None:
    """It is written into comments of source that is executed: a line break would end them."""
    for key, text in metadata.items():
        allowed = "\n" if key == "stack_trace" else ""
        if key not in METADATA or not isinstance(text, str):
            raise Objection(f"the metadata {key[:80]!r}")
        if any(found[0] not in allowed for found in CONTROL.finditer(text)):
            raise Objection(f"a control character in {key}")


def _vet_tree(text: str) -> None:
    try:
        _, tree = json.loads(text)
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if node["type"] not in TREES:
                raise Objection(f"inputs or outputs of the type {node['type']!r}")
            context = json.loads(node["context"]) if node["context"] is not None else None
            keys = context if isinstance(context, list) else [] if context is None else [context]
            if not all(type(k) is int or (isinstance(k, str) and NAME.fullmatch(k)) for k in keys):
                raise Objection("a tree of inputs or outputs with keys that are no names")
            waiting += node["children_spec"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Objection("a tree of inputs or outputs that torch would not write") from error
