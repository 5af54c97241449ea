"""The scan: from a model and pictures to an audit."""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semaudit import baselines, folder, manifest
from semaudit.baselines import Pairing
from semaudit.baselines.admitting import admission
from semaudit.comparing.opening import gathered
from semaudit.faintness import equal_rungs, faint_rungs
from semaudit.inspection import label_warnings
from semaudit.opening import Data, Model
from semaudit.preparing import THIS_SCAN, Prepared, prepare
from semaudit.report.build import build
from semaudit.report.document import Outcome, Report, Unread, Verdict
from semaudit.report.flat import to_flat
from semaudit.report.markdown import to_markdown
from semaudit.settings import Resolved, explicit
from semaudit.showcase.keeper import Keeper
from semaudit.showcase.writing import count_of, write_worst
from semaudit.store import IMAGES, PATHS, SAMPLES, Samples
from semaudit.stream import Streamed, Watch, stream
from semaudit.verifying.hashes import FILES, hashes_of

if TYPE_CHECKING:
    import pandas as pd


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
    return run(model, data, explicit({**_nameable(model=model, data=data), **settings}), watch)


def _nameable(**given: Any) -> dict[str, str]:
    """Of the model and the pictures, what the manifest can say and another process open again."""
    return {name: str(each) for name, each in given.items() if isinstance(each, (str, Path))}


def run(model: Model, data: Data, resolved: Resolved, watch: Watch) -> Audit:
    """Audit a model on pictures under settings whose origins are known."""
    started = time.perf_counter()
    settings = resolved.settings
    made = prepare(model, data, resolved, watch)
    keeper = Keeper(count_of(settings, made.battery), made.layout)
    with _destination(settings.out) as (work, temporary):
        streamed = stream(
            made.classifier,
            made.battery,
            made.source,
            seed=settings.seed,
            place=made.place,
            folder=work,
            layout=made.layout,
            watch=watch,
            max_unreadable=settings.max_unreadable,
            asked=made.asked,
            admit=admission(THIS_SCAN, len(made.source), made.baseline),
            keeper=keeper,
        )
        samples = Samples(work, made.layout)
        report = _report(made, samples, streamed)
        write_worst(made, samples, keeper, work)
        seconds = time.perf_counter() - started
        document = manifest.build(made, resolved, streamed.batch_size, report, seconds)
        pairing = _pairing(made, report, samples, document)
        report = baselines.judged(report, made.gates, samples, pairing)
        (work / folder.REPORT).write_text(report.model_dump_json(indent=1) + "\n", "utf-8")
        (work / folder.MARKDOWN).write_text(to_markdown(report), "utf-8")
        (work / folder.METRICS).write_text(to_flat(report), "utf-8")
        # Last: it vouches for every other file.
        document[FILES] = hashes_of(work)
        manifest.write(work / folder.MANIFEST, document)
    return Audit(report, document, settings.out or work, temporary)


def _report(made: Prepared, samples: Samples, streamed: Streamed) -> Report:
    labelled = made.source.labelled and not made.settings.trust_inputs
    more = label_warnings(samples, made.classifier, made.names) if labelled else []
    return build(
        samples=samples,
        classifier=made.classifier,
        battery=made.battery,
        source_name=made.source_name,
        source=made.source,
        fingerprint=streamed.fingerprint,
        output_sum=streamed.output_sum,
        reference=made.reference,
        names=made.names,
        seed=made.settings.seed,
        metrics=list(made.metrics.values()),
        notes=[*made.notes, *faint_rungs(samples), *equal_rungs(samples)],
        unreadable=[Unread(image=u.where, reason=u.reason) for u in streamed.unreadable],
        unreadable_count=streamed.unreadable_count,
        warnings=[*made.warnings, *more],
        doubts=made.doubts,
        preprocessing=made.compared,
        smoke_test=made.smoke_test,
    )


def _pairing(
    made: Prepared, report: Report, samples: Samples, document: Mapping[str, Any]
) -> Pairing | None:
    """The audit beside its baseline, if it has one."""
    if made.baseline is None:
        return None
    now = gathered(THIS_SCAN, report, samples, document)
    return baselines.pair(now, made.baseline, [each.gate for each in made.gates])


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
