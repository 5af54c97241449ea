"""Prefixes that wrappers of modules leave on every key of a state dict, taken off one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from semaudit.models.files.wrappers import StateDict

AVERAGED = ("ema_model.", "ema.", "model_ema.", "averaged_model.", "module_ema.")
# Layers of wrapping that no architecture has as its own.
WRAPPING = ("module.", "_orig_mod.", "model.", "net.", "network.", "student.", "online_model.")
# What a classifier may call its trunk, beside a head of its own.
TRUNKS = ("backbone.", "encoder.")
PREFIXES = WRAPPING + TRUNKS + AVERAGED

_NORMALISE = r"(\d+|normali[sz]e\w*|normali[sz]ation\w*|norm_layer|preprocess\w*|transform\w*)"
_STATISTICS = re.compile(rf"({_NORMALISE}\.)?_?(pixel_|image_|img_)?(mean|std)")
_FOREIGN = re.compile(
    r"n_averaged|initted|step|global_step|epoch|criteri(on|a)\w*|loss(es)?|loss_\w+|\w+_loss(es)?"
    r"|metrics?|\w+_metrics?|(train|val|valid|test)_\w+|accuracy|acc\d*|confmat|mixup\w*|teacher"
    r"|class_weights?|pos_weight|ema_decay|decay|num_updates"
)
_HEAD = re.compile(r"(fc|head|heads|classifier|linear|last_linear|cls_head|output|logits)\d*")
_MOST_ROUNDS = 12


@dataclass(frozen=True)
class Stage:
    """A state dict with some of its wrapping off.

    Attributes:
        state: the tensors that are left, in order, under their shorter names.
        prefix: what was taken off the front of the names.
        left_out: tensors that do not belong to the network, under the names they had here.
    """

    state: StateDict
    prefix: str = ""
    left_out: StateDict = field(default_factory=dict)

    @property
    def how(self) -> str:
        """What was done, in words; ``"exact"`` for nothing."""
        done = [f"prefix '{self.prefix}' stripped"] if self.prefix else []
        if self.left_out:
            done.append(f"{len(self.left_out)} left out")
        return ", ".join(done) or "exact"


def stages(state: StateDict) -> Iterator[Stage]:
    """Yield the state dict as it is, then with one more layer of wrapping off each time."""
    stage = Stage(state)
    yield stage
    for _ in range(_MOST_ROUNDS):
        following = _without_foreign(stage) or _without_prefix(stage)
        if following is None:
            return
        stage = following
        yield stage


def stripped(state: StateDict) -> Stage:
    """Take all wrapping off."""
    *_, last = stages(state)
    return last


def statistics(left_out: StateDict) -> dict[str, tuple[float, ...]]:
    """Find mean and std, a number a channel, among the tensors of a normalising layer."""
    found: dict[str, tuple[float, ...]] = {}
    for key, tensor in left_out.items():
        named = _STATISTICS.fullmatch(key)
        if named and named[4] not in found:
            found[named[4]] = tuple(tensor.double().flatten().tolist())
    return found if found.keys() == {"mean", "std"} else {}


def split_averaged(state: StateDict) -> tuple[StateDict, StateDict]:
    """Part the plain weights from averaged ones that lie beside them under a prefix of their own.

    One of the two may be empty.
    """
    averaged = {key: tensor for key, tensor in state.items() if key.startswith(AVERAGED)}
    plain = {key: tensor for key, tensor in state.items() if key not in averaged}
    return plain, averaged


def is_network(state: StateDict) -> bool:
    """Whether anything in a state dict may belong to a network."""
    return any(not _is_foreign(key, tensor) for key, tensor in state.items())


def _without_foreign(stage: Stage) -> Stage | None:
    foreign = {key: t for key, t in stage.state.items() if _is_foreign(key, t)}
    if not foreign or len(foreign) == len(stage.state):
        return None
    kept = {key: tensor for key, tensor in stage.state.items() if key not in foreign}
    return Stage(kept, stage.prefix, {**stage.left_out, **foreign})


def _is_foreign(key: str, tensor: Tensor) -> bool:
    """Whether a key is a normalising layer's, a loss's or a metric's rather than the network's."""
    if _STATISTICS.fullmatch(key):
        return tensor.is_floating_point() and 1 <= tensor.numel() <= 16
    return bool(_FOREIGN.fullmatch(key.partition(".")[0]))


def _without_prefix(stage: Stage) -> Stage | None:
    """Take off the prefix that most keys share, if there is one."""
    state = stage.state
    for prefix in (*PREFIXES, *_number(state)):
        sharing = [key for key in state if key.startswith(prefix) and key != prefix]
        if 2 * len(sharing) <= len(state):
            continue
        others = {key: tensor for key, tensor in state.items() if not key.startswith(prefix)}
        if all(_HEAD.fullmatch(key.partition(".")[0]) for key in others):
            return _shortened(stage, prefix, {})
        few = 5 * len(others) <= len(state)
        return _shortened(stage, prefix, others) if few and prefix not in TRUNKS else None
    return None


def _number(state: StateDict) -> list[str]:
    """The number that every key begins with, as in Sequential(model), if layers follow it."""
    first = next(iter(state), "").partition(".")[0]
    inner = [key.partition(".")[2] for key in state if key.startswith(f"{first}.")]
    layered = len(inner) == len(state) and not {"weight", "bias", ""} & set(inner)
    return [f"{first}."] if first.isdecimal() and layered else []


def _shortened(stage: Stage, prefix: str, others: StateDict) -> Stage | None:
    kept = [key for key in stage.state if key not in others]
    shorter = {key.removeprefix(prefix): stage.state[key] for key in kept}
    if len(shorter) < len(kept):  # a head beside the trunk has the name of one within
        return None
    return Stage(shorter, stage.prefix + prefix, {**stage.left_out, **others})
