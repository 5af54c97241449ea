"""Fine-tuning as a whole: train, choose between original and tuned weights, prove, write."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from semaudit.errors import UsageError
from semaudit.files import appearing_file
from semaudit.finetuning import record
from semaudit.finetuning.baselines import Baseline, run_baselines
from semaudit.finetuning.bench import Bench
from semaudit.finetuning.engine import require_accelerate
from semaudit.finetuning.entering import enter, still_kept
from semaudit.finetuning.identity import identity_of
from semaudit.finetuning.idle import refuse_idle
from semaudit.finetuning.interrupting import deferred
from semaudit.finetuning.keeping import LOG, SEARCH, Keeper, Kept, Log
from semaudit.finetuning.opening import open_bench, open_engine, refuse_no_pictures
from semaudit.finetuning.plan import Ended, Tick, Watch
from semaudit.finetuning.proof import audits_settings
from semaudit.finetuning.recipe import Recipe, recipe_of
from semaudit.finetuning.search import Found, found_of, recipe_for, search
from semaudit.finetuning.writing import Desk, Outcome, chosen, write
from semaudit.folder import evidence_of
from semaudit.models import Classifier
from semaudit.opening import Data, Model
from semaudit.plots import require_matplotlib
from semaudit.settings import Resolved, Settings, explicit


@dataclass(frozen=True, repr=False)
class Tuned:
    """What came of fine-tuning.

    Attributes:
        classifier: the smoother one, or the original where nothing improved on it.
        out: the file of its weights; None where the original was kept.
        folder: of the evidence.
        record: what ``finetune.json`` holds.
        main: whether this process is the one that speaks, of several that train together.
    """

    classifier: Classifier
    out: Path | None
    folder: Path
    record: dict[str, Any]
    main: bool = True

    @property
    def improved(self) -> bool:
        """Whether there is a smoother model."""
        return self.out is not None

    @property
    def worse(self) -> list[str]:
        """What is worse on the held-out pictures by more than chance, see `proof.worse`.

        The choice was made on validation, and is not made again here.
        """
        found: list[str] = self.record.get("held_out", {}).get("worse", [])
        return found

    def __repr__(self) -> str:
        return f"<Tuned {self.classifier.name!r}: {self.record['choice']['why']}>"


def finetune(
    model: Model,
    data: Data,
    out: str | Path,
    *,
    force: bool = False,
    resume: bool = False,
    watch: Watch = lambda _: None,
    **settings: Any,
) -> Tuned:
    """Make a model more continuous at nearly the same accuracy, and measure it on other pictures.

    Args:
        model: as of `semaudit.scan`.
        data: as of `semaudit.scan`; labels are needed by some tasks only.
        out: a ``.safetensors`` file; the evidence goes to a folder beside it.
        force: replace what is there.
        resume: go on with a run that was broken off.
        watch: told after every update.
        settings: any field of `semaudit.finetuning.recipe.Recipe`, as ``alpha=10``, or of
            `semaudit.settings.Settings`, as ``seed=1``; ``batch_size`` is that of training.

    Raises:
        SemauditError: see `semaudit.errors`.
    """
    recipe, others = parted(settings)
    names = {"model": model, "data": data}
    shown = {name: str(each) for name, each in names.items() if isinstance(each, (str, Path))}
    resolved = explicit({**shown, **others})
    return run(model, data, resolved, recipe, Path(out), force=force, resume=resume, watch=watch)


def parted(given: Mapping[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """Part what is given into a recipe and settings as of a scan.

    Raises:
        UsageError: a value of the recipe is wrong.
    """
    own = {name: value for name, value in given.items() if name in Recipe.model_fields}
    unknown = {name: given[name] for name in given if name not in Settings.model_fields | own}
    recipe = recipe_of({**own, **unknown})
    return recipe, {name: value for name, value in given.items() if name not in own}


def run(
    model: Model,
    data: Data,
    resolved: Resolved,
    recipe: Recipe,
    out: Path,
    *,
    force: bool,
    resume: bool,
    watch: Watch,
) -> Tuned:
    """Fine-tune under settings whose origins are known."""
    started = time.monotonic()
    require_accelerate()
    require_matplotlib()
    refuse_no_pictures(data, resolved)
    refuse_idle(recipe)
    with ExitStack() as held:
        engine = open_engine(resolved)
        enter(engine, held, out, model, force=force, resume=resume)
        watch(Tick(0, 0, stage="reading pictures"))
        bench = open_bench(model, data, resolved, recipe, engine)
        keeper = Keeper.beside(out, identity_of(bench))
        if force and not resume and bench.engine.main:
            keeper.forget()
        try:
            return _carried_out(bench, keeper, resolved, out, resume, watch, started)
        except BaseException:
            if bench.engine.main and not keeper.holds:
                keeper.forget()  # nothing in it that a run could go on with
            raise


def _carried_out(
    bench: Bench,
    keeper: Keeper,
    resolved: Resolved,
    out: Path,
    resume: bool,
    watch: Watch,
    started: float,
) -> Tuned:
    kept = keeper.load() if resume else None
    bench, found = _searched(bench, keeper, resume, watch)
    ended = _trained(bench, keeper, kept, watch)
    with still_kept(keeper, out):
        watch(Tick(ended.updates, ended.updates, stage="choosing weights"))
        points, choice = bench.sweep(ended.weights, diverged=ended.diverged)
        document = record.record_of(bench, ended, points, choice, time.monotonic() - started)
        document["search"] = None if found is None else asdict(found)
        if kept is not None and kept.done:
            document["notes"].append(
                "training was done before: --resume went on with the choice and the proof"
            )
        others: list[Baseline] = []
        if bench.recipe.baselines:
            others, notes = run_baselines(bench, ended, searched=found is not None, watch=watch)
            document["baselines"] = [each.record(choice.point) for each in others]
            document["notes"] += notes
        classifier = chosen(bench, ended.weights, choice, out.name)
        if bench.engine.main:
            outcome = Outcome(bench, points, choice, classifier, document, others)
            settings = audits_settings(resolved, str(bench.engine.device))
            # Alone: the others do not wait for a proof that may take longer than they would be let.
            write(outcome, Desk(out, keeper.folder, settings, watch))
    improved = choice.point is not None
    return Tuned(
        classifier, out if improved else None, evidence_of(out), document, bench.engine.main
    )


def _searched(
    bench: Bench, keeper: Keeper, resume: bool, watch: Watch
) -> tuple[Bench, Found | None]:
    """The bench with alpha and learning rate found, where they are to be."""
    if bench.recipe.alpha != "auto":
        return bench, None
    path = keeper.folder / SEARCH
    if resume and path.is_file():
        found = _found_before(path)
    else:
        found = search(bench, bench.recipe.auto_time, watch=watch)
        if bench.engine.main:
            keeper.folder.mkdir(parents=True, exist_ok=True)
            with appearing_file(path) as work:
                work.write_text(json.dumps(record.plain(asdict(found))), "utf-8")
    return replace(bench, recipe=recipe_for(bench.recipe, found.best)), found


def _found_before(path: Path) -> Found:
    """The search of a run that was broken off."""
    try:
        return found_of(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is damaged: start afresh with --force") from error


def _trained(bench: Bench, keeper: Keeper, kept: Kept | None, watch: Watch) -> Ended:
    if kept is not None and kept.done:
        return kept.ended
    log = Log(
        keeper.folder / LOG if bench.engine.main else None, 0 if kept is None else kept.updates
    )
    trainer = bench.trainer(bench.recipe, bench.recipe.objective, log, watch=watch, keeper=keeper)
    if kept is not None:
        trainer.restore(kept)
    with deferred() as asked:
        ended = trainer.run(stop=lambda: asked.to_stop)
        trainer.keep(ended)  # also what follows may be broken off
    if asked.to_stop:
        raise KeyboardInterrupt
    return ended
