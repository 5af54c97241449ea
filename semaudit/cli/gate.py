"""``semaudit gate``: judge a finished audit again, without the model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.completing import formats, metrics
from semaudit.cli.rendering import FORMAT_HELP, Write, present
from semaudit.cli.run import say_of_limits


def gate(
    audit: Annotated[Path, typer.Argument(help="Audit folder, as --out of a scan wrote it.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            help=r"Limit, as 'flip_rate\[noise]<=0.05'; repeatable. Default: the settings', else "
            "those that the audit was made with.",
            autocompletion=metrics,
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Audit of the same pictures, or its file from `semaudit baseline save`, for "
            "limits as 'flip_rate<=baseline+0.01', 'new_flips<=0.01'."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="semaudit.yaml or a TOML file.")] = None,
    accept_inconclusive: Annotated[
        bool | None, typer.Option("--accept-inconclusive", help="Exit 0 for inconclusive gates.")
    ] = None,
    write: Write = None,
    format: Annotated[str | None, typer.Option(help=FORMAT_HELP, autocompletion=formats)] = None,
    exit_zero: Annotated[
        bool | None, typer.Option("--exit-zero", help="Exit 0 for 1 and 4.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only gates that do not pass.")
    ] = False,
) -> None:
    """Judge the limits on a finished audit: no model, no pictures, no rerun.

    As table, JSON and Markdown the gates alone are printed, with what changed since a baseline;
    other formats, and all files, hold the whole report with the new verdicts. With --quiet, a table
    or Markdown holds only the gates that do not pass, and where all do nothing is printed;
    documents for programs stay whole.

    Exit codes:
    0 all gates pass
    1 a gate failed
    2 the command line or the configuration is wrong
    3 the audit cannot be read or judged
    4 no gate failed, but something is inconclusive
    """
    from semaudit import baselines, gates
    from semaudit.comparing.opening import opened
    from semaudit.errors import GateError
    from semaudit.folder import REPORT
    from semaudit.gates.deciding import refuse_undeciding
    from semaudit.gates.judging import recorded_limits
    from semaudit.gates.shipped import recorded_metrics
    from semaudit.report.file import read_report
    from semaudit.report.renderings import check_outputs
    from semaudit.report.text import printable
    from semaudit.settings import FLAG, resolve
    from semaudit.store import Samples

    flags = {
        "fail_on": tuple(fail_on) if fail_on else None,
        "baseline": baseline,
        "accept_inconclusive": accept_inconclusive,
        "format": format,
        "exit_zero": exit_zero,
    }
    resolved = resolve(flags, config=config)
    settings = resolved.settings
    say_of_limits(resolved, config)
    check_outputs(write or (), audit, settings.format)
    given = [gates.parse(text) for text in settings.fail_on]
    report = read_report(audit / REPORT)
    refuse_undeciding(report, str(audit))
    own = recorded_limits(report, audit)
    limits = given or own
    if not limits:
        raise GateError(
            f"there is no limit to judge, and {audit} was made with none: give --fail-on "
            "'flip_rate<=0.05'"
        )
    left = [each.text for each in own if each not in limits]
    # Not on standard output, which may be JSON.
    if not given and not quiet:
        print(f"judged by the limits that {printable(str(audit))} was made with", file=sys.stderr)
    elif left and resolved.origins["fail_on"] != FLAG:
        said = f"judged by the limits of {resolved.limits_said()}; {audit} was made with others"
        print(f"note: {printable(said)}, not judged: {printable('; '.join(left))}", file=sys.stderr)
    gates.refuse_limits_without_baseline(limits, settings.baseline is not None)
    metrics = recorded_metrics(report, [each.metric for each in limits], audit)
    bound = gates.bind(
        limits, metrics, report.layout, report.data.labelled, report.model.activation
    )
    samples = Samples(audit, report.layout)
    samples.check(report.data.pictures)
    pairing = None
    if settings.baseline is not None:
        held_against = baselines.open_baseline(settings.baseline)
        pairing = baselines.pair(opened(audit), held_against, limits)
    judged = baselines.judged(report, bound, samples, pairing)
    present(judged, audit, settings, write or (), gates_only=True, unsettled_only=quiet)
    raise typer.Exit(
        gates.exit_code(
            judged.verdicts,
            degenerate=report.degenerate is not None,
            accept_inconclusive=settings.accept_inconclusive,
            exit_zero=settings.exit_zero,
        )
    )
