"""semaudit: is an image classifier semantically continuous?

The public names load on first use, so that ``import semaudit`` and ``semaudit --help`` stay fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semaudit.audit import Audit, scan
    from semaudit.comparing import compare
    from semaudit.errors import SemauditError
    from semaudit.finetuning import finetune
    from semaudit.images import ImageSource
    from semaudit.models import Classifier
    from semaudit.perturbations import Draw, perturbation
    from semaudit.probes import Probe
    from semaudit.testing import assert_continuous

__version__ = "0.1.0"

_HOMES = {
    "Audit": "audit",
    "Classifier": "models",
    "Draw": "perturbations",
    "ImageSource": "images",
    "Probe": "probes",
    "SemauditError": "errors",
    "assert_continuous": "testing",
    "compare": "comparing",
    "finetune": "finetuning",
    "perturbation": "perturbations",
    "scan": "audit",
}

__all__ = [
    "Audit",
    "Classifier",
    "Draw",
    "ImageSource",
    "Probe",
    "SemauditError",
    "__version__",
    "assert_continuous",
    "compare",
    "finetune",
    "perturbation",
    "scan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'semaudit' has no attribute {name!r}")
    return getattr(importlib.import_module(f"semaudit.{_HOMES[name]}"), name)
