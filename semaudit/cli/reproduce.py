"""``semaudit reproduce``: repeat a scan from its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.common import print_lines, require_format
from semaudit.cli.options import again


def reproduce(
    audit: Annotated[Path, typer.Argument(help="Audit folder, as --out of a scan wrote it.")],
    tolerance: Annotated[
        float, typer.Option(help="Share of a figure by which it may be off, up to 0.1.")
    ] = 0.001,
    model: again.Model = None,
    data: again.Data = None,
    arch: again.Arch = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(help="Python file of the scan; it is run.", rich_help_panel=again.PANEL),
    ] = None,
    unsafe_load: again.UnsafeLoad = False,
    device: again.Device = None,
    baseline: again.Baseline = None,
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Repeat a scan from its manifest, and say whether every figure came back.

    Model, pictures and baseline are those that the audit names, and are refused unless the hash of
    the weights, the fingerprint of the pictures and the hash of the baseline are the same. What
    runs code (a factory, a plugin, --unsafe-load) has to be given again. Worst and kept pictures
    are held against the audit's, too. The audit itself is not changed.

    Exit codes:
    0 every figure, verdict and picture came back, to the last bit or within the tolerance
    1 some did not
    2 the command line is wrong, or something has to be given again
    3 the scan cannot be repeated
    """
    require_format(format)
    from semaudit.cli.progress import Seen, live

    with live(Seen(), shown=not quiet) as watch:
        from semaudit.inspecting.reopen import Given
        from semaudit.reproducing import words
        from semaudit.reproducing.again import reproduce

        given = Given(model, data, arch, tuple(plugin or ()), unsafe_load, device, baseline)
        found = reproduce(audit, given=given, tolerance=tolerance, watch=watch)
    print_lines(words.lines(found), words.as_json(found), format)
    raise typer.Exit(found.exit_code)
