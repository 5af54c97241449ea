"""What a shell completes after some options; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args


def batteries(incomplete: str) -> list[str]:
    """Tags, families and names of the shipped probes, the last of a list with commas."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _starting(last, _probes())]


def metrics(incomplete: str) -> list[str]:
    """Metrics that a limit may speak of."""
    from semaudit.gates.shipped import SHIPPED
    from semaudit.metric import CHANGES

    return _starting(incomplete, (*SHIPPED, *CHANGES))


def formats(incomplete: str) -> list[str]:
    """Renderings."""
    from semaudit.values import Format

    return _starting(incomplete, get_args(Format))


def _starting(text: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in set(names) if name.startswith(text))


def _probes() -> Iterable[str]:
    import yaml

    from semaudit.probedir import probes_dir

    yield from ("quick", "standard", "full", "sequence")
    for path in probes_dir().glob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield document["family"]
        yield from document["probes"]
