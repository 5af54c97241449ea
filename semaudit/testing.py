"""A continuity check as a test asserts it; for pytest and any other runner."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from semaudit.errors import SemauditError, UsageError, did_you_mean
from semaudit.metric import CHANGES

if TYPE_CHECKING:  # they bring torch, and a test session must not start with it
    from semaudit.audit import Audit
    from semaudit.opening import Data, Model
    from semaudit.report.document import Report

AT_LEAST = frozenset(
    ("accuracy", "score", "boundary_l2", "boundary_linf", "gradient_snr", "loss_gradient_snr")
)
"""Metrics of which more is better; of all others that can be limited by name less is."""

EITHER = frozenset(("confidence", "entropy", "logit_norm", "ssim", "input_rms", "input_linf"))
"""Metrics of which neither is: ``fail_on`` says which way they are limited."""

WORST = 5
_WIDTH = 100


def assert_continuous(
    model: Model,
    data: Data,
    *,
    fail_on: Sequence[str] = (),
    accept_inconclusive: bool = False,
    **limits: Any,
) -> Audit:
    """Scan a model, and fail with a table of what broke unless it keeps every limit.

    Args:
        model: as `semaudit.scan` takes it; a live module stays as it is.
        data: a folder, images (n, c, h, w) in [0, 1], or images and labels; arrays do too.
        fail_on: limits as on the command line, as ``shift.p95[noise]<=0.2``.
        accept_inconclusive: whether pictures that are too few to decide a limit will do.
        limits: a metric with its limit, as ``flip_rate=0.05`` (at most) or ``accuracy=0.7`` (at
            least); and settings of the scan, as ``select="quick"`` or ``seed=1``. With
            ``baseline=``, an audit of the same pictures or the file of one, there is also
            ``new_flips=0.01`` and ``shift="baseline+0.01"``.

    Raises:
        AssertionError: a limit is broken, or not decided.
        UsageError: there is no limit, or a name is neither a metric nor a setting.
        SemauditError: the scan could not be completed.
    """
    __tracebackhide__ = True
    from semaudit import gates

    try:
        given = {**limits, "accept_inconclusive": accept_inconclusive}
        audit = _audited(model, data, fail_on, given)
    except SemauditError as error:  # what is wrong is said, and where is the test, not in here
        raise error.with_traceback(None) from error.__cause__
    code = gates.exit_code(
        audit.verdicts,
        degenerate=audit.report.degenerate is not None,
        accept_inconclusive=accept_inconclusive,
        exit_zero=False,
    )
    if code:
        raise AssertionError(what_broke(audit.report, code))
    return audit


def _audited(model: Model, data: Data, fail_on: Sequence[str], given: Mapping[str, Any]) -> Audit:
    from semaudit import gates
    from semaudit.audit import scan

    wanted, settings = _parted(given)
    wanted += [fail_on] if isinstance(fail_on, str) else fail_on
    if not wanted:
        raise UsageError("there is no limit to keep: give one, as flip_rate=0.05")
    lacking = [each.text for each in map(gates.parse, wanted) if each.needs_baseline]
    if lacking and settings.get("baseline") is None:
        raise UsageError(
            f"{lacking[0]} needs baseline=: the folder of an audit of the same pictures, or the "
            "file that `semaudit baseline save` made of it"
        )
    return scan(model, _tensors(data), fail_on=wanted, **settings)


def _parted(given: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The limits, and the settings of the scan."""
    from semaudit.gates.shipped import SHIPPED
    from semaudit.settings import Settings

    if "exit_zero" in given:
        raise UsageError("exit_zero would let every limit be broken: leave the assertion out")
    limits, settings = [], {}
    for name, value in given.items():
        if name in EITHER:
            raise UsageError(f"{name} may be limited either way: fail_on=['{name}>={value}']")
        if name in SHIPPED or name in CHANGES:
            limits.append(f"{name}{'>=' if name in AT_LEAST else '<='}{value}")
        elif name in Settings.model_fields:
            settings[name] = value
        else:
            near = did_you_mean(name, [*SHIPPED, *CHANGES, *Settings.model_fields])
            raise UsageError(f"{name!r} is neither a metric nor a setting of a scan{near}")
    return limits, settings


def _tensors(data: Any) -> Any:
    """Arrays as the tensors that a scan takes; anything else as it is."""
    import numpy as np
    import torch

    if isinstance(data, tuple):
        return tuple(_tensors(each) for each in data)
    return torch.as_tensor(data) if isinstance(data, np.ndarray) else data


def what_broke(report: Report, code: int) -> str:
    """The verdicts, the worst probes and the worst pictures, as plain text.

    Args:
        report: of the audit.
        code: how `semaudit scan` would have ended.
    """
    from rich.console import Console

    from semaudit.report import text
    from semaudit.report.terminal import make_table

    said = {
        1: "is not continuous enough",
        4: "could not be shown to keep its limits: these pictures do not decide them, and "
        "accept_inconclusive=True lets that pass",
    }.get(code, "cannot be judged")
    seen = io.StringIO()
    # Plain text: what stands in a log, a file or a CI job has no use for colours.
    console = Console(file=seen, width=_WIDTH, color_system=None, highlight=False, markup=False)
    console.print(text.printable(f"{text.subject(report)} {said}"), soft_wrap=True)
    if report.degenerate is not None:
        console.print(text.printable(f"degenerate model: {report.degenerate}"), soft_wrap=True)
    for title, headers, rows in (
        ("Limits", *text.verdict_table(report.verdicts)),
        ("Worst probes", text.probe_headers(report), text.probe_rows(report)[:WORST]),
        ("Worst pictures", text.WORST_HEADERS, text.worst_rows(report, WORST)),
    ):
        if rows:
            console.print(make_table(title, headers, rows))
    return "\n".join(line.rstrip() for line in seen.getvalue().splitlines()).rstrip()
