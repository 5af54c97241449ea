"""The battery, made to suit the model and the pictures at hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from semaudit.applicability import UNSEEN, applicable, needs_colour
from semaudit.battery import Battery
from semaudit.calibration.equal import at_ssim
from semaudit.calibration.pictures import meter_of
from semaudit.colour import look_for_colour
from semaudit.errors import UsageError
from semaudit.models import Classifier
from semaudit.opening import Data, on_disk, open_data, some
from semaudit.probes import Probe
from semaudit.settings import Settings
from semaudit.stream import Progress, Watch

MEASURED = 32
"""How many pictures ``--at-ssim`` finds the strengths on."""


def suit(
    battery: Sequence[Probe],
    classifier: Classifier,
    data: Data,
    settings: Settings,
    device: torch.device,
    watch: Watch = lambda _: None,
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the probes that mean something here, at equal visibility where asked; and notes.

    ``watch`` is told how far the search for equal visibility is, which takes a while.

    Raises:
        ProbeError: none is left but the noise floor.
    """
    channels, *sides = classifier.preprocessing.input_size
    looked = look_for_colour(classifier, data, settings) if needs_colour(battery) else UNSEEN
    kept, notes = applicable(battery, channels, side=min(sides), colour=looked)
    if settings.at_ssim is None:
        return kept, notes
    few = some(settings, MEASURED) if on_disk(data) else settings
    source = open_data(data, few, classifier)
    meter, _ = meter_of(source, MEASURED, settings.seed, device)

    def step(done: int, total: int) -> None:
        watch(Progress(0, 0, done, total, before="measuring visibility"))

    equal, more = at_ssim(kept, settings.at_ssim, meter, step)
    return equal, (*notes, *more)


def refuse_two_strengths(chosen: Battery, settings: Settings) -> None:
    """Refuse a level of visibility for probes whose strengths the battery file states.

    Raises:
        UsageError: naming both.
    """
    stated = [probe.name for probe in chosen.probes if probe.name in chosen.laddered]
    if settings.at_ssim is not None and stated:
        raise UsageError(
            f"--at-ssim {settings.at_ssim:g} and the key 'ladders' of {chosen.file} both say how "
            f"strong {', '.join(stated)} should be: leave one of them out"
        )
