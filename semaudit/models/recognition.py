"""Which architecture a checkpoint is of: asked for, stated inside, or recognised by its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from semaudit.errors import ModelError, UsageError
from semaudit.models.architectures import (
    Preference,
    Recognised,
    differences,
    likeliest,
    nearest,
    prefer,
    recognise,
)
from semaudit.models.files.contents import Contents
from semaudit.models.files.prefixes import stages
from semaudit.models.files.wrappers import StateDict


class SeveralFitError(UsageError):
    """Several architectures fit a checkpoint and nothing in it tells which it is.

    Attributes:
        archs: their names.
        likeliest: the one to guess, and why, if one is.
    """

    def __init__(
        self, message: str, archs: Sequence[str], likeliest: tuple[str, str] | None
    ) -> None:
        super().__init__(message)
        self.archs = tuple(archs)
        self.likeliest = likeliest


ASKED = "named by --arch"
BEST = "best"
"""In place of an architecture's name: try those that fit on labelled pictures."""


@dataclass(frozen=True)
class Choice:
    """An architecture to open a checkpoint as.

    Attributes:
        arch: its name, with a tag where the weights' origin is known.
        how: how it was come by, in words.
        sizes: what the tensors say it was built with; None where they were not recognised.
        state: the tensors, with as many wrapping prefixes off as it takes.
        notes: what a reader should know.
    """

    arch: str
    how: str
    sizes: Recognised | None
    state: StateDict
    notes: tuple[str, ...] = ()


def fitting(contents: Contents, asked: str | None) -> list[Choice]:
    """List the architectures to open a checkpoint as: several where its weights tell no more.

    Args:
        contents: of the checkpoint.
        asked: the name that the user gave, if any.

    Raises:
        ModelError: no known architecture has these tensors, and none is named.
    """
    if asked not in (None, BEST):
        state, found = recognised(contents, _base(str(asked)))
        sizes = found[0] if found else None
        return [Choice(str(asked), ASKED, sizes, state, _oblong(sizes))]
    state, found = recognised(contents)
    shapes = shapes_of(state)
    stated = contents.metadata.arch
    by_name = {each.arch: each for each in found}
    if stated is not None and stated not in by_name:
        # At another picture size than its own it gives way to what has that size, unless named.
        by_name |= {each.arch: each for each in recognise(shapes, stated)}
    if stated in by_name:
        arch, sizes = _tagged(stated, contents.metadata.tag), by_name[stated]
        origin = f"stated in {contents.metadata.arch_from}"
        return [Choice(arch, origin, sizes, state, _oblong(sizes))]
    notes: tuple[str, ...] = ()
    if stated is not None and _is_known(stated):
        if not found:
            return [Choice(stated, f"stated in {contents.metadata.arch_from}", None, state)]
        notes = (f"{contents.metadata.arch_from} says {stated}, which the tensors do not fit",)
    if not found:
        raise ModelError(_unknown(contents, shapes))
    preference = prefer(found, file_name=str(contents.file), names=shapes)
    how = in_words(preference)
    if preference.evidence is None:
        notes += _resized(found[0])
    return [
        Choice(_tagged(each.arch, preference.tag), how, each, state, (*notes, *_oblong(each)))
        for each in preference.candidates
    ]


def single(contents: Contents, choices: list[Choice]) -> Choice:
    """Return the one choice there is.

    Raises:
        SeveralFitError: there are several; says what they differ in.
    """
    if len(choices) == 1:
        return choices[0]
    width = max(len(choice.arch) for choice in choices)
    sizes = {
        _base(choice.arch): choice.sizes.img_size
        for choice in choices
        if choice.sizes is not None and choice.sizes.img_size is not None
    }
    listed = "\n".join(
        f"  {each.arch:<{width}}  {each.words}"
        for each in differences([_base(choice.arch) for choice in choices], sizes)
    )
    raise SeveralFitError(
        f"{contents.file} fits {len(choices)} architectures that differ in settings which weights "
        f"do not show:\n{listed}\nName one with --arch, or give labelled pictures, which tell "
        f"them apart (--arch {BEST})",
        [choice.arch for choice in choices],
        _guess(choices),
    )


def _oblong(sizes: Recognised | None) -> tuple[str, ...]:
    """A note where several picture sizes give the same tensors."""
    if sizes is None or not sizes.other_sizes or not isinstance(sizes.img_size, tuple):
        return ()
    taken, *others = (
        f"{height} x {width}" for height, width in (sizes.img_size, *sizes.other_sizes)
    )
    return (
        f"pictures of {taken} pixels (height x width) are a guess: the tensors fit "
        f"{', '.join(others)} too; --input-size names another",
    )


def _resized(sizes: Recognised) -> tuple[str, ...]:
    """A note where other architectures have these tensors at a smaller picture size."""
    if not sizes.resized:
        return ()
    names = ", ".join(sizes.resized)
    return (
        f"{names}, with other preprocessing or layers, would have these tensors too if built for "
        "pictures of this size: if it was, name it with --arch",
    )


def _guess(choices: Sequence[Choice]) -> tuple[str, str] | None:
    preference = likeliest([choice.sizes for choice in choices if choice.sizes is not None])
    if preference is None or len(preference.candidates) > 1:
        return None
    return preference.candidates[0].arch, str(preference.evidence)


def recognised(contents: Contents, arch: str | None = None) -> tuple[StateDict, list[Recognised]]:
    """Return the tensors with the fewest prefixes under which they are recognised, and as what.

    What looks like a wrapping prefix may be a part of the network's own.

    Args:
        contents: of the checkpoint.
        arch: the one architecture to compare with; all of them when None.
    """
    for stage in reversed(list(stages(contents.state))):
        if found := recognise(shapes_of(stage.state), arch):
            return stage.state, found
    return contents.stripped, []


def shapes_of(state: StateDict) -> dict[str, tuple[int, ...]]:
    """Return each tensor's name and shape."""
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def in_words(preference: Preference) -> str:
    """Say how the candidates were told from all other architectures."""
    evidence = f", and {preference.evidence}" if preference.evidence else ""
    return f"recognised by the {preference.candidates[0].how} of its tensors{evidence}"


def _base(arch: str) -> str:
    """The architecture of a name with a tag, as ``resnet50`` of ``resnet50.a1_in1k``."""
    return arch.partition(".")[0]


def _is_known(arch: str) -> bool:
    import timm

    return bool(timm.is_model(arch))


def _tagged(arch: str, tag: str | None) -> str:
    """The name with a tag that timm knows; preprocessing depends on it."""
    import timm

    named = f"{arch}.{tag}"
    return named if tag and named in timm.list_pretrained(f"{arch}.*") else arch


def _unknown(contents: Contents, shapes: dict[str, tuple[int, ...]]) -> str:
    near = nearest(shapes)
    listed = "".join(f"\n  {each.arch}: {each.words}" for each in near)
    closest = f" The nearest:{listed}\n" if near else " "
    return (
        f"no architecture of timm {version('timm')} or of torchvision has the tensors of "
        f"{contents.file}.{closest}Name it with --arch, or for a network of your own name a "
        "function that builds it: --arch FILE.py:FUNCTION (the file is run)"
    )
