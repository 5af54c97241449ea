"""What happens around a scan: settings, progress, Ctrl-C, printing, exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from semaudit.cli.progress import Seen, live
from semaudit.cli.rendering import present
from semaudit.errors import AuditError, UsageError

if TYPE_CHECKING:
    from semaudit.settings import Resolved


def run_scan(flags: Mapping[str, Any], config: Path | None, outs: Sequence[Path]) -> None:
    """Scan under the resolved settings, write ``outs``, print, exit with the verdicts' code."""
    seen = Seen()
    out: Path | None = None
    try:
        from semaudit import gates
        from semaudit.gates.early import refuse_early
        from semaudit.report.renderings import check_outputs
        from semaudit.settings import resolve

        resolved = resolve(flags, config=config)
        say_of_limits(resolved, config)
        settings, out = resolved.settings, resolved.settings.out
        if settings.model is None:
            raise UsageError("which model? semaudit scan MODEL --data DIR")
        check_outputs(outs, out, settings.format)
        refuse_early(resolved)
        with live(seen, shown=not settings.quiet) as watch:
            from semaudit.audit import run

            audit = run(settings.model, settings.data, resolved, watch)
    except KeyboardInterrupt:
        raise AuditError(_interrupted(out, seen)) from None
    present(audit.report, audit.folder, settings, outs, gates_only=settings.quiet)
    raise typer.Exit(
        gates.exit_code(
            audit.verdicts,
            degenerate=audit.report.degenerate is not None,
            accept_inconclusive=settings.accept_inconclusive,
            exit_zero=settings.exit_zero,
        )
    )


def say_of_limits(resolved: Resolved, config: Path | None) -> None:
    """Say on standard error what a job may rest on in vain.

    That is limits of a file that a flag replaces, and those that better models break.
    """
    from semaudit.gates.early import backwards
    from semaudit.report.text import printable
    from semaudit.settings import limits_left_out

    left_out = limits_left_out(resolved, config)
    for said in (*([left_out] if left_out else []), *backwards(resolved.settings.fail_on)):
        print(f"note: {printable(said)}", file=sys.stderr)


def _interrupted(out: Path | None, seen: Seen) -> str:
    from semaudit.folder import partial

    done = f"interrupted after {seen.pictures} of {seen.total or '?'} pictures"
    if out is None or not seen.pictures:
        return f"{done}; nothing was kept"
    return f"{done}; their samples are kept in {partial(out)}, which is no finished audit"
