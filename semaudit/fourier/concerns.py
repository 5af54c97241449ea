"""Which settings a heat map goes by: one configuration file serves several commands."""

from __future__ import annotations

from semaudit.errors import UsageError
from semaudit.settings import DEFAULT, FLAG, Resolved

CONCERNS = (
    *("model", "arch", "pretrained", "model_kwargs", "use_ema", "unsafe_load", "activation"),
    *("outputs", "num_classes", "in_chans", "img_size", "input_size", "crop_pct", "crop_mode"),
    *("interpolation", "mean", "std"),
    *("data", "dataset", "split", "path_column", "label_column", "background", "class_map"),
    *("label_pattern", "ignore_labels", "num_samples", "max_unreadable"),
    *("batch_size", "device", "amp_dtype", "channels_last", "torchcompile", "workers", "seed"),
    "quiet",
)
"""The model, the pictures, and how it runs; all others speak of a scan's battery or verdict."""


def without_effect(resolved: Resolved) -> tuple[str, ...]:
    """Return a note on settings from a file or the environment that are a scan's alone, or none.

    Raises:
        UsageError: one was given for this heat map itself, where it must be a mistake.
    """
    given = {
        name: origin
        for name, origin in resolved.origins.items()
        if origin != DEFAULT and name not in CONCERNS
    }
    if mistaken := [name for name, origin in given.items() if origin == FLAG]:
        raise UsageError(
            f"{', '.join(mistaken)}: a heat map has no battery and no verdict, so that this would "
            "have no effect; leave it out"
        )
    if not given:
        return ()
    named = ", ".join(f"{name} ({origin})" for name, origin in given.items())
    return (f"of a scan alone, without effect on a heat map: {named}",)
