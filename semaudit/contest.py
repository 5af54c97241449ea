"""Which of several architectures a checkpoint was trained as: labelled pictures tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from semaudit.errors import UsageError
from semaudit.images import ImageSource, as_float
from semaudit.models import Classifier

ENOUGH = 100
"""Pictures that settle it: architectures that share their shapes differ a lot or hardly."""


class UnlabelledError(UsageError):
    """The pictures have no labels that could tell architectures apart."""


@dataclass(frozen=True)
class Scored:
    """What one architecture makes of the pictures."""

    arch: str
    accuracy: float
    cross_entropy: float


def contest(
    archs: Sequence[str],
    open_one: Callable[[str], Classifier],
    open_source: Callable[[Classifier], ImageSource],
    batch_size: int,
) -> Classifier:
    """Open a checkpoint as each architecture and return the one that is right most often.

    The lower cross-entropy decides between equals. The classifier's notes say what each gave.

    Args:
        archs: the architectures that the tensors fit.
        open_one: opens the checkpoint as one of them.
        open_source: opens at most `ENOUGH` labelled pictures as a classifier takes them.
        batch_size: pictures in a forward.

    Raises:
        UnlabelledError: the pictures have no labels.
    """
    entries = [
        (_score(arch, classifier, open_source(classifier), batch_size), classifier)
        for arch in archs
        for classifier in [open_one(arch)]
    ]
    scored, best = min(entries, key=lambda entry: (-entry[0].accuracy, entry[0].cross_entropy))
    table = "; ".join(
        f"{each.arch}: accuracy {each.accuracy:.3f}, cross-entropy {each.cross_entropy:.3f} bits"
        for each, _ in sorted(entries, key=lambda entry: entry[0] is not scored)
    )
    note = (
        f"labelled pictures chose {scored.arch} of the {len(archs)} architectures that fit "
        f"({table}); --arch names another"
    )
    return replace(best, notes=(note, *best.notes))


@torch.inference_mode()
def _score(arch: str, classifier: Classifier, source: ImageSource, batch_size: int) -> Scored:
    if not source.labelled:
        raise UnlabelledError(
            "--arch best needs labelled pictures to tell the architectures apart; name one of them "
            "with --arch instead"
        )
    device = classifier.placement.device
    right = loss = torch.zeros((), device=device, dtype=torch.float32)
    count = 0
    for batch in source.batches(batch_size):
        if not len(batch):
            continue
        logits = classifier(as_float(batch.images, device)).logits.float()
        labels = batch.labels.to(device)
        right = right + (logits.argmax(-1) == labels).sum()
        loss = loss + F.cross_entropy(logits, labels, reduction="sum")
        count += len(batch)
    bits = float(loss) / max(count, 1) / torch.log(torch.tensor(2.0)).item()
    return Scored(arch, float(right) / max(count, 1), bits)
