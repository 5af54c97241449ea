"""Contact sheets: one picture under every probe and rung, a page a family."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from semaudit.errors import ImageError, UsageError
from semaudit.images.decoding import WHITE, DecodeError, decode
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.metrics.ssim import mean_ssim, reference
from semaudit.perturbations import Draw, get
from semaudit.probes import Probe
from semaudit.report.text import printable

GAP, LINE = 8, 16
_LONGEST = 90  # characters of a picture's name, or of a unit
_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
_INK, _FAINT, _PAPER = (20, 20, 20), (110, 110, 110), (255, 255, 255)


@dataclass(frozen=True)
class Cell:
    """One picture on a sheet, (c, h, w) in [0, 1], and the words under it."""

    image: Tensor
    words: str


def open_picture(path: Path, size: int) -> Tensor:
    """Read a picture, crop its middle square and scale it: (1, 3, size, size) in [0, 1].

    Raises:
        ImageError: it cannot be read.
    """
    try:
        picture = decode(path.read_bytes(), 3, WHITE)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such picture") from error
    except (OSError, DecodeError, MemoryError) as error:
        raise ImageError(f"{path} cannot be read: {error}") from error
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
    content = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8)
    return content.view(size, size, 3).permute(2, 0, 1)[None].float().div(255)


def sheets(
    battery: Sequence[Probe], image: Tensor, image_id: str, seed: int = 0
) -> Iterator[tuple[str, Image.Image]]:
    """Yield each family's name and its sheet: a row a probe, a column a rung.

    Args:
        battery: the probes, those of one family together; the noise floor is left out.
        image: (1, c, h, w) in [0, 1].
        image_id: the picture's name, which the sheet bears, and under which the draws are made, so
            that they are a scan's.
        seed: of the draws.
    """
    shown = sorted(
        (probe for probe in battery if probe.family != NOISE_FLOOR_FAMILY),
        key=lambda probe: probe.family,
    )
    for family, probes in groupby(shown, key=lambda probe: probe.family):
        rows = [(probe, _row(probe, image, image_id, seed)) for probe in probes]
        yield family, _sheet(family, image_id, rows)


def _row(probe: Probe, image: Tensor, image_id: str, seed: int) -> list[Cell]:
    draw = Draw.of(seed, probe.name, [image_id], image.device)
    clean, perturb = reference(image), get(probe.perturbation)
    cells = [Cell(image[0], "clean")]
    with torch.inference_mode():
        for strength in probe.ladder:
            changed = perturb(image, strength, draw)
            alike = mean_ssim(clean, changed).item()
            cells.append(Cell(changed[0], f"{strength:g}   SSIM {alike:.3f}"))
    return cells


def _sheet(family: str, name: str, rows: Sequence[tuple[Probe, Sequence[Cell]]]) -> Image.Image:
    height, width = rows[0][1][0].image.shape[-2:]
    columns = max(len(cells) for _, cells in rows)
    step_x, step_y = max(width, 9 * LINE) + GAP, height + 2 * LINE + 2 * GAP
    title, label, small = (ImageFont.load_default(size) for size in (18, 14, 12))
    headings = [
        _Heading(family, _short(name), title, label),
        *(_Heading(probe.name, _strengths(probe), label, small) for probe, _ in rows),
    ]
    # Also of few and small pictures the words are readable to their end.
    wide = max(columns * step_x, *(heading.width + GAP for heading in headings)) + GAP
    sheet = Image.new("RGB", (wide, len(rows) * step_y + 2 * LINE + GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    headings[0].write(pen, GAP)
    for number, (_, cells) in enumerate(rows):
        top = 2 * LINE + GAP + number * step_y
        headings[number + 1].write(pen, top)
        for column, cell in enumerate(cells):
            place = (GAP + column * step_x, top + LINE + 2)
            sheet.paste(_picture(cell.image), place)
            words = (place[0], place[1] + height + 1)
            pen.text(words, cell.words, fill=_FAINT, font=small)
    return sheet


@dataclass(frozen=True)
class _Heading:
    """A name, and fainter and smaller what is said of it, on one line."""

    name: str
    more: str
    font: _Font
    small: _Font

    @property
    def width(self) -> int:
        """In pixels."""
        return math.ceil(self._after + self.small.getlength(self.more))

    @property
    def _after(self) -> float:
        return self.font.getlength(self.name) + 2 * GAP

    def write(self, pen: ImageDraw.ImageDraw, top: int) -> None:
        """Write it from the left margin."""
        pen.text((GAP, top), self.name, fill=_INK, font=self.font)
        # Bases of letters of the two sizes stand on one line.
        lower = self.font.getbbox("x")[3] - self.small.getbbox("x")[3]
        if self.more:
            place = (GAP + self._after, top + lower)
            pen.text(place, self.more, fill=_FAINT, font=self.small)


def _strengths(probe: Probe) -> str:
    """What the strengths under the pictures are; and that they are not a scan's, if so."""
    unit = f"strength: {_short(probe.unit)}" if probe.unit else "strength: its unit is not stated"
    return f"{unit}; drawn here, where a scan looks for the worst" if probe.searched else unit


def _short(text: str) -> str:
    """Words from outside, on one line."""
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _picture(image: Tensor) -> Image.Image:
    values = image.mul(255).round().to(torch.uint8).expand(3, -1, -1)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().cpu().numpy())


def pages(out: Path, families: Collection[str]) -> dict[str, Path]:
    """Where each family's page goes: ``sheet.png``, or ``sheet-blur.png`` where there are several.

    Raises:
        UsageError: two families of plugins would have the same page.
    """
    if len(families) == 1:
        return dict.fromkeys(families, out)
    # The family of a plugin may hold what the name of a file cannot.
    words = {family: re.sub(r"[^\w.-]", "_", family) for family in families}
    found = {
        family: out.with_name(f"{out.stem}-{word}{out.suffix}") for family, word in words.items()
    }
    if len(set(found.values())) < len(found):
        raise UsageError(f"the names of some families differ too little: {', '.join(families)}")
    return found
