"""How a picture becomes a classifier's input, in timm's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean

from torch import nn

from semaudit.errors import UsageError, did_you_mean

CROP_MODES = ("center", "squash", "border")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")


@dataclass(frozen=True)
class Preprocessing:
    """What a picture goes through; all but ``mean`` and ``std`` happens before the Classifier.

    Attributes:
        input_size: channels, height, width.
        mean: subtracted, one number a channel, of pictures in [0, 1].
        std: divided by, one number a channel.
        crop_pct: the share of the resized picture that the crop keeps.
        crop_mode: ``center``, ``squash`` or ``border``.
        interpolation: the resampling filter, such as ``bicubic``.
    """

    input_size: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_pct: float
    crop_mode: str
    interpolation: str

    def __str__(self) -> str:
        size = " x ".join(map(str, self.input_size))
        return (
            f"{size}, {self.interpolation}, crop {self.crop_mode} {self.crop_pct:g}, "
            f"mean {_shown(self.mean)}, std {_shown(self.std)}"
        )


@dataclass(frozen=True)
class PreprocessingOverrides:
    """Settings that replace the model's own, named as timm's flags; None keeps the model's.

    Raises:
        UsageError: a value is impossible.
    """

    img_size: int | None = None
    input_size: tuple[int, int, int] | None = None
    crop_pct: float | None = None
    crop_mode: str | None = None
    interpolation: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.img_size is not None and self.img_size < 1:
            raise UsageError(f"img_size is {self.img_size}; give a positive number of pixels")
        if self.input_size is not None and (len(self.input_size) != 3 or min(self.input_size) < 1):
            raise UsageError(f"input_size is {self.input_size}; give channels, height and width")
        if self.img_size is not None and self.input_size is not None:
            raise UsageError("img_size and input_size say the same thing: give one of them")
        if self.crop_pct is not None and not 0 < self.crop_pct <= 1:
            raise UsageError(f"crop_pct is {self.crop_pct}; give a share above 0 and up to 1")
        if self.std is not None and not all(value > 0 for value in self.std):
            raise UsageError(f"std is {self.std}; give positive numbers")
        _one_of("crop_mode", self.crop_mode, CROP_MODES)
        _one_of("interpolation", self.interpolation, INTERPOLATIONS)

    @property
    def spatial_size(self) -> tuple[int, int] | None:
        """Height and width, when overridden."""
        if self.input_size is not None:
            return self.input_size[1:]
        return None if self.img_size is None else (self.img_size, self.img_size)


def input_channels(in_chans: int | None, overrides: PreprocessingOverrides) -> int | None:
    """Return the asked-for number of channels, from either setting, or None.

    Raises:
        UsageError: the two settings disagree.
    """
    declared = overrides.input_size[0] if overrides.input_size is not None else None
    if in_chans is not None and declared is not None and in_chans != declared:
        raise UsageError(f"in_chans is {in_chans} but input_size starts with {declared}; drop one")
    return declared if in_chans is None else in_chans


@dataclass(frozen=True)
class Resolved:
    """Preprocessing, and how it was come by.

    Attributes:
        preprocessing: what pictures go through.
        trained: what the model itself states, when it states mean and std; None when it is not
            known how the model was trained.
        guessed: flags, with the values that were taken for what neither the model nor an override
            states: of the size, the mean or the standard deviation, and with those of the resize.
    """

    preprocessing: Preprocessing
    trained: Preprocessing | None
    guessed: tuple[str, ...]


def preprocessing_of(
    stated: Mapping[str, object],
    overrides: PreprocessingOverrides,
    *,
    channels: int,
    unit: bool,
) -> Resolved:
    """Resolve what a model states of its preprocessing under the overrides.

    Args:
        stated: timm's keys; what is not stated is absent or None.
        overrides: settings that replace the stated ones.
        channels: of the pictures.
        unit: whether a model that states no mean and std takes pictures in [0, 1] as they are;
            else ImageNet's are taken, averaged for another number of channels than 3.

    Raises:
        UsageError: mean or std has neither one value nor one a channel.
    """
    for key, values in (("mean", overrides.mean), ("std", overrides.std)):
        if values is not None and len(values) not in (1, channels):
            raise UsageError(
                f"{key} has {len(values)} values for {channels} channels; give 1 or {channels}"
            )
    known = {key: value for key, value in stated.items() if value is not None}
    defaults: Mapping[str, object] = {"mean": (0.0,), "std": (1.0,)} if unit else {}
    preprocessing = _resolve({**defaults, **known}, overrides, channels)
    own = _resolve(known, PreprocessingOverrides(), channels) if "mean" in known else None
    return Resolved(preprocessing, own, _guessed(known, overrides, preprocessing))


def _resolve(
    stated: Mapping[str, object], overrides: PreprocessingOverrides, channels: int
) -> Preprocessing:
    from timm.data import resolve_data_config  # two seconds, which describing a file can spare

    # timm takes a configuration that is empty for none at all.
    settings = resolve_data_config(
        {**asdict(overrides), "in_chans": channels}, pretrained_cfg={"": None, **stated}
    )
    return Preprocessing(
        input_size=(channels, *settings["input_size"][1:]),
        mean=_per_channel(settings["mean"], channels),
        std=_per_channel(settings["std"], channels),
        crop_pct=float(settings["crop_pct"]),
        crop_mode=settings["crop_mode"],
        interpolation=settings["interpolation"],
    )


def _guessed(
    known: Mapping[str, object], overrides: PreprocessingOverrides, taken: Preprocessing
) -> tuple[str, ...]:
    given = {key for key, value in asdict(overrides).items() if value is not None} | known.keys()
    if "img_size" in given:
        given.add("input_size")
    guessed = [
        f"{_FLAGS[key]} {_shown(getattr(taken, key))}"
        for key in ("input_size", "mean", "std")
        if key not in given
    ]
    if not {"mean", "std"} <= given:
        resize = f"--crop-pct {taken.crop_pct:g}", f"--interpolation {taken.interpolation}"
        guessed += [text for text in resize if text.split()[0][2:].replace("-", "_") not in given]
    return tuple(guessed)


_FLAGS = {"input_size": "--input-size", "mean": "--mean", "std": "--std"}


def _shown(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


def labels_of(config: Mapping[str, object]) -> tuple[str, ...] | None:
    """The names of the classes that came with fine-tuned weights from the hub."""
    labels = config.get("label_names")
    return tuple(map(str, labels)) if isinstance(labels, (list, tuple)) else None


def stated_channels(stated: Mapping[str, object]) -> int | None:
    """The channels that a stated input size starts with."""
    size = stated.get("input_size")
    return int(size[0]) if isinstance(size, (tuple, list)) and len(size) == 3 else None


def timm_config(module: nn.Module) -> Mapping[str, object] | None:
    """Return the settings that timm attaches to its models, or None."""
    config = getattr(module, "pretrained_cfg", None)
    return config if isinstance(config, Mapping) and config else None


def _per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Average statistics that were stated for another number of channels, as timm's loader does."""
    if len(values) == channels:
        return tuple(float(value) for value in values)
    return (fmean(values),) * channels


def _one_of(key: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        hint = did_you_mean(value, allowed)
        raise UsageError(f"unknown {key} {value!r}{hint}; one of: {', '.join(allowed)}")
