"""What a scan needs before it measures: opened, suited to one another, and refused if wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semaudit import folder, gates, runtime
from semaudit.asking import (
    ask,
    doubted,
    effort_of,
    refuse_idle_flags,
    selected,
)
from semaudit.baselines import open_baseline, refuse_unheld
from semaudit.battery import Battery, open_battery
from semaudit.comparing.opening import Opened
from semaudit.comparing.plans import Plan, refuse_other_plan
from semaudit.errors import UsageError
from semaudit.gates import BoundGate, Gate
from semaudit.gates.early import refuse_hopeless
from semaudit.images import ImageSource
from semaudit.inspection import compare_preprocessing, preprocessing_warnings
from semaudit.layout import Layout
from semaudit.measurable import measurable
from semaudit.measure import Asked, as_point
from semaudit.metric import Metric
from semaudit.metrics import GATEABLE, View
from semaudit.models import Classifier
from semaudit.opening import (
    Data,
    Model,
    load_plugins,
    named,
    open_data,
    open_model,
    refuse_foreign_code,
    refuse_missing,
)
from semaudit.plugins import LoadedPlugin
from semaudit.probes import Probe, layout_of
from semaudit.report.build import probed
from semaudit.report.document import Comparison, Doubt
from semaudit.runtime import Runtime
from semaudit.settings import DEFAULT, Resolved, Settings
from semaudit.stream import Watch
from semaudit.suiting import refuse_two_strengths, suit
from semaudit.taxonomy import Taxonomy, open_taxonomy

THIS_SCAN = "this scan"
"""What messages call an audit that is being made."""


@dataclass(frozen=True)
class Prepared:
    """All that a scan rests on.

    Attributes:
        settings: as resolved.
        plugins: what was loaded.
        chosen: the battery that was asked for.
        battery: what of it means something for the pictures.
        place: where it runs.
        classifier: what is audited.
        source: on what.
        source_name: what to call that.
        names: of the classes.
        taxonomy: the tree of classes, if there is one.
        asked: what is measured beside outputs.
        metrics: what is measured, by name.
        gates: the limits, bound to what they speak of.
        reference: (2, g, k) outputs for a grey and a random picture.
        notes: what a reader should know.
        warnings: signs that something around the model is wrong.
        doubts: signs that worst cases and gradients do not tell the truth.
        compared: how much the resize matters, if that was asked for.
        smoke_test: whether the pictures are only a few photographs of ours.
        baseline: what it is held against, if that was named.
    """

    settings: Settings
    plugins: Sequence[LoadedPlugin]
    chosen: Battery
    battery: tuple[Probe, ...]
    place: Runtime
    classifier: Classifier
    source: ImageSource
    source_name: str
    names: Sequence[str]
    taxonomy: Taxonomy | None
    asked: Asked
    metrics: Mapping[str, Metric]
    gates: Sequence[BoundGate]
    reference: NDArray[np.float64]
    notes: tuple[str, ...]
    warnings: Sequence[str]
    doubts: Sequence[Doubt]
    compared: Comparison | None
    smoke_test: bool
    baseline: Opened | None

    @property
    def layout(self) -> Layout:
        """The columns of the samples."""
        return layout_of(self.battery)


def prepare(
    model: Model, data: Data, resolved: Resolved, watch: Watch, *, examined: bool = True
) -> Prepared:
    """Open everything; what can be refused early is.

    Args:
        model: as of `semaudit.scan`.
        data: as of `semaudit.scan`.
        resolved: the settings.
        watch: told how far a search for equal visibility is.
        examined: whether gradients and searches are checked on a few pictures, which takes a while
            and refuses nothing.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    settings = resolved.settings
    smoke_test = data is None and settings.dataset is None
    limits = [gates.parse(text) for text in settings.fail_on]
    plugins = load_plugins(settings)
    chosen = choose(resolved)
    _refuse(limits, resolved, chosen, smoke_test=smoke_test)
    baseline = _baseline(settings, limits)
    refuse_missing(data, settings)
    place = runtime.resolve(settings)
    opened = open_model(model, data, settings, place)
    classifier = opened.folded()
    place = replace(place, amp_dtype=classifier.placement.amp_dtype)
    source = open_data(data, settings, classifier)
    taxonomy = open_taxonomy(settings.taxonomy, opened, source.class_names)
    reference = _reference(classifier)
    metrics = measurable(
        classifier.activation,
        classifier.num_classes,
        taxonomy=taxonomy is not None,
        gradients=settings.gradients,
    )
    battery, notes = suit(chosen.probes, classifier, data, settings, place.device, watch)
    asked, left_out = ask(settings, classifier, battery, taxonomy, effort_of(settings, chosen))
    if baseline is not None:
        refuse_other_plan(_plan(settings, classifier, battery, asked, plugins), baseline.plan)
    bound = gates.bind(limits, metrics, layout_of(battery), source.labelled, classifier.activation)
    return Prepared(
        settings=settings,
        plugins=plugins,
        chosen=chosen,
        battery=battery,
        place=place,
        classifier=classifier,
        source=source,
        source_name=named(data, settings),
        names=source.class_names or classifier.class_names.names,
        taxonomy=taxonomy,
        asked=asked,
        metrics=metrics,
        gates=bound,
        reference=reference,
        notes=(*notes, *([] if taxonomy is None else [taxonomy.note]), *left_out),
        warnings=preprocessing_warnings(classifier, data, settings),
        doubts=doubted(asked, classifier, battery, data, settings) if examined else [],
        compared=compare_preprocessing(classifier, source)
        if settings.compare_preprocessing
        else None,
        smoke_test=smoke_test,
        baseline=baseline,
    )


def _baseline(settings: Settings, limits: Sequence[Gate]) -> Opened | None:
    """Open the baseline and refuse what it cannot serve, before the model is opened."""
    if settings.baseline is None:
        return None
    found = open_baseline(settings.baseline)
    refuse_unheld(limits, found)
    return found


def _plan(
    settings: Settings,
    classifier: Classifier,
    battery: Sequence[Probe],
    asked: Asked,
    plugins: Sequence[LoadedPlugin],
) -> Plan:
    return Plan(
        name=THIS_SCAN,
        activation=classifier.activation,
        num_classes=classifier.num_classes,
        seed=settings.seed,
        battery=[probed(probe) for probe in battery],
        plugins={name: each.sha256 for each in plugins for name in each.perturbations},
        effort=None if asked.hunt is None else asdict(asked.hunt.effort),
    )


def choose(resolved: Resolved) -> Battery:
    """Open the battery that the settings name; plugins are loaded first, by the caller.

    Raises:
        ProbeError: it cannot be read, or an entry names nothing.
        UsageError: the settings do not suit it.
    """
    settings = resolved.settings
    select = None if resolved.origins["select"] == DEFAULT else settings.select
    chosen = open_battery(settings.battery, selected(settings, select), settings.ignore)
    refuse_two_strengths(chosen, settings)
    return chosen


def _refuse(
    limits: Sequence[Gate], resolved: Resolved, chosen: Battery, *, smoke_test: bool
) -> None:
    """Refuse what needs neither model nor pictures to be seen wrong."""
    settings = resolved.settings
    refuse_hopeless(limits, settings, GATEABLE)
    refuse_idle_flags(resolved, chosen.probes)
    # Bound again once the model is there, which has fewer metrics.
    gates.bind(limits, GATEABLE, layout_of(chosen.probes), True, "softmax")
    if settings.out is not None:
        folder.check_target(settings.out)
    refuse_foreign_code(resolved)
    if smoke_test and limits:
        raise UsageError(
            "limits need pictures of your own: a smoke test on a few photographs decides nothing; "
            "name them with --data"
        )


def _reference(classifier: Classifier) -> NDArray[np.float64]:
    logits = classifier.check()
    seen = View(logits.new_empty(0), logits.double().cpu(), None, classifier.activation)
    outputs: NDArray[np.float64] = as_point(seen).numpy()
    return outputs
