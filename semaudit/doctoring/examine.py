"""Looks at everything, and says what is broken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from semaudit.doctoring import surroundings
from semaudit.doctoring.selfcheck import Known, self_check
from semaudit.doctoring.surroundings import EXTRAS
from semaudit.report.text import number


@dataclass(frozen=True)
class Examined:
    """What was found.

    Attributes:
        versions: None where a package is not installed.
        devices: where a model could run.
        extras: the modules that each lacks.
        hub: whether it answers.
        configuration: what settings there are.
        configuration_holds: whether they can be read.
        disk: what is free.
        answers: figures with their closed forms.
        failed: why the self-check could not run, if so.
    """

    versions: Mapping[str, str | None]
    devices: Sequence[str]
    extras: Mapping[str, Sequence[str]]
    hub: str
    configuration: str
    configuration_holds: bool
    disk: str
    answers: Sequence[Known]
    failed: str | None

    @property
    def broken(self) -> list[str]:
        """What has to be mended before a scan can be believed."""
        said = [f"{name} is not installed" for name, found in self.versions.items() if not found]
        if not self.configuration_holds:
            said.append("the settings here cannot be read")
        said += [f"{each.name} comes out wrong" for each in self.answers if not each.right]
        return [*said, *([] if self.failed is None else [f"the self-check broke: {self.failed}"])]


def examine() -> Examined:
    """Look at everything; takes some seconds."""
    found, holds = surroundings.configuration()
    answers: list[Known] = []
    failed = None
    try:
        answers = self_check()
    except Exception as error:  # whatever breaks here is what is looked for
        failed = f"{type(error).__name__}: {error}"
    return Examined(
        versions=surroundings.versions(),
        devices=surroundings.devices(),
        extras=surroundings.missing_of_extras(),
        hub=surroundings.hub(),
        configuration=found,
        configuration_holds=holds,
        disk=surroundings.room(Path()),
        answers=answers,
        failed=failed,
    )


def lines(found: Examined) -> list[str]:
    """A line a finding; the last ones are the verdict."""
    said = [f"{name:<14}{each or 'NOT INSTALLED'}" for name, each in found.versions.items()]
    said += [f"{'device':<14}{each}" for each in found.devices]
    for extra, missing in found.extras.items():
        state = "installed" if not missing else f"not installed: pip install 'semaudit[{extra}]'"
        said.append(f"{'extra':<14}{extra} ({EXTRAS[extra][1]}): {state}")
    said += [f"{'hub':<14}{found.hub}", f"{'settings':<14}{found.configuration}"]
    said += [f"{'disk':<14}{found.disk}"]
    for each in found.answers:
        right = "right" if each.right else "WRONG"
        pair = f"expected {number(each.expected)}, measured {number(each.measured)}"
        said.append(f"{'self-check':<14}{each.name}: {pair}: {right}")
    return [*said, *([f"broken: {each}" for each in found.broken] or ["Nothing is broken."])]


def as_json(found: Examined) -> dict[str, Any]:
    """The same, fit for JSON."""
    document = asdict(found)
    document["answers"] = [
        {
            **asdict(each),
            "measured": None if math.isnan(each.measured) else each.measured,
            "right": each.right,
        }
        for each in found.answers
    ]
    return {**document, "broken": found.broken}
