"""``pictures/pictures.json``: what the kept pictures show, and the hashes of their files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from semaudit.errors import AuditError
from semaudit.files import parsed
from semaudit.folder import PICTURES
from semaudit.report.document import Part

INDEX = "pictures.json"

Role = Literal["clean", "changed", "difference", "saliency_clean", "saliency_changed"]

Name = Annotated[str, StringConstraints(pattern=r"^[0-9]{3}-[a-z_]+\.(webp|png)$")]
"""Of a file in the same folder, and so of none elsewhere."""


class File(Part):
    """One picture's file."""

    name: Name
    sha256: str
    width: int
    height: int


class Answer(Part):
    """What the model says of a picture: its class or its labels, and how sure it is of the first.

    Of an embedding nothing is said.
    """

    names: list[str]
    probability: float | None


class Kept(Part):
    """One of the worst pictures, at its worst cell."""

    image: str
    label: int | None
    label_name: str | None
    clean_class: int
    clean_name: str
    shift: float
    probe: str
    family: str
    strength: float
    unit: str
    cell_shift: float
    clean: Answer
    changed: Answer
    difference_factor: int
    files: dict[Role, File]


class Index(Part):
    """All that were kept, worst first."""

    version: Literal[1] = 1
    pictures: Annotated[list[Kept], Field(max_length=999)]
    notes: list[str]


def read_index(audit: Path) -> Index | None:
    """What an audit has kept; None where it has kept none.

    Raises:
        AuditError: the index is damaged.
    """
    path = audit / PICTURES / INDEX
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}") from error
    return parsed(Index, content, path, "scan again")


def read_picture(audit: Path, file: File) -> bytes:
    """The bytes of a kept picture.

    Raises:
        AuditError: they are missing, or not those that the scan wrote.
    """
    path = audit / PICTURES / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}; scan again") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise AuditError(f"{path} is not what the scan wrote: its hash differs; scan again")
    return content
