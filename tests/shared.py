"""Names that many test files use; the fixtures are in `conftest.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

REPO = Path(__file__).parents[1]
ARCH = "test_vit"
COLOURS = {"a": (200, 40, 40), "b": (40, 200, 40), "c": (40, 40, 200), "d": (128, 128, 128)}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


def importing(process: Run, words: Sequence[str], among: Sequence[str], **more: str) -> Ended:
    """Run a command; what of ``among`` it imported is the last line: ``imported:`` and names."""
    code = (
        "import sys\n"
        "from semaudit.cli import main\n"
        "sys.argv[0] = 'semaudit'\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        f"    print('imported:', *sorted({set(among)} & sys.modules.keys()))\n"
    )
    return process(*words, program=(sys.executable, "-c", code), **more)


def console_script() -> str:
    return str(Path(sys.executable).with_name("semaudit"))


def paint(folder: Path, each: int = 3) -> Path:
    """Class folders a to d, a colour each, with a texture of its own on every picture."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir()
        for number in range(each):
            pixels = np.clip(colour + rng.normal(0, 40, (6, 6, 3)), 0, 255).astype(np.uint8)
            picture = Image.fromarray(pixels).resize((40, 40), Image.Resampling.BICUBIC)
            picture.save(folder / name / f"{number}.png")
    return folder
