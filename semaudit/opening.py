"""Opens what a scan is about: plugins, the model, the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor, nn

from semaudit import models, plugins
from semaudit.contest import ENOUGH, UndecidedError, contest
from semaudit.errors import ModelError, UsageError
from semaudit.files import utf8
from semaudit.images import ImageSource, TensorSource, finding, open_pictures
from semaudit.models import BEST, Classifier, PreprocessingOverrides, SeveralFitError
from semaudit.models.assembly import GUESSED_ARCH
from semaudit.models.factory import is_factory
from semaudit.models.transformers_layout import explained
from semaudit.plugins import LoadedPlugin
from semaudit.runtime import Runtime
from semaudit.settings import FLAG, Resolved, Settings

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Model: TypeAlias = str | Path | nn.Module | Classifier
"""A name, a file, a factory, a live module, or a Classifier: see `semaudit.models.load`."""

SMALL = 8
"""Pictures in a forward of what looks at a few: not worth running out of memory for."""

Data: TypeAlias = str | Path | Tensor | tuple[Tensor, Tensor] | ImageSource | None
"""A folder, list, archive or array file; images (n, c, h, w) in [0, 1]; images and labels (n,); a
source; or None for a smoke test on a few photographs."""


def on_disk(data: Data) -> TypeIs[str | Path | None]:
    """Whether the pictures are opened by semaudit; the smoke test's are."""
    return data is None or isinstance(data, (str, Path))


def load_plugins(settings: Settings) -> list[LoadedPlugin]:
    """Load what is installed, then the files that the settings name."""
    return plugins.load_all(settings.plugin)


def open_model(model: Model, data: Data, settings: Settings, place: Runtime) -> Classifier:
    """Load the model and put it where it runs.

    Raises:
        ModelError: it cannot be opened or used.
        UsageError: the settings do not go together.
    """
    if settings.arch == BEST:
        if not isinstance(model, (str, Path)):
            raise UsageError(f"--arch {BEST} goes with a checkpoint file")
        archs = models.candidates(model, use_ema=settings.use_ema, unsafe_load=settings.unsafe_load)
        return _contest(archs, model, data, settings, place)
    try:
        return _open(model, data, settings, place)
    except SeveralFitError as error:
        try:
            return _contest(error.archs, model, data, settings, place)
        except UndecidedError as undecided:
            # A guess must not decide a gate.
            if error.likeliest is None or settings.fail_on:
                raise UsageError(f"{error}\n({undecided})") from None
        return _guessed(error, model, data, settings, place)


def _guessed(
    error: SeveralFitError, model: Model, data: Data, settings: Settings, place: Runtime
) -> Classifier:
    arch, why = error.likeliest or ("", "")
    classifier = _open(model, data, settings.model_copy(update={"arch": arch}), place)
    others = ", ".join(each for each in error.archs if each != arch)
    labels_tell = ", or give labelled pictures" if classifier.activation == "softmax" else ""
    note = (
        f"architecture {arch} is a guess: the tensors fit {others} too, which weights do not tell "
        f"apart, and {why}; name it with --arch{labels_tell}"
    )
    provenance = {**classifier.provenance, GUESSED_ARCH: arch}
    return replace(classifier, notes=(note, *classifier.notes), provenance=provenance)


def _open(model: Model, data: Data, settings: Settings, place: Runtime) -> Classifier:
    classifier = _loaded(model, _overrides(model, data, settings), settings)
    by_torch = classifier.provenance.get("runs_by") != "onnxruntime"
    if not by_torch:
        _refuse_settings_of_torch(classifier, settings)
    return classifier.place(
        place.device,
        amp_dtype=place.amp_dtype if by_torch else None,
        channels_last=place.channels_last,
        compile=place.compile,
    )


def _loaded(
    model: Model, overrides: PreprocessingOverrides | None, settings: Settings
) -> Classifier:
    try:
        return models.load(
            model,
            arch=settings.arch,
            num_classes=settings.num_classes,
            in_chans=settings.in_chans,
            overrides=overrides,
            activation=settings.activation,
            output=settings.outputs,
            pretrained=settings.pretrained,
            model_kwargs=settings.model_kwargs,
            use_ema=settings.use_ema,
            unsafe_load=settings.unsafe_load,
        )
    except (ModelError, UsageError) as error:
        # What a named architecture does not fit may be a file that no architecture does.
        cause = error.__cause__ if isinstance(error, UsageError) else error
        if not (isinstance(cause, ModelError) and isinstance(model, (str, Path))):
            raise
        told = explained(cause, model)
        if told is None:
            raise
        raise told from error


def _refuse_settings_of_torch(classifier: Classifier, settings: Settings) -> None:
    """Refuse settings that onnxruntime would not see."""
    reduced = settings.amp_dtype not in ("auto", "float32")
    flags = {"--amp-dtype": reduced, "--torchcompile": settings.torchcompile}
    if given := [flag for flag, is_given in flags.items() if is_given]:
        raise UsageError(
            f"{' and '.join(given)} would have no effect: {classifier.name} runs through "
            "onnxruntime, in the precision of its file; leave it out"
        )


def _overrides(model: Model, data: Data, settings: Settings) -> PreprocessingOverrides | None:
    """A live module does not tell the size of its pictures: pictures in memory do."""
    fields = PreprocessingOverrides.__dataclass_fields__
    chosen = {name: getattr(settings, name) for name in fields}
    images = data[0] if isinstance(data, tuple) else data
    sized = settings.img_size or settings.input_size or settings.in_chans
    if isinstance(model, nn.Module) and isinstance(images, Tensor) and not sized:
        chosen["input_size"] = tuple(images.shape[1:]) if images.ndim == 4 else None
    given = any(setting is not None for setting in chosen.values())
    return PreprocessingOverrides(**chosen) if given else None


def _contest(
    archs: Sequence[str], model: Model, data: Data, settings: Settings, place: Runtime
) -> Classifier:
    """Open a checkpoint as whichever of the architectures that fit is right most often."""

    def open_one(arch: str) -> Classifier:
        return _open(model, data, settings.model_copy(update={"arch": arch}), place)

    def open_some(classifier: Classifier) -> ImageSource:
        few = some(settings, ENOUGH) if on_disk(data) else settings
        return open_data(data, few, classifier)

    return open_one(archs[0]) if len(archs) == 1 else contest(archs, open_one, open_some, SMALL)


def some(settings: Settings, count: int | None) -> Settings:
    """The settings for at most ``count`` of the pictures that a scan takes."""
    if count is None:
        return settings
    taken = count if settings.num_samples is None else min(count, settings.num_samples)
    return settings.model_copy(update={"num_samples": taken})


def refuse_missing(data: Data, settings: Settings) -> None:
    """Refuse pictures that are not there, before a model is loaded for them.

    Raises:
        ImageError: there is nothing, or it cannot be read.
    """
    if on_disk(data) and data is not None:
        finding.refuse_missing(Path(data), settings.dataset)


def open_data(data: Data, settings: Settings, classifier: Classifier) -> ImageSource:
    """Open the pictures as the model takes them.

    Raises:
        ImageError: they cannot be listed or labelled.
        UsageError: the settings do not suit them.
    """
    if on_disk(data):
        embeds = classifier.activation == "none"
        if embeds and (settings.class_map or settings.label_column):
            raise UsageError(
                f"--class-map and --label-column speak of labels, and {classifier.name} puts out "
                "an embedding, which has no classes: leave them out"
            )
        return open_pictures(
            None if data is None else Path(data),
            classifier.preprocessing,
            classifier.class_names,
            classifier.num_classes,
            dataset=settings.dataset,
            split=settings.split,
            class_map=settings.class_map,
            label_pattern=settings.label_pattern,
            ignore_labels=settings.ignore_labels or embeds,
            num_samples=settings.num_samples,
            seed=settings.seed,
            path_column=settings.path_column,
            label_column=settings.label_column,
            background=settings.background,
        )
    defaults = Settings.model_fields
    given = [name for name in _OF_FILES if getattr(settings, name) != defaults[name].default]
    if given:
        raise UsageError(f"{', '.join(given)} go with pictures on disk, not with those in memory")
    if isinstance(data, Tensor):
        return TensorSource(data)
    if isinstance(data, tuple):
        return TensorSource(*data)
    return data


_OF_FILES = (
    *("dataset", "split", "class_map", "path_column", "label_column", "compare_preprocessing"),
    *("label_pattern", "ignore_labels", "num_samples", "background"),
)


def refuse_foreign_code(resolved: Resolved) -> None:
    """Refuse a factory that only a configuration file names: cloning it must not run code.

    Raises:
        UsageError: naming the place.
    """
    for name in ("model", "arch"):
        spec, origin = getattr(resolved.settings, name), resolved.origins[name]
        if spec is not None and origin != FLAG and is_factory(spec):
            said = f"{name} {spec!r} runs code, and only the command line may ask for that"
            raise UsageError(f"{origin}: {said}")


def named(data: Data, settings: Settings) -> str:
    """What to call the pictures in a report."""
    if on_disk(data):
        parts = (settings.dataset, None if data is None else str(data), settings.split)
        return utf8(" ".join(part for part in parts if part)) or "smoke test"
    return type(data).__name__
