"""Settings: flag over environment over file over default, and where each one came from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semaudit.errors import UsageError, did_you_mean
from semaudit.settingsources import config_file, from_environment, from_file
from semaudit.values import Colour, Few, Format, Keywords, Numbers, Positive, Share, Size, Strings

FLAG, DEFAULT = "flag", "default"
RUNS_CODE = {"plugin": "--plugin FILE.py", "unsafe_load": "--unsafe-load"}


class Settings(BaseModel):
    """All that a scan can be told; a field's description is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(None, description="a name, a file, or a factory file.py:function")
    data: Path | None = Field(None, description="pictures: a folder, list, tar or array file")
    dataset: str | None = Field(None, description="timm data set at --data, as torch/cifar10")
    split: str | None = Field(None, description="part of the data, as validation")
    path_column: str | None = Field(None, description="column of a list with the paths")
    label_column: str | None = Field(None, description="column, or JSON key, with the labels")
    background: Colour = Field((255, 255, 255), description="what transparent pictures lie over")
    class_map: Path | None = Field(None, description="file that maps labels to outputs")
    arch: str | None = Field(None, description="architecture of a checkpoint; best tries several")
    pretrained: bool = Field(True, description="a name's pretrained weights, not random ones")
    model_kwargs: Keywords = Field({}, description="key=value for whatever builds the model")
    use_ema: bool = Field(False, description="take a checkpoint's averaged weights")
    unsafe_load: bool = Field(False, description="open a file even where that runs its code")
    activation: Literal["softmax", "sigmoid", "none"] | None = Field(
        None, description="what outputs mean: one class, labels (sigmoid), an embedding (none)"
    )
    outputs: Literal["logits", "probabilities"] | None = Field(
        None, description="what the model puts out, if not as it looks"
    )
    num_classes: Positive | None = Field(None, description="classes, if not as in the weights")
    in_chans: Positive | None = Field(None, description="channels, if not as in the weights")
    img_size: Positive | None = Field(None, description="side of the model's input, pixels")
    input_size: Size | None = Field(None, description="channels, height, width")
    crop_pct: Annotated[float, Field(gt=0)] | None = Field(None, description="centre crop share")
    crop_mode: str | None = Field(None, description="center, squash or border")
    interpolation: str | None = Field(None, description="resize filter, as bicubic")
    mean: Numbers | None = Field(None, description="normalisation mean, by channel")
    std: Numbers | None = Field(None, description="normalisation standard deviation, by channel")
    label_pattern: str | None = Field(None, description="regex whose group is a picture's label")
    ignore_labels: bool = Field(False, description="take the pictures as unlabelled")
    max_unreadable: Share = Field(
        0.01, description="share of pictures that may be unreadable; they are left out"
    )
    compare_preprocessing: bool = Field(
        False, description="compare ways to resize on the clean pictures"
    )
    trust_inputs: bool = Field(
        False, description="do not look for signs of wrong labels or preprocessing"
    )
    num_samples: Positive | None = Field(None, description="pictures to take, class-balanced")
    batch_size: Literal["auto"] | Positive = Field("auto", description="pictures in a forward")
    device: str = Field("auto", description="auto, cuda, cuda:N, mps or cpu")
    amp_dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="precision of the forward: bfloat16 on CUDA, else float32"
    )
    channels_last: bool = Field(True, description="memory layout of images and weights")
    torchcompile: bool = Field(False, description="compile the model")
    workers: Literal["auto"] | Annotated[int, Field(ge=0)] = Field(
        "auto", description="processes that read pictures; 0 reads in the main one"
    )
    seed: int = Field(0, description="of the draws and of --num-samples")
    select: Strings = Field(("standard",), description="tags, families, probes or globs to run")
    ignore: Strings = Field((), description="tags, families, probes or globs to leave out")
    at_ssim: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="every probe at the strength with this mean SSIM, as 0.95"
    )
    battery: Path | None = Field(None, description="YAML file of a battery, to select within")
    taxonomy: str | None = Field(
        None, description="tree of classes that weighs the shift: head, or a YAML or JSON file"
    )
    gradients: bool = Field(True, description="measure how smooth the input gradient is")
    gradient_samples: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None,
        description="random draws in an estimate on gradients; 4, or 2 if it is quick",
    )
    worst_case: bool = Field(
        False, description="look for worst cases of every kind, and thoroughly"
    )
    worst_objective: Literal["jsd", "kl", "margin"] = Field(
        "jsd", description="what the search for a worst case climbs"
    )
    fail_on: Strings = Field((), description="limits, as 'flip_rate[noise]<=0.05'")
    baseline: Path | None = Field(None, description="audit, or its file, that limits speak of")
    accept_inconclusive: bool = Field(False, description="exit 0 for inconclusive gates")
    plugin: Strings = Field((), description="Python files with probes or metrics; they are run")
    out: Path | None = Field(None, description="folder for the audit")
    keep_pictures: Few | None = Field(None, description="worst pictures to keep; 12, quick: none")
    format: Format = Field("table", description="what to print")
    quiet: bool = Field(False, description="print verdicts and errors only")
    exit_zero: bool = Field(False, description="exit 0 even if a gate fails")


@dataclass(frozen=True)
class Resolved:
    """Settings together with the origin of each: a flag, a variable, a file's line, a default."""

    settings: Settings
    origins: dict[str, str]

    def limits_said(self) -> str:
        """Where the limits come from, in words."""
        origin = self.origins["fail_on"]
        return "--fail-on" if origin == FLAG else origin


def limits_left_out(resolved: Resolved, config: Path | None) -> str | None:
    """What to say where the limits of the settings replace weaker ones, which no gate then judges.

    Args:
        resolved: the settings that hold.
        config: as it was given to `resolve`.
    """
    if resolved.origins["fail_on"] != FLAG:
        return None
    weaker = resolve(config=config)
    left = [each for each in weaker.settings.fail_on if each not in resolved.settings.fail_on]
    if not left:
        return None
    return f"--fail-on replaces the limits of {weaker.limits_said()}; not judged: {'; '.join(left)}"


def resolve(
    flags: Mapping[str, Any] | None = None,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Resolved:
    """Merge all sources.

    Args:
        flags: settings given on the command line; those that are None are not given.
        config: a YAML or TOML file; by default ``semaudit.yaml`` or else ``pyproject.toml``.
        environment: by default the process's.
        folder: where to look for the default files, by default the working directory.

    Raises:
        UsageError: an unknown key or a wrong value; names the place and the nearest key.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, DEFAULT)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    for source, places in (
        from_file(config_file(config, environment, folder or Path())),
        from_environment(environment),
        (given, dict.fromkeys(given, FLAG)),
    ):
        for name, flag in RUNS_CODE.items():
            if places.get(name, FLAG) != FLAG:
                raise UsageError(
                    f"{places[name]}: {name!r} runs code, and only the command line may ask for "
                    f"that: {flag}"
                )
        values.update(source)
        origins.update(places)
    return Resolved(_validated(values, origins), origins)


def explicit(settings: Mapping[str, Any]) -> Resolved:
    """Take settings from Python alone; neither the environment nor a file is read.

    Raises:
        UsageError: an unknown setting or a wrong value.
    """
    given = dict.fromkeys(settings, FLAG)
    origins = {**dict.fromkeys(Settings.model_fields, DEFAULT), **given}
    return Resolved(_validated(dict(settings), origins), origins)


def _validated(values: dict[str, Any], origins: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problems: dict[str, list[Mapping[str, Any]]] = {}
        for each in error.errors():
            problems.setdefault(str(each["loc"][0]), []).append(each)
        said = (_say(field, each, origins) for field, each in problems.items())
        raise UsageError("\n".join(said)) from error


def _say(field: str, problems: Sequence[Mapping[str, Any]], origins: Mapping[str, str]) -> str:
    """One line on one field; of a field of several types there is a problem with each."""
    origin = origins.get(field, FLAG)
    if problems[0]["type"] == "extra_forbidden":
        return f"{origin}: unknown setting {field!r}{did_you_mean(field, Settings.model_fields)}"
    where = f"--{field.replace('_', '-')}" if origin == FLAG else f"{origin}: {field}"
    messages = (str(each["msg"]).replace("Input should", "it should") for each in problems)
    wrong = ", or ".join(dict.fromkeys(messages))
    about = Settings.model_fields[field].description
    return f"{where}: {problems[0]['input']!r} is wrong: {wrong} ({about})"
