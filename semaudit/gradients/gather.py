"""Everything that is measured at clean pictures, as columns; no gradient leaves this file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from semaudit.gradients.ability import Ability
from semaudit.gradients.differentiate import Differentiator
from semaudit.gradients.functionals import ClassLogit
from semaudit.gradients.jacobian import frobenius_by_differences
from semaudit.gradients.measures import MEASURES, Measure
from semaudit.gradients.point import Point, standing, without_graph
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw

Columns = Mapping[str, Tensor]


def at_pictures(
    classifier: Classifier,
    ability: Ability,
    clean: View,
    labels: Tensor | None,
    draw: Draw,
    samples: int,
    measures: Sequence[Measure] | None = None,
) -> dict[str, Tensor]:
    """Measure the slopes at n clean pictures: (n,) by column; NaN where one does not apply.

    Args:
        classifier: what is audited.
        ability: what can be differentiated of it.
        clean: the view of the pictures.
        labels: (n,), -1 for none; or None.
        draw: the random numbers of these pictures.
        samples: how many an estimate takes.
        measures: which ones; None: all.
    """
    wanted = tuple(MEASURES.values()) if measures is None else tuple(measures)
    missing = torch.full_like(clean.logits[:, 0], float("nan"))
    columns = {each.column: missing for measure in wanted for each in measure.columns}
    if ability.differentiator is None:
        found = _without_gradients(classifier, clean, draw, samples)
        return {name: found.get(name, values) for name, values in columns.items()}
    if clean.activation == "none":
        wanted = tuple(m for m in wanted if not any(c.needs_classes for c in m.columns))
    spans = _spans(ability.differentiator, len(clean.images))
    parts = [
        _measured(
            ability.differentiator,
            clean.rows(rows),
            None if labels is None else labels[rows.to(labels.device)],
            draw.subset(rows),
            samples,
            wanted,
        )
        for rows in spans
    ]
    found = {name: torch.cat([part[name] for part in parts]).to(missing) for name in parts[0]}
    return {**columns, **found}


def _spans(differentiator: Differentiator, count: int) -> list[Tensor]:
    """The pictures that go together: all, or each by itself where they are not apart."""
    device = differentiator.classifier.placement.device
    rows = torch.arange(count, device=device)
    return [rows] if differentiator.apart else list(rows.chunk(count))


def _measured(
    differentiator: Differentiator,
    clean: View,
    labels: Tensor | None,
    draw: Draw,
    samples: int,
    measures: Sequence[Measure],
) -> dict[str, Tensor]:
    differentiator = replace(differentiator, apart=True)
    found: dict[str, Tensor] = {}
    with standing(differentiator, clean, labels, draw, samples) as point:
        for each in measures:
            if each.on_graph:
                found.update(each.function(point))
        bare = without_graph(point)
    del point
    for each in measures:
        if not each.on_graph:
            found.update(each.function(bare))
    return found


def _without_gradients(
    classifier: Classifier, clean: View, draw: Draw, samples: int
) -> dict[str, Tensor]:
    nothing = torch.zeros_like(clean.images)
    point = Point(
        differentiator=Differentiator(classifier),
        view=clean,
        logit=ClassLogit(clean.top_class),
        loss=None,
        draw=draw,
        samples=samples,
        gradient=nothing,
        loss_gradient=None,
        margin=clean.logits[:, 0],
        margin_gradient=nothing,
    )
    return {name: v.to(clean.logits) for name, v in frobenius_by_differences(point).items()}
