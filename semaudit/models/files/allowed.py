"""The names that a checkpoint's pickle may use, and what each is allowed to be called with.

A part of what torch allows with ``weights_only``: of that, some calls take any amount of memory
(``bytearray(10**12)``) or time (a set of a tensor's 10**12 equal numbers). What no checkpoint
needs is not on the list.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

import torch

STORAGES = {
    "Double": 8,
    "Float": 4,
    "Half": 2,
    "BFloat16": 2,
    "Long": 8,
    "Int": 4,
    "Short": 2,
    "Char": 1,
    "Byte": 1,
    "Bool": 1,
    "ComplexFloat": 8,
    "ComplexDouble": 16,
}
"""Bytes of a number in each of torch's typed storages."""

UNUSABLE = {
    "torch._utils._rebuild_qtensor": "quantised tensors",
    "torch._utils._rebuild_sparse_tensor": "sparse tensors",
    "torch._utils._rebuild_nested_tensor": "nested tensors",
    "torch._utils._rebuild_meta_tensor_no_storage": "tensors on the meta device, without numbers",
    "torch._utils._rebuild_wrapper_subclass": "tensors of another library's class",
    "torch.distributed.tensor.DTensor": "tensors spread over several processes",
}
"""What makes tensors that cannot be audited, and what they are called."""

REBUILD = {
    "torch._utils._rebuild_tensor": 4,
    "torch._utils._rebuild_tensor_v2": 6,
    "torch._utils._rebuild_tensor_v3": 7,
}
"""What makes a tensor of a storage, and the fewest arguments it takes."""

PARAMETERS = {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
}
CONTAINERS = {
    "collections.OrderedDict": "dict",
    "collections.Counter": "dict",
    "builtins.set": "set",
    "argparse.Namespace": "object",
}
OTHERS = {
    "torch._tensor._rebuild_from_type_v2",
    "torch.nn.parameter.Parameter",
    "torch.Tensor",
    "torch.Size",
    "torch.device",
    "builtins.complex",
    "torch.serialization._get_layout",
    "_codecs.encode",
    "torch.storage.UntypedStorage",
}


class Inert:
    """Stands for a harmless object of another library that is no weight; keeps nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_LIGHTNING = (
    "pytorch_lightning.utilities.parsing",
    "lightning.pytorch.utilities.parsing",
    "lightning_fabric.utilities.data",
    "lightning.fabric.utilities.data",
)
INERT = frozenset(
    {
        *(f"{module}.{name}" for module in _NUMPY for name in ("scalar", "_reconstruct")),
        "numpy.dtype",
        "numpy.ndarray",
        *(f"pathlib.{name}" for name in ("PosixPath", "WindowsPath", "PurePosixPath")),
        "pathlib._local.PosixPath",
        "datetime.datetime",
        "datetime.timedelta",
    }
)
"""Found beside weights (a best score, a path): read as `Inert`, their own code never runs."""

PLAIN_DICTS = frozenset(f"{module}.AttributeDict" for module in _LIGHTNING)
"""Lightning's mapping of hyper-parameters, read as a plain one."""


def full_name(module: str, name: str) -> str:
    """Join a global's name, of Python 2, which pickles still speak, or of 3."""
    return f"{_PYTHON_2.get(module, module)}.{name}"


def allowed_globals() -> list[Callable[..., object] | tuple[Callable[..., object], str]]:
    """Return what torch is to allow beyond its own list, for ``safe_globals``."""
    return [
        argparse.Namespace,  # a plain bag of values, which training scripts save their flags in
        *((Inert, name) for name in sorted(INERT)),
        *((dict, name) for name in sorted(PLAIN_DICTS)),
    ]


def is_known(name: str) -> bool:
    """Whether a checkpoint's pickle may use a global, named ``module.name``."""
    known = OTHERS, REBUILD, PARAMETERS, CONTAINERS, INERT, PLAIN_DICTS, UNUSABLE
    return any(name in names for names in known) or bool(storage_itemsize(name) or dtype(name))


def storage_itemsize(name: str) -> int | None:
    """Bytes of a number of a storage class such as ``torch.FloatStorage``, or None."""
    if name == "torch.storage.UntypedStorage":
        return 1
    found = re.fullmatch(r"torch\.(\w+)Storage", name)
    return STORAGES.get(found[1]) if found else None


def dtype(name: str) -> torch.dtype | None:
    """The dtype that ``torch.float16`` and its like name, or None."""
    found = re.fullmatch(r"torch\.([a-z]\w*)", name)
    value = vars(torch).get(found[1]) if found else None
    return value if isinstance(value, torch.dtype) else None


def encodes_plainly(encoding: str) -> bool:
    """Whether `_codecs.encode` with it gives one byte or so a character, as pickle needs it."""
    return encoding.lower().replace("-", "").replace("_", "") in {"latin1", "utf8", "ascii"}
