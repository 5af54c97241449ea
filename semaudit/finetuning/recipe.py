"""What fine-tuning can be told, beside what a scan can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from semaudit.errors import UsageError, did_you_mean
from semaudit.finetuning.distances import Distance
from semaudit.finetuning.generic import REACH
from semaudit.finetuning.loss import Objective
from semaudit.values import Positive, Strings, split

Task = Literal["anchor", "ce", "weighted"]
Sched = Literal["cosine", "tanh", "poly", "constant", "none"]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _number(value: object) -> object:
    """A flag comes as text, and of a union pydantic would say what is wrong with each part."""
    try:
        return float(value) if isinstance(value, str) and value != "auto" else value
    except ValueError:
        return value


def _fraction(value: object) -> object:
    """Radii are told as fractions of full scale, as 4/255."""
    if not isinstance(value, str):
        return value
    over, slash, under = value.partition("/")
    try:
        return float(over) / (float(under) if slash else 1)
    except (ValueError, ZeroDivisionError):
        return value


class Recipe(BaseModel):
    """How a model is fine-tuned; a field's description is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task = Field("anchor", description="what must not be lost: anchor, ce or weighted")
    anchor_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="with weighted: the anchor's share; cross-entropy has the rest"
    )
    task_on_changed: bool = Field(False, description="set the task on changed pictures, too")
    distance: Distance = Field("jsd", description="jsd, kl, prob, logit, cosine or jsd-views")
    alpha: Annotated[Literal["auto"] | NotNegative, BeforeValidator(_number)] = Field(
        5.0, description="weight of the continuity term, or auto"
    )
    views: Positive = Field(1, description="changed forms of each picture in a step")
    detach_clean: bool = Field(False, description="only the changed picture's answer is pulled")
    perturb: Strings = Field(
        ("generic",), description="generic, worst, a battery file, or what --select takes"
    )
    generic_reach: Annotated[
        tuple[NotNegative, NotNegative, NotNegative, NotNegative], BeforeValidator(split)
    ] = Field(REACH, description="of generic: displacement, filter, colours, band noise")
    worst_radius: Annotated[Above, BeforeValidator(_fraction)] = Field(
        4 / 255, description="of worst, in L-infinity, of full scale"
    )
    worst_steps: Positive = Field(3, description="of worst: gradients a picture")
    gradient_penalty: NotNegative = Field(0.0, description="weight of the squared input gradient")
    turn_penalty: NotNegative = Field(0.0, description="weight of the gradient turn")
    train_bn: bool = Field(False, description="let BatchNorm take statistics of the batches")
    opt: str = Field("adamw", description="timm's name of the optimizer")
    lr: Above = Field(1e-4, description="learning rate")
    weight_decay: NotNegative = Field(0.0, description="of the optimizer")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="of optimizers with one")
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="learning rate of each layer, relative to the next"
    )
    sched: Sched = Field("cosine", description="timm's learning rate schedule")
    warmup_epochs: NotNegative = Field(0.0, description="epochs in which the rate rises")
    min_lr: NotNegative = Field(0.0, description="where the schedule ends")
    epochs: Positive = Field(3, description="passes over the training pictures, in whole updates")
    steps: Positive | None = Field(None, description="updates, instead of epochs")
    max_time: Above | None = Field(None, description="seconds after which training ends")
    batch_size: Positive = Field(32, description="pictures in a forward, of all processes")
    grad_accum_steps: Positive = Field(1, description="forwards in an update")
    clip_grad: Above | None = Field(None, description="largest norm of the gradient")
    model_ema: bool = Field(False, description="take the average of the weights along the way")
    model_ema_decay: Annotated[float, Field(gt=0, lt=1)] = Field(0.998, description="of that")
    val_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="share of the pictures for choices"
    )
    held_out: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.25, description="share of the pictures for the proof"
    )
    val_draws: Positive = Field(4, description="changed forms of a picture in validation")
    max_accuracy_drop: NotNegative = Field(0.5, description="percentage points")
    auto_time: Above = Field(600.0, description="seconds that --alpha auto may take")
    baselines: bool = Field(False, description="also plain fine-tuning and augmentation")

    @property
    def objective(self) -> Objective:
        """What a step descends, once alpha is a number."""
        share = {"anchor": 1.0, "ce": 0.0, "weighted": self.anchor_weight}[self.task]
        return Objective(
            alpha=float(self.alpha),
            distance=self.distance,
            cross_entropy=1.0 - share,
            anchor=share,
            gradient=self.gradient_penalty,
            turn=self.turn_penalty,
            detach_clean=self.detach_clean,
            on_changed=self.task_on_changed,
        )


_CHOICES = {"task": Task, "distance": Distance, "sched": Sched}


def recipe_of(given: Mapping[str, Any]) -> Recipe:
    """Check what was given.

    Raises:
        UsageError: an unknown name or a wrong value; names the flag.
    """
    try:
        return Recipe.model_validate(dict(given))
    except ValidationError as error:
        problems: dict[str, list[Mapping[str, Any]]] = {}
        for each in error.errors():
            problems.setdefault(str(each["loc"][0]), []).append(each)
        raise UsageError("\n".join(_say(*each) for each in problems.items())) from error


def _say(name: str, problems: list[Mapping[str, Any]]) -> str:
    if problems[0]["type"] == "extra_forbidden":
        return f"unknown setting {name!r}{did_you_mean(name, Recipe.model_fields)}"
    wrong = ", or ".join(dict.fromkeys(_should(each) for each in problems))
    given = problems[0]["input"]
    if name in _CHOICES:
        choices = get_args(_CHOICES[name])
        # The message names them, and the description would once more.
        return f"--{name}: {given!r} is wrong{did_you_mean(str(given), choices)}: {wrong}"
    about = Recipe.model_fields[name].description
    return f"--{name.replace('_', '-')}: {given!r} is wrong: {wrong} ({about})"


def _should(problem: Mapping[str, Any]) -> str:
    if problem["type"] in ("missing", "too_long"):  # of the one setting that has parts
        return "it should be four numbers, with commas between"
    said = str(problem["msg"]).replace("Input should", "it should")
    return said.removesuffix(", unable to parse string as a number").replace(
        "valid number", "number"
    )
