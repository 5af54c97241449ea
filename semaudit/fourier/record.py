"""What was measured on what, with what: so that a heat map can be repeated and trusted."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import torch

from semaudit import __version__
from semaudit.fourier.concerns import CONCERNS
from semaudit.models import Classifier
from semaudit.runtime import Runtime
from semaudit.settings import Resolved


def record(
    *,
    resolved: Resolved,
    classifier: Classifier,
    place: Runtime,
    source: str,
    fingerprint: str,
    pictures: int,
    labelled: int,
    seconds: float,
) -> dict[str, Any]:
    """Gather what the figures depend on; fit for JSON."""
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "versions": {"semaudit": __version__, "torch": torch.__version__},
        "model": {
            "name": classifier.name,
            "num_classes": classifier.num_classes,
            "activation": classifier.activation,
            "preprocessing": asdict(classifier.preprocessing),
            "weights_sha256": classifier.weights_sha256,
        },
        "data": {
            "source": source,
            "pictures": pictures,
            "labelled": labelled,
            "fingerprint": fingerprint,
        },
        "runtime": {
            "device": str(place.device),
            "amp_dtype": str(place.amp_dtype or torch.float32).removeprefix("torch."),
            "channels_last": place.channels_last,
            "torchcompile": place.compile,
        },
        "settings": {
            name: {"value": value, "origin": resolved.origins[name]}
            for name, value in resolved.settings.model_dump(mode="json").items()
            if name in CONCERNS
        },
    }
