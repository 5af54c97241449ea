"""Walks the worst pictures to their worst cells once more, and writes what is seen there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from semaudit import perturbations
from semaudit.asking import is_quick
from semaudit.findings import worst_pictures
from semaudit.folder import PICTURES
from semaudit.gradients import ClassLogit, Differentiator
from semaudit.gradients.saliency import saliency
from semaudit.images import as_float
from semaudit.inspecting.case import SHOWN, Array
from semaudit.inspecting.pixels import amplified, brightest, pixels
from semaudit.inspecting.sides import host, side_of
from semaudit.look import look
from semaudit.metrics import METRICS, View
from semaudit.opening import SMALL
from semaudit.perturbations import Draw
from semaudit.preparing import Prepared
from semaudit.probes import Probe
from semaudit.report.document import WorstPicture
from semaudit.runtime import Halving
from semaudit.settings import Settings
from semaudit.showcase.encoding import coloured, encoded
from semaudit.showcase.index import INDEX, Answer, File, Index, Kept, Role
from semaudit.showcase.keeper import Keeper
from semaudit.store import Samples

DEFAULT = 12
"""Pictures that are kept of a battery that is not quick."""


@dataclass(frozen=True)
class _Seen:
    """Clean and changed pictures (2, c, h, w) in [0, 1], their view, and saliency (2, h, w)."""

    images: Tensor
    view: View
    maps: Array | None


def count_of(settings: Settings, battery: Sequence[Probe]) -> int:
    """How many pictures are kept."""
    if settings.keep_pictures is not None:
        return settings.keep_pictures
    return 0 if is_quick(battery) else DEFAULT


def write_worst(made: Prepared, samples: Samples, keeper: Keeper, work: Path) -> None:
    """Write the pictures that were held, and their index, into the audit; nothing if none were."""
    held = keeper.held
    found = worst_pictures(
        samples, made.names, METRICS["shift"], METRICS["flip_rate"], keeper.count
    )
    # Rounding to what is stored may make equals of two pictures, of which one was held.
    worst = [each for each in found if each.image in held]
    if not worst:
        return
    folder = work / PICTURES
    folder.mkdir()
    kept = []
    for number, (each, seen) in enumerate(zip(worst, _walk(made, worst, held), strict=True)):
        files, factor = _write(seen, number, folder)
        kept.append(_kept(made, each, seen, files, factor))
    index = Index(pictures=kept, notes=[] if kept[0].files.get("saliency_clean") else [_why(made)])
    (folder / INDEX).write_text(index.model_dump_json(indent=1) + "\n", "utf-8")


def _walk(
    made: Prepared, worst: Sequence[WorstPicture], held: dict[str, Tensor]
) -> Iterator[_Seen]:
    """Clean and changed pictures, in that order, a few at a time."""
    device = made.place.device
    with torch.no_grad():
        images = torch.stack([held[each.image] for each in worst])
        halving = Halving(min(SMALL, made.place.batch_size))

        def part(some: Tensor, span: slice) -> list[_Seen]:
            return _look(made, as_float(some, device), worst[span])

        for _, seen in halving.parts(images, part):
            yield from seen


def _look(made: Prepared, clean: Tensor, worst: Sequence[WorstPicture]) -> list[_Seen]:
    changed = [_changed(made, clean[row : row + 1], each) for row, each in enumerate(worst)]
    images = torch.stack([clean, torch.cat(changed)], 1)
    flat = images.flatten(0, 1)
    differentiator = _differentiator(made)
    if differentiator is None:
        view, maps = look(made.classifier, flat), None
    else:
        of = torch.tensor([each.clean_class for each in worst], device=flat.device)
        seen = differentiator(flat, ClassLogit(of.repeat_interleave(2)))
        view, maps = seen.view, host(saliency(seen.gradients[0]))
    rows = torch.arange(len(flat), device=flat.device).chunk(len(worst))
    return [
        _Seen(images[k].cpu(), view.rows(pair), None if maps is None else maps[2 * k : 2 * k + 2])
        for k, pair in enumerate(rows)
    ]


def _changed(made: Prepared, image: Tensor, worst: WorstPicture) -> Tensor:
    probe = _probe(made, worst.probe)
    draw = Draw.of(made.settings.seed, probe.name, [worst.image], image.device)
    return perturbations.get(probe.perturbation)(image, worst.strength, draw)


def _probe(made: Prepared, name: str) -> Probe:
    return next(each for each in made.battery if each.name == name)


def _differentiator(made: Prepared) -> Differentiator | None:
    """What takes the gradients of the clean class; None where there is none to be had."""
    if made.classifier.activation == "none" or made.asked.samples is None:
        return None
    return None if made.asked.ability is None else made.asked.ability.differentiator


def _why(made: Prepared) -> str:
    if made.classifier.activation == "none":
        return "saliency is left out: an embedding has no class to be salient for"
    if made.asked.samples is None:
        return "saliency is left out: the scan measured no gradients"
    return "saliency is left out: no input gradients can be had of this model"


def _write(seen: _Seen, number: int, folder: Path) -> tuple[dict[Role, File], int]:
    clean, changed = seen.images
    difference, factor = amplified(clean, changed)
    drawn: dict[Role, Array] = {
        "clean": pixels(clean),
        "changed": pixels(changed),
        "difference": pixels(difference),
    }
    if seen.maps is not None:
        top = brightest(seen.maps)
        drawn["saliency_clean"] = coloured(seen.maps[0] / top)
        drawn["saliency_changed"] = coloured(seen.maps[1] / top)
    files: dict[Role, File] = {}
    for role, values in drawn.items():
        files[role], content = encoded(values, number, role)
        (folder / files[role].name).write_bytes(content)
    return files, factor


def _kept(
    made: Prepared, worst: WorstPicture, seen: _Seen, files: dict[Role, File], factor: int
) -> Kept:
    probe = _probe(made, worst.probe)
    clean, changed = (_answer(made, seen.view, row) for row in (0, 1))
    known = worst.label is not None and worst.label < len(made.names)
    return Kept(
        image=worst.image,
        label=worst.label,
        label_name=made.names[worst.label] if worst.label is not None and known else None,
        clean_class=worst.clean_class,
        clean_name=worst.clean_name,
        shift=worst.shift,
        probe=probe.name,
        family=probe.family,
        strength=worst.strength,
        unit=probe.unit,
        cell_shift=worst.cell_shift,
        clean=clean,
        changed=changed,
        difference_factor=factor,
        files=files,
    )


def _answer(made: Prepared, view: View, row: int) -> Answer:
    side = side_of(view, row, 0.0)
    sure = [float(side.probabilities[k]) for k in side.decided[:1]]
    return Answer(
        names=[made.names[k] for k in side.decided[:SHOWN]], probability=sure[0] if sure else None
    )
