"""A few real photographs for a smoke test, where no pictures are given."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from semaudit.errors import UsageError
from semaudit.images.sources.listing import Found
from semaudit.images.sources.origins import FileOrigin

# Colour photographs of which scikit-image's own documentation says that they are in the public
# domain or CC0; others that it ships are drawings, grey, or under less plain terms.
NAMES = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "retina.jpg",
    "rocket.jpg",
)


def find_photographs() -> Found:
    """Find the photographs that an installed scikit-image ships; they have no labels.

    Raises:
        UsageError: it is not installed, or does not ship them.
    """
    spec = importlib.util.find_spec("skimage")  # not imported: that takes a second
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    names = [name for name in NAMES if folder and (folder / name).is_file()]
    if folder is None or not names:
        raise UsageError(
            "there are no pictures: name a folder with --data, or pip install 'semaudit[photos]' "
            "for a smoke test on a few photographs"
        )
    root = str(folder)
    return Found(
        names=names,
        origin=lambda index: FileOrigin(root, names[index]),
        labels=None,
        where="the photographs of scikit-image",
        notes=(
            f"no --data: a smoke test on {len(names)} photographs that scikit-image ships, "
            "not an audit",
        ),
    )


__all__ = ["NAMES", "find_photographs"]
