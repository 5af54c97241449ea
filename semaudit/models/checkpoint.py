"""Weights from a file, into the architecture that they are of. No file's code is ever run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from torch import nn

from semaudit.errors import ModelError, UsageError
from semaudit.files import file_sha256
from semaudit.models.construction import believable_arguments, construct
from semaudit.models.factory import is_factory, open_factory
from semaudit.models.files.contents import Contents, read
from semaudit.models.files.wrappers import StateDict
from semaudit.models.keys import match
from semaudit.models.opened import Opened, Provenance
from semaudit.models.preprocessing import timm_config
from semaudit.models.reading import Opening, Reading
from semaudit.models.recognition import ASKED, Choice, fitting, single
from semaudit.models.tags import other_statistics
from semaudit.models.timm_models import opened_timm, require_known
from semaudit.models.torchvision_models import PREFIX as TORCHVISION
from semaudit.models.torchvision_models import torchvision_stated

DISPUTED = "disputed_statistics"
"""The key of a provenance under which stand other means and standard deviations that a file which
states none may have been trained with: timm's weights of its architecture were."""


def open_checkpoint(path: Path, opening: Opening, reading: Reading) -> Opened:
    """Open a checkpoint as the architecture that is asked for, stated inside, or recognised.

    Class count, channels, image and patch size come from the tensors unless they are given.

    Raises:
        ModelError: the file cannot be read as tensors, or no architecture fits them.
        UsageError: several fit, and none is named; or what is named does not fit.
    """
    contents = read(path, use_ema=opening.use_ema, unsafe=opening.unsafe)
    if contents.module is not None:
        return _whole(contents, contents.module)
    if opening.arch is not None and is_factory(opening.arch):
        return _into_factory(contents, opening, reading)
    choice = single(contents, fitting(contents, opening.arch))
    taken, refused = believable_arguments(contents.metadata.model_args)
    with _blaming_settings(opening, reading):
        module, channels = construct(choice, taken, opening, reading)
        how = _fill(contents, choice, module)
    provenance: Provenance = {
        **_provenance(contents),
        "arch": choice.arch,
        "arch_from": choice.how,
        "keys": how,
    }
    name = path.name
    if choice.arch.startswith(TORCHVISION):
        opened = Opened(
            module, name, provenance, torchvision_stated(choice.arch), in_chans=channels
        )
    else:
        opened = opened_timm(module, name, provenance, in_chans=channels)
    return _told(opened, contents, choice, refused)


@contextmanager
def _blaming_settings(opening: Opening, reading: Reading) -> Iterator[None]:
    """What does not fit the architecture or the sizes that the user gave is a wrong setting.

    Raises:
        UsageError: naming them.
    """
    given = {
        "--arch": opening.arch,
        "--num-classes": reading.num_classes,
        "--in-chans": reading.in_chans,
        "--input-size": reading.overrides.input_size,
        "--img-size": reading.overrides.img_size,
        "--model-kwargs": opening.model_kwargs or None,
    }
    flags = [flag for flag, value in given.items() if value is not None]
    try:
        yield
    except ModelError as error:
        if not flags:
            raise
        raise UsageError(f"{error}\n(under {' and '.join(flags)})") from error


def architectures(path: Path, opening: Opening) -> list[str]:
    """List the architectures that a checkpoint's tensors fit, as `Opening.arch` names them.

    Raises:
        ModelError: the file cannot be read as tensors, or no architecture fits them.
    """
    contents = read(path, use_ema=opening.use_ema, unsafe=opening.unsafe)
    return [choice.arch for choice in fitting(contents, None)]


def require_known_arch(arch: str | None) -> None:
    """Refuse an architecture that timm does not know, unless another than timm builds it.

    Raises:
        UsageError: naming the nearest that it does.
    """
    if arch is None or arch.startswith(TORCHVISION) or is_factory(arch):
        return
    try:
        require_known(arch)
    except ModelError as error:
        raise UsageError(f"--arch {arch}: {error}") from error


def _provenance(contents: Contents) -> Provenance:
    return {
        "source": "checkpoint",
        "file": str(contents.file),
        "file_kind": contents.kind.value,
        "file_sha256": file_sha256(contents.file),
        "unwrapped": list(contents.path),
    }


def _whole(contents: Contents, module: nn.Module) -> Opened:
    """A pickled module, loaded with its code."""
    kind = f"{type(module).__module__}.{type(module).__qualname__}"
    return Opened(
        module=module,
        name=contents.file.name,
        provenance={**_provenance(contents), "source": "pickled module", "arch": kind},
        stated={**(timm_config(module) or {}), **contents.metadata.preprocessing},
        labels=contents.metadata.labels,
        notes=(*contents.notes, "--unsafe-load ran what the file holds"),
        unit_range=True,
    )


def _into_factory(contents: Contents, opening: Opening, reading: Reading) -> Opened:
    """Weights into a module that the user's own code builds."""
    arch = str(opening.arch)
    opened = open_factory(arch, model_kwargs=opening.model_kwargs)
    with _blaming_settings(opening, reading):
        how = _load(contents, arch, contents.state, opened.module)
    return replace(
        opened,
        name=contents.file.name,
        provenance={**opened.provenance, **_provenance(contents), "keys": how},
        stated={**opened.stated, **contents.metadata.preprocessing},
        labels=contents.metadata.labels or opened.labels,
        notes=(*contents.notes, *opened.notes),
    )


def _fill(contents: Contents, choice: Choice, module: nn.Module) -> str:
    """Load the weights; returns how their names were matched."""
    renames = choice.sizes.renames if choice.sizes else {}
    if not renames:
        return _load(contents, choice.arch, contents.state, module)
    state = {renames.get(name, name): tensor for name, tensor in choice.state.items()}
    how = _load(contents, choice.arch, state, module)
    renamed = ", ".join(f"{given} as {own}" for given, own in renames.items())
    return f"{how}, {renamed}"


def _load(contents: Contents, arch: str, state: StateDict, module: nn.Module) -> str:
    try:
        matched = match(state, module.state_dict())
    except ModelError as error:
        raise ModelError(
            f"{contents.file} does not fit {arch}: {error}. Check --arch, --num-classes, "
            "--in-chans and, for a model of fixed size, --img-size"
        ) from error
    # Not strict: `match` lets nothing but batch counters be missing.
    module.load_state_dict(matched.state, strict=False)
    return matched.how


def _told(opened: Opened, contents: Contents, choice: Choice, refused: list[str]) -> Opened:
    """Add what the file says of itself, and how the architecture was come by."""
    metadata, stated = contents.metadata, dict(opened.stated)
    if choice.sizes is not None and choice.sizes.img_size is not None:
        side = choice.sizes.img_size
        height, width = side if isinstance(side, tuple) else (side, side)
        stated["input_size"] = (opened.in_chans, height, width)
    notes = [*contents.notes, *choice.notes]
    if refused:
        names = ", ".join(refused)
        notes.append(f"arguments that the file states and that were not taken: {names}")
    if choice.how != ASKED:
        notes.insert(0, f"architecture {choice.arch}: {choice.how}")
    if choice.sizes is not None and choice.sizes.also:
        names = ", ".join(choice.sizes.also)
        notes.append(f"the same module is also {names}, with pictures of another size: --img-size")
    if not metadata.preprocessing.keys() >= {"mean", "std"}:
        tag = stated.get("tag")
        whose = f"{choice.arch}.{tag}" if tag and "." not in choice.arch else choice.arch
        notes.append(f"the file states no preprocessing: that of {whose} is taken")
        if "." not in choice.arch and (others := _other_statistics(choice.arch, opened)):
            opened = replace(opened, provenance={**opened.provenance, DISPUTED: others})
    return replace(
        opened,
        stated={**stated, **metadata.preprocessing},
        labels=metadata.labels or opened.labels,
        notes=(*notes, *opened.notes),
    )


def _other_statistics(arch: str, opened: Opened) -> list[str]:
    """Where the architecture was published with several means, the tag's is no evidence."""
    mean, std = opened.stated.get("mean"), opened.stated.get("std")
    if not (isinstance(mean, (tuple, list)) and isinstance(std, (tuple, list))):
        return []
    return other_statistics(arch, (mean, std))
