"""The generators that a whole process shares: their states, and how they are put back."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def states() -> dict[str, bytes]:
    """The state of each generator, by the module whose it is; equal where nothing was drawn."""
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy.random": pickle.dumps(np.random.get_state()),
        "random": pickle.dumps(random.getstate()),
    }


def seed_all(seed: int) -> None:
    """Seed them all."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put every generator back as it was, whatever the body does to it."""
    torch_state, numpy_state, own_state = (
        torch.get_rng_state(),
        np.random.get_state(),
        random.getstate(),
    )
    try:
        yield
    finally:
        torch.set_rng_state(torch_state)
        np.random.set_state(numpy_state)
        random.setstate(own_state)
