"""The command line: one thin file a command. Nothing here imports torch before it must."""

from __future__ import annotations

import sys

import typer

from semaudit.cli import config, gate, scan
from semaudit.cli.common import version
from semaudit.errors import SemauditError

__all__ = ["app", "main"]

app = typer.Typer(
    name="semaudit",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find out whether an image classifier is semantically continuous: whether changes that "
    "keep a picture's meaning keep the model's answer.",
)
app.callback()(version)
app.command(no_args_is_help=False)(scan.scan)
app.command()(gate.gate)
app.command()(config.config)


def main() -> None:
    """Run the command line; every foreseen error is a message and an exit code, no traceback."""
    try:
        app()
    except SemauditError as error:
        print(f"semaudit: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
