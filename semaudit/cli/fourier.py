"""``semaudit fourier``: which frequencies a model's answers hang on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semaudit.cli.common import stdout
from semaudit.cli.progress import Seen, live
from semaudit.cli.scan import scan
from semaudit.cli.sharing import takes_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semaudit.fourier import HeatMap

_OWN = ("grid", "spacing", "norm", "out", "quiet", "config")


@takes_over(
    scan,
    panels=(None, "Model", "Pictures", "How it runs"),
    but=("compare_preprocessing", "trust_inputs"),
)
def fourier(
    ctx: typer.Context,
    grid: Annotated[int, typer.Option(help="Frequencies a side, odd; zero in the centre.")] = 15,
    spacing: Annotated[
        int | None,
        typer.Option(
            help="Cycles per picture from one frequency to the next. Default: as many as let the "
            "grid span all that the pictures can show, rounded to whole cycles: 16 at 224 x 224 "
            "with 15 a side."
        ),
    ] = None,
    norm: Annotated[
        float | None,
        typer.Option(
            help="L2 norm of the wave in each channel. Default: an RMS of 7 % of full scale, "
            "which is 15.7 at 224 x 224."
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Picture (.png, .svg, .pdf); .csv and .json go beside it."
        ),
    ] = Path("fourier.png"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    **shared: Any,
) -> None:
    """Map how often the answer changes, and how far it moves, under single waves of light.

    To each picture one Fourier basis wave is added, a frequency at a time, with a random sign for
    each picture and channel, after Yin et al. 2019. Settings of a scan's battery or verdict in a
    configuration file (select, fail_on, ...) have no effect here, which a note says.

    Exit codes:
    0 measured
    2 the command line or the configuration is wrong
    3 the model or the pictures cannot be used
    """
    from semaudit.errors import UsageError
    from semaudit.fourier.files import outputs, write
    from semaudit.plots import require_matplotlib
    from semaudit.settings import resolve

    outputs(out)
    require_matplotlib()
    given = {
        name: value
        for name, value in ctx.params.items()
        if name not in _OWN and value not in (None, [], ())
    }
    resolved = resolve(given, config=shared["config"])
    settings = resolved.settings
    if settings.model is None:
        raise UsageError("which model? semaudit fourier MODEL --data DIR")
    quiet = quiet or settings.quiet
    with live(Seen(), shown=not quiet, cells="waves") as watch:
        from semaudit.fourier import Waves, run

        waves, spanning = Waves(grid, 1 if spacing is None else spacing, norm), spacing is None
        found = run(settings.model, settings.data, resolved, waves, watch, spanning=spanning)
    files = write(found, out)
    if not quiet:
        _print(found, files)


def _print(found: HeatMap, files: Sequence[Path]) -> None:
    from rich.text import Text

    from semaudit.report.text import number, percent, printable

    console = stdout()
    name = found.record["model"]["name"]
    count = found.pictures
    reach, spacing = found.waves.axis[-1], float(found.waves.spacing)
    title = (
        f"{name} on {count:,} picture{'s' * (count != 1)} under {found.shift.size:,} waves, "
        f"{spacing:.3g} cycle{'s' * (spacing != 1)} apart, up to {reach}"
    )
    console.print(Text(printable(title), style="bold"))
    for note in found.notes:
        console.print(Text(printable(f"note: {note}"), style="yellow"))
    for label, values, show in (
        ("flip rate", found.flip_rate, percent),
        ("shift", found.shift, number),
        ("error rate", found.error_rate, percent),
    ):
        if values is None:
            continue
        row, column = divmod(int(values.argmax()), values.shape[1])
        i, j = found.waves.axis[row], found.waves.axis[column]
        worst = f"worst {show(float(values.max()))} at ({i}, {j}) cycles down and across"
        console.print(Text(f"  {label}: mean {show(float(values.mean()))}, {worst}"))
    if found.clean_error is not None:
        console.print(Text(f"  error rate of the clean pictures: {percent(found.clean_error)}"))
    written = ", ".join(str(file) for file in files)
    console.print(Text(printable(f"Written: {written}"), style="dim"))
