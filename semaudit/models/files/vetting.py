"""Walks a checkpoint's pickle without making anything, before torch may read it.

torch's ``weights_only`` reader, which does the reading, runs no foreign code, but a pickle of a
few bytes can make it take any memory or time. So each step is first played through with symbols:
a global stands for itself, a call for its result, a storage for its size. A step that no
checkpoint takes is refused here.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import BinaryIO

from semaudit.models.files import allowed
from semaudit.models.files.symbols import (
    ForeignError,
    Global,
    InflatedError,
    Made,
    Storages,
    Tuple,
    UnreadableError,
    UnusableError,
    hashed,
    tensor_of,
    tuple_of,
    weight,
)

MAX_STEPS = 1_500_000
"""A tensor takes some 25 steps."""
MAX_WORK = 4_000_000
"""Items hashed or copied by single steps, all together."""


def vet(file: BinaryIO, storages: Storages) -> object:
    """Play one pickle through; return the symbol of what it makes. ``file`` is left behind it.

    Raises:
        ForeignError, InflatedError, UnreadableError, UnusableError: it must not be read.
    """
    machine = _Machine(storages)
    try:
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if steps > MAX_STEPS:
                raise UnreadableError(f"it takes over {MAX_STEPS:,} steps")
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (ForeignError, InflatedError, UnreadableError, UnusableError):
        raise
    except Exception as error:  # damaged bytes make the reader of steps raise nearly anything
        raise UnreadableError(f"{type(error).__name__}: {str(error)[:120]}") from error


class _Machine:
    """The stack and the memory of the pickle machine, holding symbols."""

    def __init__(self, storages: Storages) -> None:
        self.stack: list[object] = []
        self._below: list[list[object]] = []
        self._memo: dict[int, object] = {}
        self._storages = storages
        self._work = 0

    def step(self, name: str, argument: object) -> None:
        """Play one instruction, of those that torch's reader knows."""
        if name in _VALUES:
            self.stack.append(_VALUES[name](argument))
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])  # type: ignore[index]
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]  # type: ignore[index]
        elif name == "MARK":
            self._below.append(self.stack)
            self.stack = []
        elif name in _TUPLES:
            count = _TUPLES[name]
            items = self._marked() if count is None else [self.stack.pop() for _ in range(count)]
            self.stack.append(tuple_of(items if count is None else items[::-1]))
        elif name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS"):
            self._fill(name)
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in ("PROTO", "STOP"):
            raise UnreadableError(f"instruction {name}")

    def spend(self, work: int) -> None:
        """Count items that one step hashes or copies."""
        self._work += work
        if self._work > MAX_WORK:
            raise UnreadableError("it takes more work than any checkpoint")

    def _marked(self) -> list[object]:
        items, self.stack = self.stack, self._below.pop()
        return items

    def _fill(self, name: str) -> None:
        """Put items into a list or a mapping."""
        count = {"APPEND": 1, "SETITEM": 2}.get(name)
        items = self._marked() if count is None else [self.stack.pop() for _ in range(count)][::-1]
        into = self.stack[-1]
        if not isinstance(into, Made) or into.what != ("list" if "APPEND" in name else "dict"):
            raise UnreadableError(f"{name} to what is no container")
        if into.what == "dict":
            for key in items[::2]:
                self.spend(hashed(key))
        into.grow(items)

    def call(self, function: object, arguments: object) -> object:
        """The symbol of what a call makes.

        Raises:
            UnreadableError: no checkpoint makes such a call.
        """
        if not isinstance(function, Global) or not isinstance(arguments, Tuple):
            raise UnreadableError("a call of what is no function")
        name, given = function.name, arguments.items
        kinds = [item.what if isinstance(item, Made) else type(item).__name__ for item in given]
        if name in allowed.REBUILD and len(given) >= allowed.REBUILD[name]:
            return tensor_of(name, given)
        if name in allowed.PARAMETERS and kinds[:1] == ["tensor"]:
            self.spend(arguments.weight)
            return given[0]
        if name == "torch._tensor._rebuild_from_type_v2" and len(given) == 4:
            self.spend(weight(given[3]))
            return self.call(given[0], given[2])
        if name in allowed.INERT:
            return Made("object")
        if name in allowed.CONTAINERS and name != "argparse.Namespace":
            if kinds in ([], ["list"], ["dict"]):
                self.spend(2 * arguments.weight)
                return Made(allowed.CONTAINERS[name], arguments.weight)
        elif name == "torch.Size" and kinds in (["Tuple"], ["list"]):
            self.spend(arguments.weight)
            return Made("size")
        elif name in ("torch.device", "torch.serialization._get_layout", "builtins.complex"):
            if all(kind in ("str", "int", "float") for kind in kinds):
                return Made("object")
        elif name == "_codecs.encode" and kinds == ["str", "str"]:
            text, encoding = map(str, given)
            if allowed.encodes_plainly(encoding):
                self.spend(len(text))
                return Made("bytes", len(text))
        raise UnreadableError(f"calls {name} in a way that no checkpoint does")

    def on_global(self, argument: object) -> None:
        """Import a name."""
        module, _, name = str(argument).partition(" ")
        full = allowed.full_name(module, name)
        if full in allowed.UNUSABLE:
            raise UnusableError(allowed.UNUSABLE[full])
        if "QInt" in name or "QUInt" in name:
            raise UnusableError("quantised tensors")
        if not allowed.is_known(full):
            raise ForeignError(full)
        self.stack.append(Global(full))

    def on_newobj(self, _: object) -> None:
        """Make an instance without calling its class."""
        arguments, made = self.stack.pop(), self.stack.pop()
        if not isinstance(made, Global) or not isinstance(arguments, Tuple):
            raise UnreadableError("an instance of what is no class")
        if made.name in allowed.PLAIN_DICTS and not arguments.items:
            self.stack.append(Made("dict"))
        elif made.name in allowed.CONTAINERS and not arguments.items:
            self.stack.append(Made(allowed.CONTAINERS[made.name]))
        elif made.name in allowed.INERT:
            self.stack.append(Made("object"))
        else:
            raise UnreadableError(f"makes an instance of {made.name}, as no checkpoint does")

    def on_build(self, _: object) -> None:
        """Give an instance its attributes."""
        state, built = self.stack.pop(), self.stack[-1]
        if not isinstance(built, Made) or built.what not in ("dict", "object", "set"):
            raise UnreadableError("sets attributes of what has none")
        self.spend(weight(state))

    def on_storage(self, _: object) -> None:
        """Refer to a storage: ("storage", type, key, location, count, ...)."""
        identity = self.stack.pop()
        items = identity.items if isinstance(identity, Tuple) else ()
        if len(items) < 5 or items[0] != "storage" or not isinstance(items[1], Global):
            raise UnreadableError("a reference to what is no storage")
        itemsize, key, count = allowed.storage_itemsize(items[1].name), items[2], items[4]
        if itemsize is None or not isinstance(key, str) or not isinstance(count, int) or count < 0:
            raise UnreadableError("a storage without a size")
        self._storages.claim(key, count * itemsize)
        self.stack.append(Made("storage", nbytes=count * itemsize, itemsize=itemsize))

    def on_call(self, _: object) -> None:
        """Call a function with a tuple of arguments."""
        arguments = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], arguments)


_EMPTY = tuple_of([])
_VALUES: Mapping[str, Callable[[object], object]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1"), lambda value: value),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINSTRING", "NONE"), lambda value: value),
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: _EMPTY,
    "EMPTY_DICT": lambda _: Made("dict"),
    "EMPTY_LIST": lambda _: Made("list"),
    "EMPTY_SET": lambda _: Made("set"),
}
_TUPLES = {"TUPLE": None, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STEPS: Mapping[str, Callable[[_Machine, object], None]] = {
    "GLOBAL": _Machine.on_global,
    "NEWOBJ": _Machine.on_newobj,
    "REDUCE": _Machine.on_call,
    "BUILD": _Machine.on_build,
    "BINPERSID": _Machine.on_storage,
}
