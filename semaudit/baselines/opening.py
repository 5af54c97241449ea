"""Opens a baseline, a folder or a small file, and refuses one that nothing can be held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semaudit.baselines.identity import sha256_of
from semaudit.baselines.reading import read_file
from semaudit.comparing.opening import Opened, opened
from semaudit.errors import GateError
from semaudit.gates import Gate
from semaudit.gates.deciding import refuse_undeciding
from semaudit.metric import CHANGES


def open_baseline(path: Path) -> Opened:
    """Open an audit's folder, or the file that `semaudit baseline save` made of one.

    Raises:
        AuditError: it is not there, not finished or damaged.
        GateError: it is of a kind that decides nothing.
    """
    found = read_file(path) if path.is_file() else opened(path)
    refuse_unfit(found)
    return replace(found, sha256=sha256_of(path))


def refuse_unfit(found: Opened) -> None:
    """Refuse an audit that decides nothing as a baseline.

    Raises:
        GateError: says why, and what to do.
    """
    refuse_undeciding(found.report, f"the baseline {found.name}")
    if found.report.degenerate is not None:
        raise GateError(
            f"the baseline {found.name} is of a degenerate model "
            f"({found.report.degenerate}), which is continuous without any merit: name another"
        )


def refuse_unheld(limits: Sequence[Gate], baseline: Opened) -> None:
    """Refuse a limit on what a baseline does not hold.

    Raises:
        GateError: names the limit, and what there is.
    """
    held = {each.name for each in baseline.report.metrics}
    for limit in limits:
        lacking = limit.factor is not None and limit.metric not in held
        if lacking or (limit.metric in CHANGES and "flip_rate" not in held):
            raise GateError(
                f"{limit.text!r}: the baseline {baseline.name} does not hold {limit.metric}; it "
                f"holds {', '.join(sorted(held))}. Name the folder of an audit that measured it, "
                f"or save the file with --metric {limit.metric}"
            )
