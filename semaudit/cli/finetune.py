"""``semaudit finetune``: a model made more continuous, with the evidence."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semaudit.cli.common import all_printed, stdout
from semaudit.cli.options import finetuning as own
from semaudit.cli.scan import scan
from semaudit.cli.sharing import takes_over
from semaudit.cli.watching import is_first_process, live
from semaudit.errors import AuditError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from semaudit.finetuning.tuning import Tuned

_CALLS = ("out", "force", "resume", "quiet", "config")


@takes_over(
    scan,
    panels=(None, "Model", "Pictures", "How it runs", "Battery"),
    but=("compare_preprocessing", "trust_inputs"),
)
def finetune(
    ctx: typer.Context,
    model: own.Model = None,
    data: own.Data = None,
    num_samples: own.NumSamples = None,
    select: own.Select = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="The weights, .safetensors; evidence goes beside them."),
    ] = Path("smoother.safetensors"),
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace what is there, once there is something to replace it with."
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a run that was broken off, with the rest of the command as it was but "
            "for --max-time, --max-accuracy-drop, --baselines and what the audits measure.",
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors, and why the exit code is 1.")
    ] = False,
    task: own.Task = None,
    anchor_weight: own.AnchorWeight = None,
    task_on_changed: own.TaskOnChanged = None,
    alpha: own.Alpha = None,
    distance: own.Distance = None,
    views: own.Views = None,
    detach_clean: own.DetachClean = None,
    perturb: own.Perturb = None,
    generic_reach: own.GenericReach = None,
    worst_radius: own.WorstRadius = None,
    worst_steps: own.WorstSteps = None,
    gradient_penalty: own.GradientPenalty = None,
    turn_penalty: own.TurnPenalty = None,
    opt: own.Opt = None,
    lr: own.Lr = None,
    weight_decay: own.WeightDecay = None,
    momentum: own.Momentum = None,
    layer_decay: own.LayerDecay = None,
    sched: own.Sched = None,
    warmup_epochs: own.WarmupEpochs = None,
    min_lr: own.MinLr = None,
    epochs: own.Epochs = None,
    steps: own.Steps = None,
    max_time: own.MaxTime = None,
    batch_size: own.BatchSize = None,
    grad_accum_steps: own.GradAccumSteps = None,
    clip_grad: own.ClipGrad = None,
    train_bn: own.TrainBn = None,
    model_ema: own.ModelEma = None,
    model_ema_decay: own.ModelEmaDecay = None,
    max_accuracy_drop: own.MaxAccuracyDrop = None,
    val_share: own.ValShare = None,
    held_out: own.HeldOut = None,
    val_draws: own.ValDraws = None,
    auto_time: own.AutoTime = None,
    baselines: own.Baselines = None,
    **shared: Any,
) -> None:
    """Fine-tune a model to be more continuous, and prove it on pictures that it never saw.

    The loss is task + alpha * distance(f(x), f(P(x))). The pictures are split into those for
    training, for choices and for the proof: an audit before and one after, under the battery that
    --select names (standard and adversarial). Limits in a configuration file are those of scans,
    and have no effect here.

    Exit codes:
    0 the new model is more continuous on validation, keeps accuracy, and is worse in nothing by
      more than chance on the held-out pictures, over families of probes that it was not trained
      under, if there are any; whether it is better there by more than chance, the verdict says
    1 nothing improved within --max-accuracy-drop, and the original is kept; or the new model, which
      is written, is worse in something on the held-out pictures by more than chance, or is
      degenerate, or, without labels, has more other answers there than --max-accuracy-drop allows
    2 the command line or the configuration is wrong
    3 the model or the pictures cannot be used, the run was broken off, or nobody read its result
    """
    from semaudit.settings import resolve

    given = {
        name: value
        for name, value in ctx.params.items()
        if name not in _CALLS and value not in (None, [], ())
    }
    try:
        from semaudit.finetuning.tuning import parted, run

        recipe, others = parted(given)
        resolved = resolve(others, config=shared["config"])
        settings = resolved.settings
        if settings.model is None:
            raise UsageError("which model? semaudit finetune MODEL --data DIR")
        quiet = quiet or settings.quiet
        with live(shown=not quiet) as watch:
            tuned = run(
                settings.model, settings.data, resolved, recipe, out,
                force=force, resume=resume, watch=watch,
            )  # fmt: skip
    except KeyboardInterrupt as stopped:
        if not is_first_process():  # which says so
            raise typer.Exit(AuditError.exit_code) from None
        left = f"; {stopped}" if stopped.args else " before any work"
        raise AuditError(f"interrupted{left}") from None
    if not tuned.main:  # a launcher would end the one that still writes where another fails
        raise typer.Exit(0)
    good = tuned.improved and not tuned.worse
    code = 0 if good else 1
    with all_printed(f"; the run is done, with code {code}, and its evidence is in {tuned.folder}"):
        if not quiet:
            _print(tuned, stdout())
        elif not good:
            from rich.console import Console

            _print(tuned, Console(stderr=True, highlight=False), ("red",))
    raise typer.Exit(code)


def _print(tuned: Tuned, console: Console, styles: Collection[str] | None = None) -> None:
    """Print what is to be said, or only what is in some styles."""
    from rich.text import Text

    from semaudit.finetuning.words import told
    from semaudit.report.text import printable

    for line, style in told(tuned.record, str(tuned.folder), str(tuned.out)):
        if styles is None or style in styles:
            # A person's terminal breaks between words; a log's lines stay whole.
            console.print(Text(printable(line), style=style), soft_wrap=not console.is_terminal)
