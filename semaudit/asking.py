"""What a scan measures beside outputs: made of the settings, once the model is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import torch
from torch import Tensor

from semaudit.battery import Battery
from semaudit.errors import ModelError, UsageError, last_line, out_of_memory
from semaudit.gradients import Ability, survey
from semaudit.images import as_float
from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.measure import Asked
from semaudit.models import Classifier
from semaudit.opening import SMALL, Data, on_disk, open_data, some
from semaudit.probes import Probe, load_probes
from semaudit.report.document import Doubt
from semaudit.settings import FLAG, Resolved, Settings
from semaudit.taxonomy import Taxonomy
from semaudit.worst import CHEAP, FULL, Effort, Hunt
from semaudit.worst.findings import Finding, raised
from semaudit.worst.frames import BALLS
from semaudit.worst.masking import examine

QUICK_SAMPLES, SAMPLES = 2, 4
"""Random projections, directions and draws of an estimate, where the battery is the quick one, and
else: so that slopes at a picture take no longer than its probes."""

EXAMINED = 8
"""Pictures on which gradients and searches are checked."""

FULL_TAG = "full"
"""What selects all that there is, and with it the thorough search."""

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


def refuse_idle_flags(resolved: Resolved, battery: Sequence[Probe]) -> None:
    """Refuse a flag that would have no effect; a file may state settings for other runs, too.

    Args:
        resolved: the settings of the scan.
        battery: all that was chosen.

    Raises:
        UsageError: naming the flag.
    """
    settings, origins = resolved.settings, resolved.origins
    given = [name for name, origin in origins.items() if origin == FLAG]
    searched = [probe for probe in battery if probe.searched]
    if "gradient_samples" in given and not settings.gradients:
        raise UsageError(
            "--gradient-samples would have no effect with --no-gradients: leave one of them out"
        )
    if "worst_case" in given and settings.worst_case and not searched:
        raise UsageError("--worst-case would have no effect: --ignore leaves out what it looks for")
    if "worst_objective" in given and not any(each.perturbation in BALLS for each in searched):
        raise UsageError(
            "--worst-objective would have no effect: no search that climbs is selected; add "
            "--worst-case"
        )


def ask(
    settings: Settings,
    classifier: Classifier,
    battery: Sequence[Probe],
    taxonomy: Taxonomy | None,
    effort: Effort,
) -> tuple[Asked, tuple[str, ...]]:
    """Return what is measured, and notes on what is not.

    Args:
        settings: of the scan.
        classifier: what is audited.
        battery: with what.
        taxonomy: the tree of classes, if there is one.
        effort: of the search for worst cases, if there are any.
    """
    searched = any(probe.searched for probe in battery)
    if not settings.gradients and not searched:
        return Asked(taxonomy), ()
    ability = survey(classifier)
    samples = (settings.gradient_samples or _samples(battery)) if settings.gradients else None
    hunt = Hunt(effort, ability.differentiator) if searched else None
    return Asked(taxonomy, ability, samples, hunt), ability.notes


def is_quick(battery: Sequence[Probe]) -> bool:
    """Whether a battery is so short that what stands beside it must be, too."""
    return sum(len(probe.ladder) for probe in battery) <= QUICK_RUNGS


def _samples(battery: Sequence[Probe]) -> int:
    return QUICK_SAMPLES if is_quick(battery) else SAMPLES


def effort_of(settings: Settings, chosen: Battery) -> Effort:
    """How hard worst cases are looked for: thoroughly where that, or all that there is, is run."""
    full = settings.worst_case or FULL_TAG in chosen.entries
    return (FULL if full else CHEAP).towards(settings.worst_objective)


def doubted(
    asked: Asked,
    classifier: Classifier,
    battery: Sequence[Probe],
    data: Data,
    settings: Settings,
) -> list[Doubt]:
    """Look, on a few pictures, for signs that worst cases and gradients do not tell the truth."""
    if asked.ability is None:
        return []
    found = _examined(asked, asked.ability, classifier, data, settings)
    return [Doubt(**asdict(each)) for each in (*_blind(asked, battery), *found)]


def _blind(asked: Asked, battery: Sequence[Probe]) -> list[Finding]:
    """Balls are too large to be searched by chance; the few parameters of a change are not."""
    balls = [probe.name for probe in battery if probe.perturbation in BALLS]
    if asked.hunt is None or asked.hunt.gradients is not None or not balls:
        return []
    return [raised("searched_without_gradients", f"no gradient led {', '.join(balls)}")]


def _examined(
    asked: Asked, ability: Ability, classifier: Classifier, data: Data, settings: Settings
) -> Sequence[Finding]:
    few = some(settings, EXAMINED) if on_disk(data) else settings
    taken: list[Tensor] = []
    image_ids: list[str] = []
    for batch in open_data(data, few, classifier).batches(SMALL):
        if not len(batch):  # none of these can be read
            continue
        taken.append(as_float(batch.images, classifier.placement.device))
        image_ids += batch.image_ids
        if len(image_ids) >= EXAMINED:
            break
    if not image_ids:  # none can be read, which ends the scan by itself
        return []
    images, effort = torch.cat(taken)[:EXAMINED], asked.hunt.effort if asked.hunt else CHEAP
    count, why = len(images), ""
    while count:  # fewer, where so many do not fit into memory or are not taken by the model
        part, names = images[:count], image_ids[:count]
        try:
            return examine(classifier, ability, part, names, settings.seed, effort)
        except (ModelError, RuntimeError, MemoryError) as error:
            if not (isinstance(error, ModelError) or out_of_memory(error)):
                raise
            why = "out of memory" if out_of_memory(error) else last_line(error)
            count //= 2
    return [raised("checks_failed", why)]
