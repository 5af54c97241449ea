"""The scan: from a model and pictures to an audit."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from semaudit import folder, gates, manifest, models, plugins, runtime
from semaudit.errors import UsageError
from semaudit.images import ImageSource, TensorSource, open_folder
from semaudit.layout import Layout, Track
from semaudit.metric import NOISE_FLOOR, SCORE, Metric
from semaudit.metrics import METRICS
from semaudit.models import Classifier, PreprocessingOverrides
from semaudit.plugins import LoadedPlugin
from semaudit.probes import load_probes, select_battery
from semaudit.report.build import build
from semaudit.report.document import Outcome, Report, Verdict
from semaudit.report.markdown import to_markdown
from semaudit.runtime import Runtime
from semaudit.settings import Resolved, Settings, resolve
from semaudit.store import IMAGES, PATHS, SAMPLES, Samples
from semaudit.stream import Watch, stream

if TYPE_CHECKING:
    import pandas as pd

Data = str | Path | Tensor | tuple[Tensor, Tensor] | ImageSource
GATEABLE: Mapping[str, Metric] = {**METRICS, SCORE.name: SCORE, NOISE_FLOOR.name: NOISE_FLOOR}


@dataclass(frozen=True)
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
    _temporary: tempfile.TemporaryDirectory[str] | None = None

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

        return pd.DataFrame([estimate.model_dump() for estimate in self.report.estimates])

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
    model: str | Path | nn.Module | Classifier,
    data: Data,
    *,
    watch: Watch = lambda _: None,
    **settings: Any,
) -> Audit:
    """Audit a model on pictures.

    Args:
        model: a timm name, a checkpoint file, a live module, or a Classifier.
        data: a folder; images (n, c, h, w) in [0, 1]; images and labels (n,); or a source.
        watch: told how far the scan is, after every rung.
        settings: any field of `semaudit.settings.Settings`, as ``seed=1`` or ``fail_on=[...]``.
            Neither the environment nor a configuration file is read.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    return run(model, data, resolve(settings, environment={}, folder=Path("/nonexistent")), watch)


def run(
    model: str | Path | nn.Module | Classifier, data: Data, resolved: Resolved, watch: Watch
) -> Audit:
    """Audit a model on pictures under settings whose origins are known."""
    started = time.perf_counter()
    settings = resolved.settings
    limits = [gates.parse(text) for text in settings.fail_on]
    loaded = _load_plugins(settings)
    battery = select_battery(load_probes(), settings.select, settings.ignore)
    layout = Layout(tuple(Track(probe.name, probe.family, probe.ladder) for probe in battery))
    # Twice: what can be refused before the model and the pictures are opened is refused then.
    gates.bind(limits, GATEABLE, layout, labelled=True)
    if settings.out is not None:
        folder.check_target(settings.out)
    place = runtime.resolve(settings)
    classifier = _open_model(model, settings, place)
    source = _open_data(data, settings, classifier)
    bound = gates.bind(limits, GATEABLE, layout, source.labelled)
    names = source.class_names or classifier.class_names.names

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
        )
        samples = Samples(work, layout)
        report = build(
            samples=samples,
            classifier=classifier,
            battery=battery,
            source_name=str(data) if isinstance(data, (str, Path)) else type(data).__name__,
            source=source,
            fingerprint=streamed.fingerprint,
            output_sum=streamed.output_sum,
            names=names,
            seed=settings.seed,
            metrics=list(GATEABLE.values()),
        )
        report = report.model_copy(
            update={"verdicts": gates.judge(bound, samples, report.degenerate)}
        )
        document = manifest.build(
            resolved=resolved,
            classifier=classifier,
            battery=battery,
            plugins=loaded,
            place=place,
            batch_size=streamed.batch_size,
            data=report.data,
            seconds=time.perf_counter() - started,
        )
        if settings.out is not None:
            manifest.write(work / folder.MANIFEST, document)
            (work / folder.REPORT).write_text(report.model_dump_json(indent=1) + "\n", "utf-8")
            (work / folder.MARKDOWN).write_text(to_markdown(report), "utf-8")
    return Audit(report, document, settings.out or work, temporary)


def _load_plugins(settings: Settings) -> list[LoadedPlugin]:
    return [
        *plugins.load_entry_points(),
        *(plugins.load_plugin(Path(path)) for path in settings.plugin),
    ]


def _open_model(
    model: str | Path | nn.Module | Classifier, settings: Settings, place: Runtime
) -> Classifier:
    fields = PreprocessingOverrides.__dataclass_fields__
    overrides = PreprocessingOverrides(**{name: getattr(settings, name) for name in fields})
    classifier = models.load(
        model,
        arch=settings.arch,
        num_classes=settings.num_classes,
        in_chans=settings.in_chans,
        overrides=None if isinstance(model, Classifier) else overrides,
    ).place(
        place.device,
        amp_dtype=place.amp_dtype,
        channels_last=place.channels_last,
        compile=place.compile,
    )
    classifier.check()
    return classifier


def _open_data(data: Data, settings: Settings, classifier: Classifier) -> ImageSource:
    if isinstance(data, (str, Path)):
        return open_folder(
            Path(data),
            classifier.preprocessing,
            classifier.class_names,
            classifier.num_classes,
            label_pattern=settings.label_pattern,
            ignore_labels=settings.ignore_labels,
            num_samples=settings.num_samples,
            seed=settings.seed,
        )
    if settings.num_samples or settings.label_pattern or settings.ignore_labels:
        raise UsageError(
            "num_samples, label_pattern and ignore_labels go with a folder of pictures"
        )
    if isinstance(data, Tensor):
        return TensorSource(data)
    if isinstance(data, tuple):
        return TensorSource(*data)
    return data


@contextmanager
def _destination(
    out: Path | None,
) -> Iterator[tuple[Path, tempfile.TemporaryDirectory[str] | None]]:
    """The folder to write to: the one that becomes ``out``, or one that lives with the audit."""
    if out is None:
        temporary = tempfile.TemporaryDirectory(prefix="semaudit-")
        yield Path(temporary.name), temporary
    else:
        with folder.appearing(out) as work:
            yield work, None
