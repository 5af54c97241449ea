"""``semaudit probes calibrate`` and ``preview``: how visible the ladders are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semaudit.cli.common import stdout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from semaudit.calibration import Meter, Proposal
    from semaudit.calibration.record import Calibration
    from semaudit.probes import Probe

_SELECT = Annotated[
    list[str] | None,
    typer.Option(help="Tags, families, probes or globs. Default: all but the sequences."),
]
_SIZE = Annotated[int, typer.Option(min=16, max=1024, help="Height and width, pixels.")]
_PLUGIN = Annotated[
    list[str] | None, typer.Option(help="Python file with a perturbation; it is run.")
]


def calibrate(
    data: Annotated[
        Path | None,
        typer.Option(help="Pictures, as for a scan. Default: a few photographs."),
    ] = None,
    label_pattern: Annotated[
        str | None, typer.Option(help="Only pictures whose names match this.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the pictures on record. Default: --data's.")
    ] = None,
    num_samples: Annotated[int, typer.Option(min=1, help="Pictures to take.")] = 64,
    size: _SIZE = 224,
    seed: Annotated[int, typer.Option(help="Of the draws and samples.")] = 0,
    select: _SELECT = None,
    plugin: _PLUGIN = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="JSON file for all figures.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no table.")] = False,
) -> None:
    """Measure how visible each rung is, and propose ladders at stated visibility.

    The levels are a mean SSIM of 0.98, 0.95, 0.90 and 0.80; where points of the picture move,
    displacements of 0.25, 0.5, 1 and 2 % of the shorter side. No ladder goes beyond its probe's
    limit.

    Exit codes:
    0 measured
    2 the command line or a probe is wrong
    3 the pictures cannot be read
    """
    import torch

    from semaudit.calibration.pictures import meter_of, open_for_calibration
    from semaudit.calibration.record import calibration_of, to_json
    from semaudit.files import appearing_file, check_file

    if out is not None:
        check_file(out)
    battery = _battery(select, plugin)
    source = open_for_calibration(data, size, num_samples, seed, label_pattern)
    meter, fingerprint = meter_of(source, num_samples, seed, torch.device("cpu"))
    battery, notes = _suited(battery, [part.images for part in meter.parts])
    found = _measured(battery, meter, shown=not quiet)
    calibration = calibration_of(
        found,
        data=name or ("photographs of a smoke test" if data is None else data.resolve().name),
        pictures=meter.count,
        size=(size, size),
        fingerprint=fingerprint,
        seed=seed,
    )
    if out is not None:
        with appearing_file(out) as work:
            work.write_text(to_json(calibration), encoding="utf-8")
    if not quiet:
        _print(calibration)
        _print_notes(notes)


def preview(
    picture: Annotated[Path, typer.Argument(help="Picture to change.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="PNG file; of several pages: sheet-blur.png and so on. Its folder is made.",
        ),
    ],
    size: _SIZE = 224,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    select: _SELECT = None,
    plugin: _PLUGIN = None,
) -> None:
    """Show a picture under every probe and rung, with its SSIM: a page a family.

    A page names the picture, and of each probe what its strengths are.

    Exit codes:
    0 written
    2 the command line or a probe is wrong
    3 the picture cannot be read
    """
    from semaudit.errors import UsageError
    from semaudit.files import appearing_file, check_file_below, folders_made
    from semaudit.preview import open_picture, pages, sheets

    if out.suffix.lower() != ".png":
        raise UsageError(
            f"-o {out}: name a PNG file, as sheet.png; other formats add changes of their own"
        )
    battery = _battery(select, plugin)
    image = open_picture(picture, size)
    battery, notes = _suited(battery, [image])
    places = pages(out, dict.fromkeys(probe.family for probe in battery))
    for page in places.values():
        check_file_below(page)
    # Draws are made by text, which the bytes of a name may not be.
    name = picture.name.encode(errors="replace").decode()
    with folders_made(out.parent):
        for family, sheet in sheets(battery, image, name, seed):
            with appearing_file(places[family]) as work:
                sheet.save(work, format="png")
            print(places[family])
    _print_notes(notes)


def _battery(select: list[str] | None, plugin: list[str] | None) -> tuple[Probe, ...]:
    from semaudit.battery import open_battery
    from semaudit.errors import UsageError
    from semaudit.layout import ADVERSARIAL_FAMILY, NOISE_FLOOR_FAMILY
    from semaudit.plugins import load_all

    load_all(plugin or ())
    # The steps of a film are even, and no one sees the worst change: no levels of visibility.
    ignored = () if select else ("sequence", ADVERSARIAL_FAMILY)
    chosen = open_battery(None, select or ("full",), ignored)
    battery = tuple(probe for probe in chosen.probes if probe.family != NOISE_FLOOR_FAMILY)
    if not battery:
        raise UsageError("nothing is chosen but the noise floor, which changes no picture")
    return battery


def _suited(
    battery: Sequence[Probe], images: Sequence[Tensor]
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    from semaudit.applicability import Looked, applicable, count_grey

    _, channels, *sides = images[0].shape
    looked = Looked(sum(map(len, images)), sum(map(count_grey, images)))
    return applicable(battery, channels, side=min(sides), colour=looked)


def _measured(
    battery: Sequence[Probe], meter: Meter, *, shown: bool
) -> list[tuple[Proposal, float]]:
    from rich.console import Console
    from rich.progress import track

    from semaudit.calibration import milliseconds, propose

    probes = track(
        battery,
        "measuring probes",
        console=Console(stderr=True),
        transient=True,
        # Asked of the stream: rich takes FORCE_COLOR, which build servers set, for a terminal.
        disable=not (shown and sys.stderr.isatty()),
    )
    return [(propose(meter, probe), milliseconds(meter, probe)) for probe in probes]


def _print(calibration: Calibration) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from semaudit.report.text import printable

    console = stdout()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("probe", "strength", "SSIM", "RMS", "L∞", "GMSD", "moved", "ms", "proposed"):
        table.add_column(header, justify="left" if header in ("probe", "proposed") else "right")
    for name, each in calibration.probes.items():
        for rung, at in enumerate(each.ladder):
            figures = (at.ssim, at.rms, at.linf, at.gmsd)
            moved = "" if at.displacement is None else f"{at.displacement:.4f}"
            proposed = ", ".join(f"{strength:g}" for strength in each.proposed)
            limited = " (limit)" if each.limited else ""
            first = rung == 0
            table.add_row(
                Text(printable(name)) if first else "",
                f"{at.strength:g}",
                *(f"{figure:.3f}" for figure in figures),
                moved,
                f"{each.milliseconds:.2f}" if first else "",
                f"{proposed}{limited}" if first else "",
            )
    console.print(table)
    (height, width), count = calibration.size, calibration.pictures
    console.print(
        Text(
            f"{count} picture{'s' * (count != 1)} of {height} x {width}, seed {calibration.seed}. "
            "SSIM 1 and GMSD 0: equal. Moved: displacement of the points, fraction of the shorter "
            "side. ms: to change one picture at the last rung, here.",
            style="dim",
        )
    )


def _print_notes(notes: Sequence[str]) -> None:
    from rich.text import Text

    from semaudit.report.text import printable

    for note in notes:
        stdout().print(Text(printable(f"note: {note}"), style="yellow"))
