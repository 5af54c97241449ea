"""A module that a Python program already holds."""

from __future__ import annotations

import copy

from torch import nn

from semaudit.errors import ModelError
from semaudit.models.opened import Opened
from semaudit.models.preprocessing import labels_of, timm_config
from semaudit.models.tap import first_channels


def open_live(module: nn.Module) -> Opened:
    """Open a copy of ``module``; the module itself is left as it is.

    A copy costs the weights' memory once more. Sharing them would save it, but an audit must
    stay in eval mode and see the same weights while its caller may go on training.

    Raises:
        ModelError: the module cannot be copied.
    """
    name = type(module).__name__
    try:
        own = copy.deepcopy(module)
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"{name} cannot be copied: {error}. Drop what it keeps besides its weights, such as "
            "tensors from an earlier forward pass"
        ) from error
    config = timm_config(own) or {}
    architecture = config.get("architecture")
    stated = getattr(own, "num_classes", None)
    return Opened(
        module=own,
        name=name if architecture is None else str(architecture),
        provenance={
            "source": "live module",
            "arch": f"{type(module).__module__}.{type(module).__qualname__}",
        },
        stated=config,
        labels=labels_of(config),
        # timm states those of the architecture, not those that this module was built for.
        in_chans=first_channels(own),
        num_classes=stated if isinstance(stated, int) and stated > 0 else None,
        embeds=bool(config) and stated == 0,
        unit_range=True,
    )
