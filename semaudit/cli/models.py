"""``semaudit models``: what is in a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semaudit.cli.common import stdout

if TYPE_CHECKING:
    from semaudit.models.description import Description, Listed, Port, Program

app = typer.Typer(no_args_is_help=True, help="Look at models without auditing them.")

NAMED = 5


@app.callback()
def _models() -> None:
    """Look at models without auditing them."""


@app.command()
def describe(
    path: Annotated[Path, typer.Argument(help="Checkpoint, program, or a folder that holds one.")],
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor.")] = False,
    use_ema: Annotated[bool, typer.Option("--use-ema", help="Of the averaged weights.")] = False,
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """Tell what is in a model file; nothing in it is run.

    Exit codes:
    0 told
    2 the command line is wrong
    3 the file is no model, or is not safe to read
    """
    import json
    from dataclasses import asdict

    from semaudit.errors import UsageError
    from semaudit.models import describe as describing

    if format not in ("table", "json"):
        raise UsageError(f"--format {format!r} is wrong: it should be table or json")
    described = describing.describe(path, use_ema=use_ema)
    if format == "json":
        print(json.dumps(asdict(described), indent=1))
        return
    _print(described, tensors=tensors)


def _print(described: Description, *, tensors: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from semaudit.report.text import printable

    console = stdout()
    console.print(Text(printable(f"{described.file}: {described.kind}"), style="bold"))
    grid = Table.grid(padding=(0, 2))
    for name, value in _facts(described):
        grid.add_row(Text(f"  {name}"), Text(printable(value)))
    console.print(grid)
    for arch, words in described.nearest:
        console.print(Text(printable(f"  nearest: {arch}: {words}")))
    for note in described.notes:
        console.print(Text(printable(f"note: {note}"), style="yellow"))
    if tensors:
        table = Table("tensor", "shape", "type", box=box.SIMPLE_HEAD, pad_edge=False)
        for each in described.tensors:
            cells = (each.name, _shape(each), each.dtype)
            table.add_row(*(Text(printable(cell)) for cell in cells))
        console.print(table)


def _facts(described: Description) -> list[tuple[str, str]]:
    facts = [("size", f"{described.size / 1e6:,.1f} MB"), ("sha256", described.sha256)]
    if described.whole:
        facts.append(("architecture", "its own program; a scan takes it as it is"))
        if described.program is None:
            return facts
        facts += _program(described.program)
    if described.tensors:
        types = ", ".join(f"{count} {dtype}" for dtype, count in described.dtypes.items())
        numbers, size = described.numbers / 1e6, described.weight_bytes / 1e6
        facts.append(("tensors", f"{types}; {numbers:,.2f} million numbers, {size:,.1f} MB"))
    if described.wrapped:
        facts.append(("wrapped in", " ".join(described.wrapped)))
    if not described.whole:
        facts += _architecture(described)
    if described.labels:
        more = ", ..." if len(described.labels) > NAMED else ""
        names = ", ".join(described.labels[:NAMED]) + more
        facts.append(("class names", f"{len(described.labels)}: {names}"))
    stated = ", ".join(f"{key} {value}" for key, value in described.preprocessing.items())
    facts.append(("preprocessing", stated or "not stated in the file"))
    facts += [("metadata", f"{key}: {value}") for key, value in described.metadata.items()]
    return facts


def _program(program: Program) -> list[tuple[str, str]]:
    facts = list(program.format.items())
    facts += [("input", _port(each)) for each in program.inputs]
    facts += [("output", _port(each)) for each in program.outputs]
    if program.num_classes is not None:
        facts.append(("classes", f"{program.num_classes:,}, by the shape of the output"))
    harmless = "it was read and only computes: opening it runs nothing else"
    return [*facts, ("safety", program.danger or harmless)]


def _port(port: Port) -> str:
    shape = "its shape is not stated" if port.shape is None else _shape(port)
    return f"{port.name}: {port.dtype or 'of a type that is not stated'}, {shape}"


def _shape(holder: Listed | Port) -> str:
    return " x ".join(map(str, holder.shape or ())) or "one number"


def _architecture(described: Description) -> list[tuple[str, str]]:
    found = described.candidates
    if not found:
        return [("architecture", "none that timm or torchvision know; see the nearest")]
    first = found[0]
    sizes = [f"{first.num_classes} classes" if first.num_classes else "no head"]
    sizes.append(f"{first.in_chans} channels")
    if first.img_size:
        sizes.append(f"pictures of {first.img_size}")
    if first.patch_size:
        sizes.append(f"patches of {first.patch_size}")
    if len(found) == 1:
        facts = [("architecture", f"{first.arch}, {described.evidence}")]
    else:
        names = ", ".join(each.arch for each in found)
        facts = [
            ("architecture", f"{names}: one of these, {described.evidence}"),
            ("", "they differ in what weights do not show; a scan tells, or labelled pictures do"),
        ]
    return [*facts, ("sizes", ", ".join(sizes))]
