"""What happens around a scan: settings, progress, Ctrl-C, printing, exit code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from semaudit.cli.common import print_verdicts, stdout
from semaudit.cli.progress import Seen, live
from semaudit.errors import AuditError, UsageError

if TYPE_CHECKING:
    from semaudit.audit import Audit
    from semaudit.settings import Settings


def run_scan(flags: Mapping[str, Any], config: Path | None) -> None:
    """Scan under the resolved settings, print, and exit with the verdicts' code."""
    seen = Seen()
    out: Path | None = None
    try:
        from semaudit import gates
        from semaudit.settings import resolve

        resolved = resolve(flags, config=config)
        settings, out = resolved.settings, resolved.settings.out
        if settings.model is None:
            raise UsageError("which model? semaudit scan MODEL --data DIR")
        with live(seen, shown=not settings.quiet) as watch:
            from semaudit.audit import run

            audit = run(settings.model, settings.data, resolved, watch)
    except KeyboardInterrupt:
        raise AuditError(_interrupted(out, seen)) from None
    _print(audit, settings)
    raise typer.Exit(
        gates.exit_code(
            audit.verdicts,
            degenerate=audit.report.degenerate is not None,
            accept_inconclusive=settings.accept_inconclusive,
            exit_zero=settings.exit_zero,
        )
    )


def _interrupted(out: Path | None, seen: Seen) -> str:
    from semaudit.folder import partial

    done = f"interrupted after {seen.pictures} of {seen.total or '?'} pictures"
    if out is None or not seen.pictures:
        return f"{done}; nothing was kept"
    return f"{done}; their samples are kept in {partial(out)}, which is no finished audit"


def _print(audit: Audit, settings: Settings) -> None:
    if settings.quiet:
        if audit.verdicts:
            print_verdicts(audit.verdicts, settings.format)
    elif settings.format == "json":
        import json

        # In ASCII, which no terminal's or file's encoding can damage.
        print(json.dumps(audit.report.model_dump(mode="json"), indent=1))
    elif settings.format == "markdown":
        from semaudit.report.markdown import to_markdown

        print(to_markdown(audit.report), end="")
    else:
        from semaudit.report.terminal import print_report

        print_report(
            audit.report, stdout(), out=None if settings.out is None else str(settings.out)
        )
