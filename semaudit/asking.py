"""What a scan measures beside outputs: made of the settings, once the model is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import torch
from torch import Tensor

from semaudit.errors import GateError, ModelError, UsageError, out_of_memory
from semaudit.gates import Gate
from semaudit.gradients import survey
from semaudit.images import as_float
from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.measure import Asked
from semaudit.metrics import GATEABLE
from semaudit.models import Classifier
from semaudit.opening import SMALL, Data, on_disk, open_data, some
from semaudit.probes import Probe, load_probes
from semaudit.report.document import Doubt
from semaudit.settings import DEFAULT, Settings
from semaudit.taxonomy import Taxonomy
from semaudit.worst import CHEAP, FULL, Effort, Hunt
from semaudit.worst.masking import examine

QUICK_SAMPLES, SAMPLES = 2, 4
"""Random projections, directions and draws of an estimate, where the battery is the quick one, and
else: so that slopes at a picture take no longer than its probes."""

EXAMINED = 8
"""Pictures on which gradients and searches are checked."""

QUICK_RUNGS = 20
"""A battery of at most so many rungs is a quick one."""


def selected(settings: Settings, select: Sequence[str] | None) -> tuple[str, ...] | None:
    """What selects the battery: ``--worst-case`` adds the worst cases, unless some are named."""
    given = None if select is None else tuple(select)
    if not settings.worst_case:
        return given
    entries = {entry.strip() for text in given or () for entry in text.split(",")}
    named = {ADVERSARIAL_FAMILY, *(probe.name for probe in load_probes() if probe.searched)}
    return given if entries & named else (*(given or settings.select), ADVERSARIAL_FAMILY)


def refuse_limits_without_gradients(limits: Iterable[Gate], settings: Settings) -> None:
    """Refuse, before any work, a limit on a gradient where none is measured.

    Raises:
        GateError: names the limit.
    """
    for limit in limits:
        metric = GATEABLE.get(limit.metric)
        if metric is not None and metric.needs_gradients and not settings.gradients:
            raise GateError(f"{limit.text!r} needs gradients: leave --no-gradients out")


def refuse_idle_settings(settings: Settings, origins: Mapping[str, str], searched: bool) -> None:
    """Refuse what was given and would have no effect.

    Args:
        settings: of the scan.
        origins: where each setting comes from.
        searched: whether the battery has worst cases.

    Raises:
        UsageError: naming the flag.
    """
    if not settings.gradients and origins["gradient_samples"] != DEFAULT:
        raise UsageError(
            "--gradient-samples would have no effect with --no-gradients: leave one of them out"
        )
    if not searched and origins["worst_objective"] != DEFAULT:
        raise UsageError(
            "--worst-objective would have no effect: no worst case is selected; add --worst-case"
        )


def ask(
    settings: Settings,
    classifier: Classifier,
    battery: Sequence[Probe],
    taxonomy: Taxonomy | None,
) -> tuple[Asked, tuple[str, ...]]:
    """Return what is measured, and notes on what is not."""
    searched = any(probe.searched for probe in battery)
    if not settings.gradients and not searched:
        return Asked(taxonomy), ()
    ability = survey(classifier)
    samples = (settings.gradient_samples or _samples(battery)) if settings.gradients else None
    hunt = Hunt(_effort(settings), ability.differentiator) if searched else None
    return Asked(taxonomy, ability, samples, hunt), ability.notes


def _samples(battery: Sequence[Probe]) -> int:
    rungs = sum(len(probe.ladder) for probe in battery)
    return QUICK_SAMPLES if rungs <= QUICK_RUNGS else SAMPLES


def _effort(settings: Settings) -> Effort:
    full = settings.worst_case or "full" in settings.select
    return (FULL if full else CHEAP).towards(settings.worst_objective)


def doubted(asked: Asked, classifier: Classifier, data: Data, settings: Settings) -> list[Doubt]:
    """Look, on a few pictures, for signs that worst cases and gradients do not tell the truth."""
    if asked.ability is None:
        return []
    few = some(settings, EXAMINED) if on_disk(data) else settings
    taken: list[Tensor] = []
    image_ids: list[str] = []
    for batch in open_data(data, few, classifier).batches(SMALL):
        taken.append(as_float(batch.images, classifier.placement.device))
        image_ids += batch.image_ids
        if len(image_ids) >= EXAMINED:
            break
    if not image_ids:  # none can be read, which ends the scan by itself
        return []
    images, effort = torch.cat(taken)[:EXAMINED], asked.hunt.effort if asked.hunt else CHEAP
    count = len(images)
    while count:  # the scan itself says what does not fit, or does not suit the model
        try:
            found = examine(
                classifier, asked.ability, images[:count], image_ids[:count], settings.seed, effort
            )
        except ModelError:
            return []
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            count //= 2
            continue
        return [Doubt(**asdict(each)) for each in found]
    return []
