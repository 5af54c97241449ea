"""Fits the keys of a checkpoint's state dict to a module's.

Pure functions on mappings of names to tensors. When the names differ, tensors are matched by
order and shape, which holds for two implementations of one architecture that declare their
layers in the same order; everything that could make that a guess is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from semaudit.errors import ModelError
from semaudit.models.files.prefixes import stages
from semaudit.models.files.wrappers import SHOWN, StateDict

# Leaf names that mean the same in every implementation, so that order must not mix them up.
ROLES = frozenset({"weight", "bias", "running_mean", "running_var"})
COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Match:
    """A state dict under the module's own names, and how the names were matched."""

    state: StateDict
    how: str


@dataclass(frozen=True)
class Implied:
    """What the tensors say of the model; None where they say nothing."""

    num_classes: int | None
    in_chans: int | None


def match(state: StateDict, target: StateDict) -> Match:
    """Give the tensors of ``state`` the names of ``target``: by name, else by order and shape.

    ``num_batches_tracked`` counters may be missing on either side.

    Raises:
        ModelError: neither fits; says how many tensors do not, and names the first few.
    """
    wanted = _without_counters(target)
    for candidate, how in prefix_candidates(state):
        given = _without_counters(candidate)
        if given.keys() == wanted.keys():
            if misshapen := _misshapen(given, wanted):
                raise ModelError(_misfit(given, wanted, misshapen))
            return Match({key: candidate[key] for key in target if key in candidate}, how)
    # The candidate with the most names in common makes the most useful message.
    given = max(
        (_without_counters(candidate) for candidate, _ in prefix_candidates(state)),
        key=lambda candidate: len(candidate.keys() & wanted.keys()),
    )
    if obstacle := _order_obstacle(given, wanted):
        raise ModelError(f"{_misfit(given, wanted, _misshapen(given, wanted))}; {obstacle}")
    renamed = dict(zip(wanted, given.values(), strict=True))
    return Match(renamed, "by order and shape")


def prefix_candidates(state: StateDict) -> Iterator[tuple[StateDict, str]]:
    """Yield the state dict as it is, then with one more layer of wrapping off each time."""
    for stage in stages(state):
        yield stage.state, stage.how


def implied_sizes(
    state: StateDict,
    target: StateDict,
    *,
    classifiers: Sequence[str],
    first_convs: Sequence[str],
    in_chans: int,
) -> Implied:
    """Infer the class count and input channels of ``state``, given the architecture's default.

    Args:
        state: the checkpoint's tensors.
        target: the tensors of the architecture at its defaults.
        classifiers: names of its classifying layers.
        first_convs: names of its first convolutions.
        in_chans: the channels that ``target`` takes.
    """
    heads = _named(state, classifiers) or [t for t in state.values() if t.ndim == 2][-1:]
    heads = heads or [t for t in state.values() if t.ndim == 4][-1:]
    stems = _named(state, first_convs) or [t for t in state.values() if t.ndim == 4][:1]
    ours = _named(target, first_convs) or [t for t in target.values() if t.ndim == 4][:1]
    channels = None
    if stems and ours and stems[0].ndim == ours[0].ndim == 4:
        # A stem may fold pixels into channels, so only the ratio to the default is known.
        channels = in_chans * stems[0].shape[1] // ours[0].shape[1] or None
    return Implied(heads[0].shape[0] if heads else None, channels)


def _named(state: StateDict, layers: Sequence[str]) -> list[Tensor]:
    for candidate, _ in prefix_candidates(state):
        if found := [candidate[f"{n}.weight"] for n in layers if f"{n}.weight" in candidate]:
            return found
    return []


def _without_counters(state: StateDict) -> StateDict:
    return {key: tensor for key, tensor in state.items() if _leaf(key) != COUNTER}


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _misshapen(given: StateDict, wanted: StateDict) -> list[str]:
    return [
        f"{key} {tuple(given[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in given and given[key].shape != tensor.shape
    ]


def _order_obstacle(given: StateDict, wanted: StateDict) -> str:
    """Say what stands against matching by order and shape, or return an empty string."""
    if len(given) != len(wanted):
        return f"and its {len(given)} tensors cannot be matched in order to {len(wanted)}"
    for position, (theirs, ours) in enumerate(zip(given, wanted, strict=True), start=1):
        where = f"and in order they part at number {position}: {theirs} for {ours}"
        if given[theirs].shape != wanted[ours].shape:
            return f"{where}, {tuple(given[theirs].shape)} for {tuple(wanted[ours].shape)}"
        roles = {_leaf(theirs), _leaf(ours)}
        if len(roles) == 2 and roles <= ROLES:
            return where
        if theirs != ours and (theirs in wanted or ours in given):
            return f"{where}, though that name stands elsewhere"
    return ""


def _misfit(given: StateDict, wanted: StateDict, misshapen: list[str]) -> str:
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    kinds = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
    parts = [f"{len(keys)} {kind} ({_first(keys)})" for kind, keys in kinds.items() if keys]
    fitting = len(wanted) - len(missing) - len(misshapen)
    return f"{fitting} of {len(wanted)} tensors fit by name; {', '.join(parts)}"


def _first(keys: Sequence[str], count: int = SHOWN) -> str:
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "")
