"""Fine-tuning as a whole: train, choose between original and tuned weights, prove, write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from semaudit.errors import UsageError
from semaudit.finetuning import record
from semaudit.finetuning.baselines import Baseline, run_baselines
from semaudit.finetuning.bench import Bench
from semaudit.finetuning.choosing import advice_on
from semaudit.finetuning.engine import require_accelerate
from semaudit.finetuning.entering import enter, still_kept
from semaudit.finetuning.identity import changed, free_of, identity_of
from semaudit.finetuning.idle import refuse_idle
from semaudit.finetuning.interrupting import deferred
from semaudit.finetuning.keeping import LOG, SEARCH, Keeper, Kept, Log
from semaudit.finetuning.opening import open_bench, open_engine, refuse_no_pictures
from semaudit.finetuning.optimizing import refuse_unknown
from semaudit.finetuning.plan import Ended, Tick, Watch
from semaudit.finetuning.proof import MEASURING, audits_settings
from semaudit.finetuning.recipe import Recipe, recipe_of
from semaudit.finetuning.search import Found, found_of, recipe_for, search
from semaudit.finetuning.writing import Desk, Outcome, chosen, target_of, write
from semaudit.folder import to_go_on
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
        """What is worse on the held-out pictures by more than chance, see `chance.worse`.

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
        KeyboardInterrupt: it was asked to stop; says what is kept.
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
    refuse_unknown(recipe.opt)
    refuse_idle(recipe)
    with ExitStack() as held:
        engine = open_engine(resolved)
        enter(engine, held, out, model, force=force, resume=resume)
        bench = open_bench(model, data, resolved, recipe, engine, watch)
        audits = audits_settings(resolved, str(engine.device))
        free = free_of(bench, audits.settings)
        keeper = Keeper.beside(out, identity_of(bench), free, resume=resume)
        try:
            return _carried_out(bench, keeper, audits, out, watch, started)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_left(keeper, out)) from None
        finally:
            if engine.main:
                keeper.tidy()


def _left(keeper: Keeper, out: Path) -> str:
    """What an interrupted run leaves, in words."""
    if keeper.holds:
        return f"what was done is kept in {keeper.folder}: {to_go_on(out)} goes on from there"
    if keeper.begun and not keeper.folder.exists():
        return "the run was done, and what came of it is written"
    earlier = f", and {keeper.folder} is as it was" if keeper.holds_any else ""
    return f"nothing of this run is kept{earlier}"


def _carried_out(
    bench: Bench,
    keeper: Keeper,
    audits: Resolved,
    out: Path,
    watch: Watch,
    started: float,
) -> Tuned:
    kept = keeper.load() if keeper.begun else None
    bench, found = _searched(bench, keeper, watch)
    ended = _trained(bench, keeper, kept, watch)
    with still_kept(keeper, out):
        watch(Tick(ended.updates, ended.updates, stage="choosing weights"))
        points, choice = bench.sweep(ended.weights, None if ended.updates else (0.0,))
        document = record.record_of(bench, ended, points, choice, time.monotonic() - started)
        document["search"] = None if found is None else asdict(found)
        searched = found is not None
        document["advice"] = advice_on(choice, diverged=ended.diverged, searched=searched)
        document["audits"] = audits.settings.model_dump(mode="json", include=set(MEASURING))
        if kept is not None:
            document["notes"] += _gone_on(keeper, kept, ended)
        others: list[Baseline] = []
        if bench.recipe.baselines:
            others, notes = run_baselines(bench, ended, searched=searched, watch=watch)
            document["baselines"] = [each.record(choice.point) for each in others]
            document["notes"] += notes
        improved = choice.point is not None
        folder = target_of(out, improved=improved)
        classifier = chosen(bench, ended.weights, choice, out.name)
        if bench.engine.main:
            outcome = Outcome(bench, points, choice, classifier, document, others)
            # Alone: the others do not wait for a proof that may take longer than they would be let.
            write(outcome, Desk(out, keeper.folder, audits, watch))
    return Tuned(classifier, out if improved else None, folder, document, bench.engine.main)


def _gone_on(keeper: Keeper, kept: Kept, ended: Ended) -> Iterator[str]:
    """Notes on a run that was broken off."""
    trained = ended.updates > kept.updates
    where = f"after update {kept.updates}" if trained else "with the choice and the proof"
    yield f"the run was broken off, and --resume went on {where}"
    yield from changed(kept.free, keeper.free)


def _searched(bench: Bench, keeper: Keeper, watch: Watch) -> tuple[Bench, Found | None]:
    """The bench with alpha and learning rate found, where they are to be."""
    if bench.recipe.alpha != "auto":
        return bench, None
    path = keeper.folder / SEARCH
    if keeper.begun and path.is_file():
        found = _found_before(path)
    else:
        found = search(bench, bench.recipe.auto_time, watch=watch)
        if bench.engine.main:
            text = json.dumps(record.plain(asdict(found)))
            keeper.put(SEARCH, lambda path: path.write_text(text, "utf-8"))
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
    main = bench.engine.main
    log = Log(
        keeper.folder / LOG if main else None,
        0 if kept is None else kept.updates,
        held=main and not keeper.begun,
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
