"""Before and after on held-out pictures: two audits, and what they say side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semaudit.audit import Audit, run
from semaudit.comparing import compare
from semaudit.comparing.files import write
from semaudit.images import ImageSource
from semaudit.layout import ADVERSARIAL_FAMILY, NOISE_FLOOR_FAMILY
from semaudit.models import Classifier
from semaudit.settings import DEFAULT, Resolved, explicit
from semaudit.stream import Watch

if TYPE_CHECKING:
    import pandas as pd

BEFORE, AFTER = "before", "after"
BATTERY = ("standard", ADVERSARIAL_FAMILY)
"""What the audits run unless told otherwise."""

_SHARED = (
    *("channels_last", "torchcompile", "workers", "seed", "amp_dtype"),
    *("select", "ignore", "at_ssim", "battery", "taxonomy", "gradients", "gradient_samples"),
    *("worst_case", "worst_objective", "plugin", "max_unreadable"),
)
"""Settings of fine-tuning that are those of its audits, too."""

_MEASURES = ("shift", "flip", "gradient_turn")


@dataclass(frozen=True)
class Part:
    """A mean over pictures before and after, of a group of probe families.

    Attributes:
        metric: what of.
        families: ``seen`` in training, ``held out`` from it, or ``worst case``.
        before: None where it is not measured.
        after: as before.
        change: relative; None where there is nothing to compare.
    """

    metric: str
    families: str
    before: float | None
    after: float | None
    change: float | None


def audits_settings(resolved: Resolved, device: str) -> Resolved:
    """The settings of the audits: what was given of those that speak of how to measure."""
    settings, origins = resolved.settings, resolved.origins
    given = {name: getattr(settings, name) for name in _SHARED if origins[name] != DEFAULT}
    if "select" not in given and "battery" not in given:
        given["select"] = BATTERY
    return explicit({**given, "device": device})


def audit(
    classifier: Classifier, source: ImageSource, resolved: Resolved, out: Path, watch: Watch
) -> Audit:
    """Scan held-out pictures into a folder."""
    settings = resolved.settings.model_copy(update={"out": out})
    return run(classifier, source, Resolved(settings, resolved.origins), watch)


def compared(before: Audit, after: Audit, seen: Sequence[str], stem: Path) -> dict[str, Any]:
    """Compare two audits picture by picture, into files beside them.

    Args:
        before: of the original.
        after: of another model on the same pictures.
        seen: families that were trained on.
        stem: of the files, as ``comparison``: .json and .md, and .png with the curves.

    Returns:
        What changed, fit for JSON.
    """
    there = set(before.samples()["family"]) - {NOISE_FLOOR_FAMILY}
    found = compare(before.folder, after.folder, seen=frozenset(seen) & there)
    outs = [stem.with_suffix(".json"), stem.with_suffix(".md")]
    write(found, outs, stem.with_suffix(".png"))
    changes = [each.model_dump(mode="json") for each in found.changes if each.place != "family"]
    churn = [each.model_dump(mode="json") for each in found.churn if each.place == "clean"]
    return {**side_by_side(before, after, seen), "paired": changes, "churn_of_clean": churn}


def side_by_side(before: Audit, after: Audit, seen: Sequence[str]) -> dict[str, Any]:
    """The means of both, fit for JSON; worst cases, which are searched for, stand apart."""
    tables = before.samples(), after.samples()
    families = sorted(set(tables[0]["family"]) - {NOISE_FLOOR_FAMILY, ADVERSARIAL_FAMILY})
    groups = {
        "seen": [each for each in families if each in seen],
        "held out": [each for each in families if each not in seen],
        "worst case": [ADVERSARIAL_FAMILY],
    }
    parts = [
        _part(metric, name, members, tables) for metric in _MEASURES for name, members in
        groups.items() if tables[0]["family"].isin(members).any()
    ]  # fmt: skip
    return {
        "seen_families": groups["seen"],
        "held_out_families": groups["held out"],
        "means": [part.__dict__ for part in parts],
        "pictures": len(before.images()),
        **_answers(before.images(), after.images()),
    }


def _part(
    metric: str, name: str, members: Sequence[str], tables: tuple[pd.DataFrame, pd.DataFrame]
) -> Part:
    one, other = (_mean(table, metric, members) for table in tables)
    compared = one is not None and other is not None and one > 0
    return Part(metric, name, one, other, other / one - 1 if compared else None)  # type: ignore[operator]


def _mean(table: pd.DataFrame, metric: str, members: Sequence[str]) -> float | None:
    """Over pictures of the mean over probes of the mean over rungs, as in a scan's estimates."""
    rows = table[table["family"].isin(members)]
    value = float(rows.groupby(["image", "probe"])[metric].mean().mean())
    return value if value == value else None


def _answers(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, float | int | None]:
    """Accuracy, churn and negative flips over the clean pictures."""
    joined = before.merge(after, on="image", suffixes=("_before", "_after"))
    churn = float((joined["clean_class_before"] != joined["clean_class_after"]).mean())
    found: dict[str, float | int | None] = {"churn": churn, "agreement": 1 - churn}
    right = [joined[f"correct_{when}"].astype(float) for when in (BEFORE, AFTER)]
    if right[0].notna().all():
        found["accuracy_before"], found["accuracy_after"] = (float(each.mean()) for each in right)
        found["negative_flips"] = int(((right[0] == 1) & (right[1] == 0)).sum())
        found["positive_flips"] = int(((right[0] == 0) & (right[1] == 1)).sum())
    return found
