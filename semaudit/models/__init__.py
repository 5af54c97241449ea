"""What is audited: every source of models ends in one `Classifier`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semaudit.models.classifier import Classifier, Outputs, Placement
    from semaudit.models.loading import candidates, load
    from semaudit.models.names import ClassNames
    from semaudit.models.preprocessing import Preprocessing, PreprocessingOverrides
    from semaudit.models.recognition import BEST, SeveralFitError
    from semaudit.models.weights import weights_sha256

__all__ = [
    "BEST",
    "ClassNames",
    "Classifier",
    "Outputs",
    "Placement",
    "Preprocessing",
    "PreprocessingOverrides",
    "SeveralFitError",
    "candidates",
    "load",
    "weights_sha256",
]

_HOMES = {
    "BEST": "recognition",
    "ClassNames": "names",
    "Classifier": "classifier",
    "Outputs": "classifier",
    "Placement": "classifier",
    "Preprocessing": "preprocessing",
    "PreprocessingOverrides": "preprocessing",
    "SeveralFitError": "recognition",
    "candidates": "loading",
    "load": "loading",
    "weights_sha256": "weights",
}


def __getattr__(name: str) -> Any:
    # Looked up when wanted: importing timm takes two seconds, and describing a file needs none.
    if name not in _HOMES:
        raise AttributeError(f"module 'semaudit.models' has no attribute {name!r}")
    return getattr(importlib.import_module(f"semaudit.models.{_HOMES[name]}"), name)
