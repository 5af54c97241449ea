"""TorchScript's pickles, read as plain values and the shapes of tensors.

Nothing that a pickle names is imported or called: classes stay names, and calls are made only of
those few that torch writes for tensors and containers.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from semaudit.errors import ModelError
from semaudit.models.files.allowed import storage_itemsize

MAX_STEPS = 1_500_000
"""A tensor takes some 25 steps."""
MAX_VISITS = 200_000
"""Tensors, containers and objects on all the ways to them."""
MAX_DEPTH = 64
LONGEST_NAME = 200
TENSORS = frozenset({"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_qtensor"})
# What hands its first argument on: type tags, typed lists, parameters.
HANDED_ON = ("torch.jit._pickle.", "torch._utils._rebuild_parameter")
TYPES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}
"""The types of numbers whose storages are called otherwise; the rest are in small letters."""


_Trail: TypeAlias = "tuple[_Trail, str] | None"
"""The names on the way to a value, the last first; as text, all the paths would fill the memory."""


@dataclass(frozen=True)
class Named:
    """A class or function that the pickle names."""

    path: str


@dataclass(frozen=True)
class Shaped:
    """A tensor, without its numbers."""

    shape: tuple[int, ...]
    dtype: str
    itemsize: int


@dataclass
class Instance:
    """An object of a class of the script's, and its attributes."""

    path: str
    state: object = None

    @property
    def attributes(self) -> Mapping[str, object]:
        """Its attributes by name; none where its class keeps its state in another way."""
        return self.state if isinstance(self.state, dict) else {}


def read_script_pickle(content: bytes, shown: str) -> object:
    """Return what a pickle of TorchScript's holds.

    Args:
        content: of the pickle.
        shown: what to call it in a message.

    Raises:
        ModelError: it is damaged, or takes steps that torch does not write.
    """
    machine = _Machine()
    try:
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if steps > MAX_STEPS:
                raise ValueError(f"over {MAX_STEPS:,} steps")
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except Exception as error:  # damaged bytes make the reader of steps raise nearly anything
        reason = f"{type(error).__name__}: {str(error)[:100]}"
        raise ModelError(f"{shown} is damaged, or not as torch writes it ({reason})") from error


def tensors_in(root: object) -> Iterator[tuple[str, Shaped]]:
    """Yield the tensors within a value, each under its dotted path, in order.

    Raises:
        ModelError: it nests deeper, or holds more, than any network.
    """
    waiting: list[tuple[_Trail, int, object]] = [(None, 0, root)]
    # One value may be met on many ways: what it holds is listed once.
    listed: dict[int, list[tuple[str, object]]] = {}
    visits = 0
    while waiting:
        trail, depth, value = waiting.pop()
        if isinstance(value, Shaped):
            yield _dotted(trail), value
            continue
        if id(value) not in listed:
            listed[id(value)] = _inside(value)
        inner = listed[id(value)]
        visits += len(inner)
        if visits > MAX_VISITS or depth > MAX_DEPTH:
            raise ModelError("the script nests deeper, or holds more, than any network does")
        waiting += [((trail, name), depth + 1, item) for name, item in reversed(inner)]


def _dotted(trail: _Trail) -> str:
    names: list[str] = []
    while trail is not None:
        trail, name = trail
        names.append(name)
    return ".".join(reversed(names))[:LONGEST_NAME]


def _inside(value: object) -> list[tuple[str, object]]:
    """What a value holds that is a tensor or may hold one, under its names."""
    if isinstance(value, Instance):
        value = value.state
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    kinds = (Shaped, Instance, dict, list, tuple)
    return [(str(name)[:LONGEST_NAME], item) for name, item in items if isinstance(item, kinds)]


class _Machine:
    """The stack and the memory of the pickle machine, for the instructions that torch writes."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[object, object] = {}

    def step(self, name: str, argument: object) -> None:
        """Play one instruction."""
        if name in _VALUES:
            self.stack.append(_VALUES[name](argument))
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]
        elif name == "MARK":
            self._below.append(self.stack)
            self.stack = []
        elif name in _COUNTED:
            self._gather(name)
        elif name in ("NEWOBJ", "REDUCE", "BUILD"):
            argument, on = self.stack.pop(), self.stack.pop()
            self.stack.append(_COMBINED[name](on, argument))
        elif name not in ("PROTO", "STOP", "BINPERSID"):  # a storage stays what names it
            raise ValueError(f"instruction {name}")

    def _gather(self, name: str) -> None:
        """Put the topmost values into a tuple, a list or a mapping."""
        count = _COUNTED[name]
        if count is None:
            items, self.stack = self.stack, self._below.pop()
        else:
            items = [self.stack.pop() for _ in range(count)][::-1]
        if name.startswith("TUPLE"):
            self.stack.append(tuple(items))
        elif name.startswith("APPEND"):
            self.stack[-1].extend(items)
        else:
            pairs = zip(items[::2], items[1::2], strict=True)
            self.stack[-1].update({str(k): item for k, item in pairs if isinstance(k, (str, int))})


def _called(function: Named, arguments: tuple[Any, ...]) -> object:
    if function.path in TENSORS:
        storage, _, shape = arguments[:3]
        return _tensor(storage[1], shape)
    if function.path.startswith(HANDED_ON):
        return arguments[0]
    return {} if function.path == "collections.OrderedDict" else function


def _tensor(storage: Named, shape: tuple[int, ...]) -> Shaped:
    if len(shape) > MAX_DEPTH or not all(type(side) is int for side in shape):
        raise ValueError("a tensor without a shape")
    kind = storage.path.removeprefix("torch.").removesuffix("Storage")
    # Quantised numbers, which a checkpoint's pickle may not hold, take a byte or four.
    itemsize = storage_itemsize(storage.path) or (4 if "32" in kind else 1)
    return Shaped(shape, TYPES.get(kind, kind.lower()), itemsize)


def _made(kind: Named, _: object) -> Instance:
    return Instance(kind.path)


def _built(on: object, state: object) -> object:
    if isinstance(on, Instance):
        on.state = state
    return on


def _named(argument: object) -> Named:
    return Named(".".join(str(argument).split(" ")))


_VALUES: Mapping[str, Callable[[object], object]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1"), lambda value: value),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINSTRING", "NONE"), lambda value: value),
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "GLOBAL": _named,
}
_COUNTED = {
    **{"TUPLE": None, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3},
    **{"APPEND": 1, "APPENDS": None, "SETITEM": 2, "SETITEMS": None},
}
_COMBINED: Mapping[str, Callable[[Any, Any], object]] = {
    "NEWOBJ": _made,
    "REDUCE": _called,
    "BUILD": _built,
}
