"""``semaudit gate``: judge a finished audit again, without the model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.rendering import FORMAT_HELP, Write, present


def gate(
    audit: Annotated[Path, typer.Argument(help="Audit folder, as --out of a scan wrote it.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            help=r"Limit, as 'flip_rate\[noise]<=0.05'; repeatable. Default: the settings', else "
            "those that the audit was made with."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="semaudit.yaml or a TOML file.")] = None,
    accept_inconclusive: Annotated[
        bool | None, typer.Option("--accept-inconclusive", help="Exit 0 for inconclusive gates.")
    ] = None,
    write: Write = None,
    format: Annotated[str | None, typer.Option(help=FORMAT_HELP)] = None,
    exit_zero: Annotated[
        bool | None, typer.Option("--exit-zero", help="Exit 0 for 1 and 4.")
    ] = None,
) -> None:
    """Judge the limits on a finished audit: no model, no pictures, no rerun.

    As table, JSON and Markdown the gates alone are printed; other formats, and all files, hold the
    whole report with the new verdicts.

    Exit codes:
    0 all gates pass
    1 a gate failed
    2 the command line or the configuration is wrong
    3 the audit cannot be read or judged
    4 no gate failed, but something is inconclusive
    """
    from semaudit import gates
    from semaudit.errors import GateError
    from semaudit.folder import REPORT
    from semaudit.gates.judging import recorded_limits
    from semaudit.gates.shipped import recorded_metrics
    from semaudit.report.file import read_report
    from semaudit.report.renderings import check_outputs
    from semaudit.settings import resolve
    from semaudit.store import Samples

    flags = {
        "fail_on": tuple(fail_on) if fail_on else None,
        "accept_inconclusive": accept_inconclusive,
        "format": format,
        "exit_zero": exit_zero,
    }
    settings = resolve(flags, config=config).settings
    check_outputs(write or (), audit, settings.format)
    given = [gates.parse(text) for text in settings.fail_on]
    report = read_report(audit / REPORT)
    if report.data.smoke_test:
        raise GateError(
            f"{audit} is a smoke test on a few photographs, which decides nothing: scan pictures "
            "of your own with --data"
        )
    if report.model.guessed_architecture:
        raise GateError(
            f"the architecture of {report.model.name} was guessed in {audit}, and a guess decides "
            "nothing: scan with --arch, or on labelled pictures"
        )
    limits = given or recorded_limits(report, audit)
    if not limits:
        raise GateError(
            f"there is no limit to judge, and {audit} was made with none: give --fail-on "
            "'flip_rate<=0.05'"
        )
    if not given:
        # Not on standard output, which may be JSON.
        print(f"judged by the limits that {audit} was made with", file=sys.stderr)
    metrics = recorded_metrics(report, [each.metric for each in limits], audit)
    bound = gates.bind(
        limits, metrics, report.layout, report.data.labelled, report.model.activation
    )
    samples = Samples(audit, report.layout)
    samples.check(report.data.pictures)
    verdicts = gates.judge_report(bound, samples, report)
    judged = report.model_copy(update={"verdicts": verdicts})
    present(judged, audit, settings, write or (), gates_only=True)
    raise typer.Exit(
        gates.exit_code(
            verdicts,
            degenerate=report.degenerate is not None,
            accept_inconclusive=settings.accept_inconclusive,
            exit_zero=settings.exit_zero,
        )
    )
