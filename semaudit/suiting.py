"""The battery, made to suit the model and the pictures at hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from semaudit.applicability import applicable, needs_colour
from semaudit.calibration.equal import at_ssim
from semaudit.calibration.pictures import meter_of
from semaudit.inspection import look_grey
from semaudit.models import Classifier
from semaudit.opening import Data, on_disk, open_data, some
from semaudit.probes import Probe
from semaudit.settings import Settings

MEASURED = 32
"""How many pictures ``--at-ssim`` finds the strengths on."""


def suit(
    battery: Sequence[Probe],
    classifier: Classifier,
    data: Data,
    settings: Settings,
    device: torch.device,
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the probes that mean something here, at equal visibility where asked; and notes.

    Raises:
        ProbeError: none is left but the noise floor.
    """
    channels, *sides = classifier.preprocessing.input_size
    grey = needs_colour(battery) and look_grey(classifier, data, settings)
    kept, notes = applicable(battery, channels, side=min(sides), grey=grey)
    if settings.at_ssim is None:
        return kept, notes
    few = some(settings, MEASURED) if on_disk(data) else settings
    source = open_data(data, few, classifier)
    meter, _ = meter_of(source, MEASURED, settings.seed, device)
    equal, more = at_ssim(kept, settings.at_ssim, meter)
    return equal, (*notes, *more)
