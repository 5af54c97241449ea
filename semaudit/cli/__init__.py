"""The command line: one thin file a command. Nothing here imports torch before it must."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from semaudit.cli import (
    baseline,
    compare,
    config,
    doctor,
    finetune,
    fourier,
    gate,
    init,
    inspect,
    models,
    probes,
    report,
    reproduce,
    scan,
    verify,
)
from semaudit.cli.common import all_printed, discard, flowing, version
from semaudit.errors import AuditError, SemauditError

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Gives Ctrl-C and a closed pipe our exit code; typer's 1 would say that a gate failed."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, up to its last byte of output."""
        try:
            with all_printed():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise AuditError("interrupted") from None


app = typer.Typer(
    name="semaudit",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find out whether an image classifier is semantically continuous: whether changes that "
    "keep a picture's meaning keep the model's answer.",
)
app.callback()(version)
for each in (
    *(scan.scan, gate.gate, report.report, compare.compare, fourier.fourier),
    *(inspect.inspect, finetune.finetune, config.config),
    *(init.init, verify.verify, reproduce.reproduce, doctor.doctor),
):
    app.command(help=flowing(each))(each)
app.add_typer(baseline.app, name="baseline")
app.add_typer(models.app, name="models")
app.add_typer(probes.app, name="probes")


def main() -> None:
    """Run the command line; every foreseen error is a message and an exit code, no traceback."""
    for name in ("stdout", "stderr"):  # closed before we were called, as by 2>&-
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # curves and names must not end an audit
            stream.reconfigure(errors="backslashreplace")
    # A job that is cancelled should tidy up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(prog_name="semaudit")  # also of python -m, whose name no shell completes
    except SemauditError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:  # a full disk, for one
        _fail(str(error))
    except Exception:
        traceback.print_exc()
        _fail("this is a mistake in semaudit; please report it with the lines above")


def _fail(message: str, exit_code: int = SemauditError.exit_code) -> NoReturn:
    from semaudit.report.text import printable

    lines = (printable(line) for line in message.splitlines())
    try:
        print("semaudit: error:", "\n".join(lines), file=sys.stderr, flush=True)
    except OSError:  # nobody reads it, as of 2>&1 | head: the exit code says it
        discard(sys.stderr)
    sys.exit(exit_code)
