"""What is in a ``torch.export`` archive, read from its JSON; torch loads nothing of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semaudit.errors import ModelError
from semaudit.models.description import Listed, Port, Program, Side
from semaudit.models.programs.archives import Archive
from semaudit.models.programs.exported_reading import exported_archive, read_program
from semaudit.models.programs.exported_vetting import vet_exported
from semaudit.models.programs.outline import (
    LONGEST,
    Outline,
    listed,
    port_shape,
    reading,
    width_of,
)

# The numbers that the format gives types, with the bytes of each; they never change.
TYPES = {
    **{1: ("uint8", 1), 2: ("int8", 1), 3: ("int16", 2), 4: ("int32", 4), 5: ("int64", 8)},
    **{6: ("float16", 2), 7: ("float32", 4), 8: ("float64", 8), 12: ("bool", 1)},
    **{10: ("complex64", 8), 11: ("complex128", 16), 13: ("bfloat16", 2)},
}
HELD = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}
"""The kinds of inputs that the archive brings itself, and the key of each one's name."""
SYMBOL = re.compile(r"Symbol\('(\w+)'.*\)|(\w+)")


def outline_exported(path: Path) -> Outline:
    """Read what ``torch.export.save`` wrote.

    Raises:
        ModelError: the file is damaged, or of torch 2.7 or before.
    """
    archive = exported_archive(path)
    program = read_program(archive)
    with reading(path):
        return _outline(archive, program)


def _outline(archive: Archive, program: Mapping[str, Any]) -> Outline:
    module = program["graph_module"]
    values, signature = module["graph"]["tensor_values"], module["signature"]
    ranges = program["range_constraints"]
    inputs = [_port(spec["user_input"]["arg"], values, ranges) for spec in _of(signature, "input")]
    outputs = [
        _port(spec["user_output"]["arg"], values, ranges) for spec in _of(signature, "output")
    ]
    held = [
        _listed(str(spec[kind][key]), values[spec[kind]["arg"]["name"]])
        for spec in signature["input_specs"]
        for kind, key in HELD.items()
        if kind in spec
    ]
    return Outline(
        program=Program(
            format=_format(program),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            num_classes=width_of(outputs),
            danger=_danger(archive, program),
        ),
        tensors=tuple(held),
        beside=archive.extras(),
    )


def _of(signature: Mapping[str, Any], side: str) -> list[Mapping[str, Any]]:
    """What the user gives or gets, without what the archive brings itself."""
    return [spec for spec in signature[f"{side}_specs"] if f"user_{side}" in spec]


def _port(
    argument: Mapping[str, Any], values: Mapping[str, Any], ranges: Mapping[str, Any]
) -> Port:
    """An input or output; one that is no tensor is called by its kind."""
    named = argument.get("as_tensor")
    if named is None:
        kind = next(iter(argument), "nothing").removeprefix("as_")
        return Port(kind[:LONGEST], None, kind[:LONGEST])
    name, value = str(named["name"]), values[named["name"]]
    shape = port_shape([_side(size, ranges) for size in value["sizes"]])
    return Port(name[:LONGEST], shape, _type(value)[0])


def _side(size: Mapping[str, Any], ranges: Mapping[str, Any]) -> Side:
    """A number, or in words what a side may be."""
    if "as_int" in size:
        return int(size["as_int"])
    alone = SYMBOL.fullmatch(size["as_expr"]["expr_str"])
    limits = (ranges.get(alone[1] or alone[2]) if alone else None) or {}
    # torch takes 0 and 1 apart from the rest while exporting, and states 2 where 1 does as well.
    low, high = limits.get("min_val"), limits.get("max_val")
    low = 1 if low is None or low <= 2 else int(low)
    return "any" if high is None else f"{low} to {int(high)}"


def _listed(name: str, value: Mapping[str, Any]) -> Listed:
    return listed(name, [size["as_int"] for size in value["sizes"]], *_type(value))


def _type(value: Mapping[str, Any]) -> tuple[str, int]:
    number = value["dtype"]
    return TYPES.get(number, (f"type {int(number)}", 1))


def _format(program: Mapping[str, Any]) -> dict[str, str]:
    schema, opsets = program["schema_version"], program["opset_version"]
    return {
        "format": f"torch.export, schema {int(schema['major'])}.{int(schema['minor'])}",
        "opset": ", ".join(f"{name} {version}" for name, version in opsets.items())[:LONGEST],
        "made by": f"torch {program.get('torch_version') or 'of an unknown version'}"[:LONGEST],
    }


def _danger(archive: Archive, program: Mapping[str, Any]) -> str | None:
    try:
        vet_exported(archive, program)
    except ModelError as error:
        return str(error)
    return None
