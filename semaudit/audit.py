"""The scan: from a model and pictures to an audit."""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semaudit import folder, gates, manifest, runtime
from semaudit.asking import ask, selected
from semaudit.battery import open_battery
from semaudit.errors import UsageError
from semaudit.faintness import faint_rungs
from semaudit.inspection import compare_preprocessing, label_warnings, preprocessing_warnings
from semaudit.measure import as_point
from semaudit.metric import Activation, Metric, entropy_bounds
from semaudit.metrics import GATEABLE, View
from semaudit.opening import (
    Data,
    Model,
    load_plugins,
    named,
    open_data,
    open_model,
    refuse_foreign_code,
)
from semaudit.probes import layout_of
from semaudit.report.build import build
from semaudit.report.document import Outcome, Report, Unread, Verdict
from semaudit.report.markdown import to_markdown
from semaudit.settings import DEFAULT, Resolved, explicit
from semaudit.store import IMAGES, PATHS, SAMPLES, Samples
from semaudit.stream import Watch, stream
from semaudit.suiting import refuse_two_strengths, suit
from semaudit.taxonomy import TRANSPORT, open_taxonomy, refuse_limits_without_tree

if TYPE_CHECKING:
    import pandas as pd


def measurable(
    activation: Activation, num_classes: int, *, taxonomy: bool = False, gradients: bool = False
) -> dict[str, Metric]:
    """What can be measured of such outputs, and in which range.

    An embedding has no classes, and transport needs a tree of them.
    """
    known = {
        name: each
        for name, each in GATEABLE.items()
        if (taxonomy or name != TRANSPORT) and (gradients or not each.needs_gradients)
    }
    if activation == "none":
        return {name: metric for name, metric in known.items() if not metric.needs_classes}
    entropy = replace(known["entropy"], bounds=entropy_bounds(activation, num_classes))
    return {**known, entropy.name: entropy}


class _Scratch:
    """A temporary folder that goes, without a ResourceWarning, when nobody holds it any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="semaudit-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True, repr=False)
class Audit:
    """The record of one scan.

    Attributes:
        report: the document that every rendering comes from.
        manifest: what ran, on what, with what.
        folder: where the tables are; deleted with the audit unless ``out`` was given.
    """

    report: Report
    manifest: dict[str, Any]
    folder: Path
    _temporary: _Scratch | None = None

    def __repr__(self) -> str:
        score = "withheld" if self.score is None else f"{self.score:.1f}"
        pictures = f"{self.report.data.pictures} pictures"
        return f"<Audit of {self.report.model.name!r} on {pictures}: score {score}>"

    @property
    def score(self) -> float | None:
        """The continuity score in [0, 100]; None when withheld."""
        return self.report.score.value if self.report.score else None

    @property
    def verdicts(self) -> list[Verdict]:
        """The gates, judged."""
        return self.report.verdicts

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(verdict.outcome is Outcome.PASS for verdict in self.verdicts)

    def summary(self) -> pd.DataFrame:
        """All estimates: metric, statistic, scope, name, value, low, high, n."""
        import pandas as pd

        frame: pd.DataFrame = pd.DataFrame([each.model_dump() for each in self.report.estimates])
        return frame

    def samples(self) -> pd.DataFrame:
        """One row a picture, probe and rung."""
        return _frame(self.folder / SAMPLES)

    def paths(self) -> pd.DataFrame:
        """One row a picture and probe."""
        return _frame(self.folder / PATHS)

    def images(self) -> pd.DataFrame:
        """One row a picture."""
        return _frame(self.folder / IMAGES)


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    frame: pd.DataFrame = pd.read_parquet(path)
    return frame


def scan(
    model: Model,
    data: Data,
    *,
    watch: Watch = lambda _: None,
    **settings: Any,
) -> Audit:
    """Audit a model on pictures.

    Args:
        model: a name, a file, a factory, a live module, or a Classifier: see
            `semaudit.models.load`.
        data: a folder, list, archive or array file; images (n, c, h, w) in [0, 1]; images and
            labels (n,); a source; or None for a smoke test on a few photographs.
        watch: told how far the scan is, after every rung.
        settings: any field of `semaudit.settings.Settings`, as ``seed=1`` or ``fail_on=[...]``.
            Neither the environment nor a configuration file is read.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    return run(model, data, explicit(settings), watch)


def run(model: Model, data: Data, resolved: Resolved, watch: Watch) -> Audit:
    """Audit a model on pictures under settings whose origins are known."""
    started = time.perf_counter()
    settings = resolved.settings
    limits = [gates.parse(text) for text in settings.fail_on]
    refuse_limits_without_tree(limits, settings.taxonomy)
    loaded = load_plugins(settings)
    select = None if resolved.origins["select"] == DEFAULT else settings.select
    chosen = open_battery(settings.battery, selected(settings, select), settings.ignore)
    refuse_two_strengths(chosen, settings)
    battery = chosen.probes
    # Twice: what can be refused before the model and the pictures are opened is refused then.
    gates.bind(limits, GATEABLE, layout_of(battery), True, "softmax")
    if settings.out is not None:
        folder.check_target(settings.out)
    refuse_foreign_code(resolved)
    if data is None and settings.dataset is None and limits:
        raise UsageError(
            "limits need pictures of your own: a smoke test on a few photographs decides nothing; "
            "name them with --data"
        )
    place = runtime.resolve(settings)
    classifier = open_model(model, data, settings, place)
    place = replace(place, amp_dtype=classifier.placement.amp_dtype)
    source = open_data(data, settings, classifier)
    taxonomy = open_taxonomy(settings.taxonomy, classifier, source.class_names)
    logits = classifier.check()
    seen = View(logits.new_empty(0), logits.double().cpu(), None, classifier.activation)
    reference = as_point(seen).numpy()
    metrics = measurable(
        classifier.activation,
        classifier.num_classes,
        taxonomy=taxonomy is not None,
        gradients=settings.gradients,
    )
    battery, notes = suit(battery, classifier, data, settings, place.device, watch)
    asked, more = ask(settings, classifier, battery, taxonomy)
    layout = layout_of(battery)
    bound = gates.bind(limits, metrics, layout, source.labelled, classifier.activation)
    names = source.class_names or classifier.class_names.names
    warnings = preprocessing_warnings(classifier, data, settings)
    compared = compare_preprocessing(classifier, source) if settings.compare_preprocessing else None

    with _destination(settings.out) as (work, temporary):
        streamed = stream(
            classifier,
            battery,
            source,
            seed=settings.seed,
            place=place,
            folder=work,
            layout=layout,
            watch=watch,
            max_unreadable=settings.max_unreadable,
            asked=asked,
        )
        samples = Samples(work, layout)
        notes = (*notes, *faint_rungs(samples))
        if source.labelled and not settings.trust_inputs:
            warnings += label_warnings(samples, classifier, names)
        report = build(
            samples=samples,
            classifier=classifier,
            battery=battery,
            source_name=named(data, settings),
            source=source,
            fingerprint=streamed.fingerprint,
            output_sum=streamed.output_sum,
            reference=reference,
            names=names,
            seed=settings.seed,
            metrics=list(metrics.values()),
            notes=[
                *notes,
                *([] if taxonomy is None else [taxonomy.note]),
                *more,
            ],
            unreadable=[Unread(image=u.where, reason=u.reason) for u in streamed.unreadable],
            unreadable_count=streamed.unreadable_count,
            warnings=warnings,
            doubts=[],
            preprocessing=compared,
            smoke_test=data is None and settings.dataset is None,
        )
        verdicts = gates.judge_report(bound, samples, report)
        report = report.model_copy(update={"verdicts": verdicts})
        document = manifest.build(
            resolved=resolved,
            classifier=classifier,
            battery=battery,
            chosen=chosen,
            plugins=loaded,
            place=place,
            batch_size=streamed.batch_size,
            data=report.data,
            seconds=time.perf_counter() - started,
        )
        if taxonomy is not None:
            document["taxonomy"] = taxonomy.described
        manifest.write(work / folder.MANIFEST, document)
        (work / folder.REPORT).write_text(report.model_dump_json(indent=1) + "\n", "utf-8")
        (work / folder.MARKDOWN).write_text(to_markdown(report), "utf-8")
    return Audit(report, document, settings.out or work, temporary)


@contextmanager
def _destination(
    out: Path | None,
) -> Iterator[tuple[Path, _Scratch | None]]:
    """The folder to write to: the one that becomes ``out``, or one that lives with the audit."""
    if out is None:
        scratch = _Scratch()
        yield scratch.path, scratch
    else:
        with folder.appearing(out) as work:
            yield work, None
