"""How every program is handed over once it has been opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from semaudit.files import file_sha256
from semaudit.models.opened import Opened
from semaudit.models.programs.adapters import Adapted
from semaudit.models.stated import Stated


def opened_program(
    path: Path,
    source: str,
    fitted: Adapted,
    stated: Stated,
    *,
    num_classes: int | None,
    in_chans: int | None,
    notes: tuple[str, ...] = (),
    differentiable: bool,
    more: Mapping[str, str] | None = None,
) -> Opened:
    """Hand a program over.

    Args:
        path: its file.
        source: the kind of source, for the provenance.
        fitted: its module as it takes pictures; what that states outweighs what the file states.
        stated: what the file says of its preprocessing and classes.
        num_classes: the width of its output, where that is one table.
        in_chans: the channels of the pictures, where known.
        notes: what a reader should know, beside the notes of ``fitted``.
        differentiable: whether input gradients can be had.
        more: of the provenance.
    """
    return Opened(
        module=fitted.module,
        name=path.name,
        provenance={
            "source": source,
            "file": str(path),
            "file_sha256": file_sha256(path),
            **(more or {}),
        },
        stated={**stated.preprocessing, **fitted.stated},
        labels=stated.labels,
        num_classes=num_classes,
        in_chans=in_chans,
        notes=(*fitted.notes, *notes),
        differentiable=differentiable,
        batch=fitted.batch,
    )


def blind(path: Path) -> str:
    """Say that a program gives no input gradient."""
    return f"{path.name} gives no input gradient, so that what needs one is left out"
