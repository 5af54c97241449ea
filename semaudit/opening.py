"""Opens what a scan is about: plugins, the model, the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from torch import Tensor, nn

from semaudit import models, plugins
from semaudit.errors import UsageError
from semaudit.images import ImageSource, TensorSource, open_folder
from semaudit.models import Classifier, PreprocessingOverrides
from semaudit.plugins import LoadedPlugin
from semaudit.runtime import Runtime
from semaudit.settings import Settings

Model: TypeAlias = str | Path | nn.Module | Classifier
"""A timm name, a checkpoint file, a live module, or a Classifier."""

Data: TypeAlias = str | Path | Tensor | tuple[Tensor, Tensor] | ImageSource
"""A folder; images (n, c, h, w) in [0, 1]; images and labels (n,); or a source."""


def load_plugins(settings: Settings) -> list[LoadedPlugin]:
    """Load what is installed, then the files that the settings name."""
    return [
        *plugins.load_entry_points(),
        *(plugins.load_plugin(Path(path)) for path in settings.plugin),
    ]


def open_model(model: Model, data: Data, settings: Settings, place: Runtime) -> Classifier:
    """Load the model and put it where it runs.

    A live module does not tell the size of its pictures: pictures in memory do.

    Raises:
        ModelError: it cannot be opened or used.
        UsageError: the settings do not go together.
    """
    fields = PreprocessingOverrides.__dataclass_fields__
    chosen = {name: getattr(settings, name) for name in fields}
    images = data[0] if isinstance(data, tuple) else data
    sized = settings.img_size or settings.input_size or settings.in_chans
    if (
        isinstance(model, nn.Module)
        and isinstance(images, Tensor)
        and images.ndim == 4
        and not sized
    ):
        chosen["input_size"] = tuple(images.shape[1:])
    given = any(setting is not None for setting in chosen.values())
    classifier = models.load(
        model,
        arch=settings.arch,
        num_classes=settings.num_classes,
        in_chans=settings.in_chans,
        overrides=PreprocessingOverrides(**chosen) if given else None,
    )
    return classifier.place(
        place.device,
        amp_dtype=place.amp_dtype,
        channels_last=place.channels_last,
        compile=place.compile,
    )


def open_data(data: Data, settings: Settings, classifier: Classifier) -> ImageSource:
    """Open the pictures as the model takes them.

    Raises:
        ImageError: they cannot be listed or labelled.
        UsageError: the settings do not suit them.
    """
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
