"""What `semaudit inspect` has drawn into the audit: how single answers break."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated

from PIL import Image, UnidentifiedImageError, features
from pydantic import BaseModel, Field, StringConstraints

from semaudit.errors import AuditError
from semaudit.files import parsed
from semaudit.folder import CASE_NUMBERS, CASES
from semaudit.report.document import Report
from semaudit.report.html.words import shown
from semaudit.report.text import probability, strength

_MOST_BYTES, _MOST_PIXELS = 20_000_000, 20_000_000
_QUALITY = 75
"""Of lossy WebP: a tenth of the PNG, and its text stays sharp."""

_FOREIGN = (
    f"The folder {CASES} holds drawings of another model or of other pictures than this audit's, "
    "which are left out."
)
_HOW = (
    "Drawn by semaudit inspect: the probabilities along the way, and the picture just before and "
    "just past the strength at which its answer breaks."
)


class _Class(BaseModel):
    index: int
    name: str
    probability: Annotated[float, Field(ge=0, le=1)]


class _Side(BaseModel):
    strength: float
    decided: list[int]
    classes: list[_Class]


class _Probe(BaseModel):
    name: str
    family: str


class _Case(BaseModel):
    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\.png$")]
    image: str
    probe: _Probe
    flips: bool
    clean: _Side
    before: _Side
    after: _Side


class _Model(BaseModel):
    weights_sha256: str


class _Data(BaseModel):
    fingerprint: str


class _Numbers(BaseModel):
    """As much of the file as is shown here."""

    model: _Model
    data: _Data
    cases: list[_Case]


@dataclass(frozen=True)
class Drawn:
    """A drawing, and what it shows in words."""

    title: str
    alt: str
    facts: tuple[tuple[str, str], ...]
    source: str
    width: int
    height: int


@dataclass(frozen=True)
class Cases:
    """All drawings, and remarks."""

    drawn: tuple[Drawn, ...] = ()
    remarks: tuple[str, ...] = ()


def cases(report: Report, audit: Path | None, room: int) -> Cases:
    """Read what was drawn of an audit, as far as there is room.

    Args:
        report: of the audit.
        audit: its folder, if there is one.
        room: characters that the drawings may take.

    Raises:
        AuditError: the numbers beside the drawings are damaged.
    """
    numbers = None if audit is None else _read(audit / CASES / CASE_NUMBERS)
    if audit is None or numbers is None:
        return Cases()
    known = (report.model.weights_sha256, report.data.fingerprint)
    if known != (numbers.model.weights_sha256, numbers.data.fingerprint):
        return Cases(remarks=(_FOREIGN,))
    drawn: list[Drawn] = []
    remarks = [_HOW]
    for index, case in enumerate(numbers.cases):
        try:
            found = _drawn(case, audit / CASES / case.file)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            remarks.append(f"{CASES}/{case.file} is left out: {_why(error)}.")
            continue
        room -= len(found.source)
        if room < 0:
            left = len(numbers.cases) - index
            remarks.append(f"{left} more are in the audit's folder {CASES}: there is no room here.")
            break
        drawn.append(found)
    return Cases(tuple(drawn), tuple(remarks))


def _read(path: Path) -> _Numbers | None:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}") from error
    return parsed(_Numbers, content, path, "draw again with semaudit inspect")


def _why(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture"
    return getattr(error, "strerror", None) or str(error)


def _drawn(case: _Case, file: Path) -> Drawn:
    content, width, height = _small(file)
    clean, before, after = (_answer(side) for side in (case.clean, case.before, case.after))
    start, at = strength(case.before.strength), strength(case.after.strength)
    where = ("flips at", at) if case.flips else ("steepest", f"from {start} to {at}")
    facts = [where]
    if clean:
        sides = ("just before", "just past") if case.flips else ("at its start", "at its end")
        facts += [("clean answer", clean), (sides[0], before), (sides[1], after)]
    told = "; ".join(f"{name} {said}" for name, said in facts)
    title = f"{case.image} under {case.probe.name} ({case.probe.family})"
    ending = "webp" if content[:4] == b"RIFF" else "png"
    return Drawn(
        title=shown(title),
        alt=shown(f"Probabilities against strength, and pictures, of {title}: {told}"),
        facts=tuple((name, shown(said)) for name, said in facts),
        source=f"data:image/{ending};base64,{base64.b64encode(content).decode('ascii')}",
        width=width,
        height=height,
    )


def _answer(side: _Side) -> str:
    """The classes that are decided for; where none of them is told, the likeliest."""
    decided = [each for each in side.classes if each.index in side.decided]
    likeliest: Sequence[_Class] = sorted(side.classes, key=lambda each: -each.probability)[:1]
    said = [f"{each.name}, {probability(each.probability)}" for each in decided or likeliest]
    return "; ".join(said)


def _small(file: Path) -> tuple[bytes, int, int]:
    """A drawing in few bytes, and its sides.

    Raises:
        OSError: it is not there, or no picture.
        ValueError: it is larger than any that is drawn.
    """
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError("it is larger than any that is drawn")
    content = file.read_bytes()
    with Image.open(BytesIO(content), formats=("PNG",)) as picture:
        if picture.width * picture.height > _MOST_PIXELS:
            raise ValueError("it is larger than any that is drawn")
        pixels = picture.convert("RGB")
    if features.check("webp"):
        buffer = BytesIO()
        pixels.save(buffer, format="webp", quality=_QUALITY)
        content = buffer.getvalue()
    return content, pixels.width, pixels.height
