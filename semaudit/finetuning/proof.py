"""Before and after on held-out pictures: two audits, and what they say side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from semaudit.asking import EXAMINED
from semaudit.audit import Audit, run
from semaudit.comparing import Change, Comparison, compare
from semaudit.comparing.document import Place
from semaudit.comparing.files import write
from semaudit.finetuning.chance import MEASURES, better, degenerated, worse
from semaudit.finetuning.pictures import LEAST, Pictures
from semaudit.images import ImageSource, TensorSource, as_float
from semaudit.layout import ADVERSARIAL_FAMILY, ASIDE, NOISE_FLOOR_FAMILY
from semaudit.models import Classifier
from semaudit.preparing import prepare
from semaudit.settings import DEFAULT, Resolved, explicit
from semaudit.stream import Watch

BEFORE, AFTER = "before", "after"
BATTERY = ("standard", ADVERSARIAL_FAMILY)
"""What the audits run unless told otherwise."""

MEASURING = (
    *("select", "ignore", "at_ssim", "battery", "taxonomy", "gradients", "gradient_samples"),
    *("worst_case", "worst_objective", "max_unreadable"),
)
"""Settings of fine-tuning that say what its audits measure, and leave training as it is."""

_SHARED = ("channels_last", "torchcompile", "workers", "seed", "amp_dtype", "plugin", *MEASURING)
"""Settings of fine-tuning that are those of its audits, too."""


def audits_settings(resolved: Resolved, device: str) -> Resolved:
    """The settings of the audits: what was given of those that speak of how to measure."""
    settings, origins = resolved.settings, resolved.origins
    stated = [name for name in _SHARED if origins[name] != DEFAULT]
    given = {name: getattr(settings, name) for name in stated}
    if "select" not in given and "battery" not in given:
        given["select"] = BATTERY
    made = explicit({**given, "device": device})
    # What a file states for other runs, too, may be without effect; a flag may not.
    return Resolved(made.settings, {**made.origins, **{name: origins[name] for name in stated}})


def rehearse(
    classifier: Classifier, pictures: Pictures, rows: Sequence[int], resolved: Resolved
) -> None:
    """Prepare an audit on a few pictures, before there is any work that a refusal could waste.

    Args:
        classifier: the original.
        pictures: not the held-out ones.
        rows: of these.
        resolved: the settings of the audits; the tree of classes needs the names of all pictures,
            and is left out.

    Raises:
        SemauditError: what the audits would say.
    """
    few = next(pictures.batches(rows[:EXAMINED], EXAMINED))
    source = TensorSource(as_float(few.images, torch.device("cpu")), None, few.image_ids)
    settings = resolved.settings.model_copy(update={"taxonomy": None})
    prepare(
        classifier, source, Resolved(settings, resolved.origins), lambda _: None, examined=False
    )


def audit(
    classifier: Classifier,
    source: ImageSource,
    resolved: Resolved,
    out: Path,
    watch: Watch,
    pictures: int,
) -> Audit:
    """Scan held-out pictures, a part of so many, into a folder.

    As many may be unreadable as of all pictures: a part has them by chance, and training is done.
    But so few as are no proof of anything may not be left.
    """
    share = resolved.settings.max_unreadable * pictures / len(source)
    allowed = min(share, 1 - LEAST / len(source))
    settings = resolved.settings.model_copy(update={"out": out, "max_unreadable": allowed})
    return run(classifier, source, Resolved(settings, resolved.origins), watch)


def compared(
    before: Audit,
    after: Audit,
    seen: Sequence[str],
    stem: Path,
    may_change: float | None = None,
    *,
    trusted: bool = True,
) -> dict[str, Any]:
    """Compare two audits picture by picture, into files beside them.

    Args:
        before: of the original.
        after: of another model on the same pictures.
        seen: families that were trained on.
        stem: of the files, as ``comparison``: .json and .md, and .png with the curves.
        may_change: share of the clean pictures' answers that may be others; None: labels judge.
        trusted: whether labels say anything.

    Returns:
        What changed, fit for JSON.
    """
    there = set(before.samples()["family"]) - {NOISE_FLOOR_FAMILY}
    found = compare(before.folder, after.folder, seen=frozenset(seen) & there)
    # The folder that they gather in takes another name at the end.
    sides = {
        side: getattr(found, side).model_copy(update={"audit": each.folder.name})
        for side, each in (("before", before), ("after", after))
    }
    found = found.model_copy(update=sides)
    outs = [stem.with_suffix(".json"), stem.with_suffix(".md")]
    write(found, outs, stem.with_suffix(".png"))
    changes = [each.model_dump(mode="json") for each in found.changes if each.place != "family"]
    churn = [each.model_dump(mode="json") for each in found.churn if each.place == "clean"]
    judged = found if trusted else _without_accuracy(found)
    return {
        **side_by_side(judged),
        "paired": changes,
        "churn_of_clean": churn,
        "warnings": list(found.warnings),
        "better": better(judged),
        "worse": [*worse(judged, may_change), *degenerated(found)],
    }


def _without_accuracy(found: Comparison) -> Comparison:
    changes = [each for each in found.changes if each.metric != "accuracy"]
    return found.model_copy(update={"changes": changes})


def side_by_side(found: Comparison) -> dict[str, Any]:
    """The means of both, fit for JSON; worst cases, which are searched for, stand apart."""
    families = sorted(set(found.families) - set(ASIDE))
    seen = [each for each in families if each in found.seen]
    # Where none was seen, all are held out.
    held_out: Place = "held-out" if seen else "all"
    groups: dict[str, tuple[Place, str | None]] = {
        "seen": ("seen", None),
        "held out": (held_out, None),
        "worst case": ("family", ADVERSARIAL_FAMILY),
    }
    means = [
        {"metric": name, "families": group, **_mean(found.change(metric, *place))}
        for name, metric in MEASURES.items()
        for group, place in groups.items()
        if found.change("shift", *place) is not None
    ]
    return {
        "seen_families": seen,
        "held_out_families": [each for each in families if each not in seen],
        "means": means,
        "pictures": found.pictures,
        **_answers(found),
    }


def _mean(change: Change | None) -> dict[str, float | None]:
    """Before, after and the relative change; None where it is not measured."""
    if change is None:
        return dict.fromkeys(("before", "after", "change"))
    return {"before": change.before, "after": change.after, "change": change.relative}


def _answers(found: Comparison) -> dict[str, float | int]:
    """Accuracy, churn and negative flips over the clean pictures; embeddings have no answers."""
    answers, accuracy = found.answers(), found.change("accuracy", "clean")
    said: dict[str, float | int] = {}
    if answers is not None:
        said["churn"], said["agreement"] = answers.churn.value, 1 - answers.churn.value
    if accuracy is not None:
        said["accuracy_before"], said["accuracy_after"] = accuracy.before, accuracy.after
        said["negative_flips"], said["positive_flips"] = accuracy.lower, accuracy.higher
    return said
