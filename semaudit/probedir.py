"""Where the shipped probes are. Kept apart from what reads them, which brings torch."""

from __future__ import annotations

from pathlib import Path

from semaudit.errors import ProbeError


def probes_dir() -> Path:
    """Return the folder of the shipped probes: in the wheel, or at the root of a checkout."""
    package = Path(__file__).parent
    for folder in (package / "_probes", package.parent / "probes"):
        if folder.is_dir():
            return folder
    raise ProbeError(
        f"no probes found in {package / '_probes'} or {package.parent / 'probes'}: "
        "install semaudit again"
    )
