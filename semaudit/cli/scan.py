"""``semaudit scan``: audit a model on pictures."""

from __future__ import annotations

import typer

from semaudit.cli.options import battery as battery_options
from semaudit.cli.options import model as model_options
from semaudit.cli.options import pictures, running, verdict
from semaudit.cli.run import run_scan


def scan(
    ctx: typer.Context,
    model: model_options.Model = None,
    data: pictures.Data = None,
    dataset: pictures.Dataset = None,
    split: pictures.Split = None,
    path_column: pictures.PathColumn = None,
    label_column: pictures.LabelColumn = None,
    background: pictures.Background = None,
    class_map: pictures.ClassMap = None,
    label_pattern: pictures.LabelPattern = None,
    ignore_labels: pictures.IgnoreLabels = None,
    num_samples: pictures.NumSamples = None,
    max_unreadable: pictures.MaxUnreadable = None,
    compare_preprocessing: pictures.ComparePreprocessing = None,
    trust_inputs: pictures.TrustInputs = None,
    arch: model_options.Arch = None,
    pretrained: model_options.Pretrained = None,
    model_kwargs: model_options.ModelKwargs = None,
    use_ema: model_options.UseEma = None,
    unsafe_load: model_options.UnsafeLoad = None,
    activation: model_options.Activation = None,
    outputs: model_options.Outputs = None,
    num_classes: model_options.NumClasses = None,
    in_chans: model_options.InChans = None,
    img_size: model_options.ImgSize = None,
    input_size: model_options.InputSize = None,
    crop_pct: model_options.CropPct = None,
    crop_mode: model_options.CropMode = None,
    interpolation: model_options.Interpolation = None,
    mean: model_options.Mean = None,
    std: model_options.Std = None,
    batch_size: running.BatchSize = None,
    device: running.Device = None,
    amp_dtype: running.AmpDtype = None,
    channels_last: running.ChannelsLast = None,
    torchcompile: running.Torchcompile = None,
    workers: running.Workers = None,
    seed: running.Seed = None,
    config: running.Config = None,
    select: battery_options.Select = None,
    ignore: battery_options.Ignore = None,
    battery: battery_options.Battery = None,
    at_ssim: battery_options.AtSsim = None,
    plugin: battery_options.Plugin = None,
    taxonomy: battery_options.Taxonomy = None,
    gradients: battery_options.Gradients = None,
    gradient_samples: battery_options.GradientSamples = None,
    worst_case: battery_options.WorstCase = None,
    worst_objective: battery_options.WorstObjective = None,
    fail_on: verdict.FailOn = None,
    baseline: verdict.Baseline = None,
    accept_inconclusive: verdict.AcceptInconclusive = None,
    exit_zero: verdict.ExitZero = None,
    out: verdict.Out = None,
    write: verdict.Write = None,
    keep_pictures: verdict.KeepPictures = None,
    format: verdict.Format = None,
    quiet: verdict.Quiet = None,
) -> None:
    """Audit a model on pictures: how discontinuous it is, where, and whether it breaks limits.

    Exit codes:
    0 all gates pass
    1 a gate failed
    2 the command line or the configuration is wrong
    3 the audit could not be completed
    4 no gate failed, but something is inconclusive
    """
    given = {name: value for name, value in ctx.params.items() if value not in (None, [], ())}
    for name in ("config", "write"):
        given.pop(name, None)
    run_scan(given, config, write or ())
