"""What the terminal says of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from semaudit.comparing.words import ALPHA
from semaudit.finetuning.proof import AGREEMENT, DEGENERATE
from semaudit.report.text import number, percent

Line = tuple[str, str]
"""Text and its style."""

_REMEDIES = {
    "gradient_turn": ": the choice does not look at it; --turn-penalty holds it down",
    "worst-case": ": the choice does not look at it; --perturb worst trains against it",
}
"""By the first word of what is worse."""

_OF_THEIR_OWN = {
    DEGENERATE: "the new model is DEGENERATE: a constant answer is no gain",
    AGREEMENT: "more answers are others than the original's than --max-accuracy-drop allows, by "
    "more than chance: more pictures for choices (--val-share) tell that earlier",
}
"""What is said of what is worse and is no metric."""


def told(record: dict[str, Any], folder: str, out: str) -> Iterator[Line]:
    """Yield the lines on a run.

    Args:
        record: as in ``finetune.json``.
        folder: of the evidence.
        out: the file of the weights.
    """
    data, training = record["data"], record["training"]
    yield (
        f"{record['model']['name']}: {training['updates']} updates on {data['training']} pictures, "
        f"{data['validation']} for choices, {data['held_out']} for the proof",
        "bold",
    )
    for note in record["notes"]:
        yield f"note: {note}", "yellow"
    if training["stopped"]:
        yield f"stopped early: {training['stopped']}", "yellow"
        if not training["updates"]:
            yield "no update was left of training: what follows is of the original's weights", "red"
    if record["search"] is not None:
        best = record["search"]["best"]
        yield (
            f"alpha {best['alpha']:g} and learning rate {best['lr']:.3g}: the best of "
            f"{len(record['search']['arms'])} pairs in {record['search']['seconds']:.0f} s",
            "",
        )
    improved = record["choice"]["improved"]
    yield (
        ("" if improved else "The original is kept: ") + record["choice"]["why"],
        ("green" if improved else "red"),
    )
    for each in record.get("baselines", []):
        wins = "; it WINS over the continuity term on validation" if each["wins"] else ""
        spent = f"{each['updates']} updates of {each['passes_a_picture']:.3g} passes a picture"
        yield (
            f"baseline {each['name']} ({spent}, to {training['updates']} of "
            f"{training['passes_a_picture']:.3g}): {each['choice']['why']}{wins}",
            "yellow" if wins else "",
        )
    if "held_out" in record:
        yield from _proof(record["held_out"])
    proven = [each for each in record.get("baselines", []) if "held_out" in each]
    if proven:
        pictures = proven[0]["held_out"]["pictures"]
        yield f"On {pictures} held-out pictures, without the continuity term:", ""
    yield from ((_instead(each), "") for each in proven)
    if "held_out" in record:
        yield f"Written: {out}", "dim"
    yield f"Evidence: {folder}", "dim"


def _proof(proof: dict[str, Any]) -> Iterator[Line]:
    yield f"On {proof['pictures']} held-out pictures, before and after:", ""
    for row in _measured(proof):
        families = row["families"] if row["families"] == "worst case" else (
            f"families {row['families']}"
        )  # fmt: skip
        yield f"  {_metric(row)}, {families}: {_change(row)}", ""
    if "accuracy_before" in proof:
        yield (
            f"  accuracy: {percent(proof['accuracy_before'])} -> "
            f"{percent(proof['accuracy_after'])}; {proof['negative_flips']} newly wrong, "
            f"{proof['positive_flips']} newly right",
            "",
        )
    for each in proof["paired"]:
        along = each["metric"] in ("shift", "flip_rate") and each["place"] in ("all", "held-out")
        judged = "accuracy_before" in proof and each["place"] == "clean"
        if along or (judged and each["metric"] == "accuracy"):
            low, high = each["difference"]["low"], each["difference"]["high"]
            ends = [_end(end) for end in (low, high)]
            shown = None not in (low, high) and (low > 0 or high < 0)
            chance = "" if shown else _by_signs(each)
            yield (
                f"  {each['metric'].replace('_', ' ')}, {each['place']}: change "
                f"{each['difference']['value']:+.4f}, paired 95 % interval "
                f"{' to '.join(ends)}{chance}",
                "" if shown else "yellow",
            )
    if all(row["before"] is None for row in proof["means"] if row["metric"] == "gradient_turn"):
        yield "  gradient turn: not measured, so it may have risen", "yellow"
    for each in proof.get("warnings", ()):
        yield f"  warning: {each}", "yellow"
    for metric in proof["worse"]:
        yield f"  {_OF_THEIR_OWN.get(metric) or _is_worse(metric)}", "red"
    if "agreement" in proof:
        yield f"  agreement with the original: {percent(proof['agreement'])}", ""


def _instead(baseline: dict[str, Any]) -> str:
    """What a run without the continuity term does to the held-out pictures, in one line."""
    proof = baseline["held_out"]
    told = _measured(proof)
    # Of a battery whose families were all trained under, these.
    unseen = [row for row in told if row["families"] == "held out"]
    said = [f"{_metric(row)} {_change(row)}" for row in unseen or told]
    if "accuracy_after" in proof:
        said.append(f"accuracy {percent(proof['accuracy_after'])}")
    elif "agreement" in proof:
        said.append(f"agreement {percent(proof['agreement'])}")
    lost = "".join(f"; WORSE: {each.replace('_', ' ')}" for each in proof["worse"])
    return f"  {baseline['name']}: {', '.join(said)}{lost}"


def _measured(proof: dict[str, Any]) -> list[dict[str, Any]]:
    """The means that there are, of both models."""
    return [row for row in proof["means"] if None not in (row["before"], row["after"])]


def _metric(row: dict[str, Any]) -> str:
    name: str = row["metric"]
    return {"flip": "flip rate", "gradient_turn": "gradient turn"}.get(name, name)


def _change(row: dict[str, Any]) -> str:
    show = percent if row["metric"] == "flip" else number
    change = "" if row["change"] is None else f" ({100 * row['change']:+.0f} %)"
    return f"{show(row['before'])} -> {show(row['after'])}{change}"


def _is_worse(metric: str) -> str:
    remedy = _REMEDIES.get(metric.split()[0], "")
    name = metric.replace("_", " ")
    return f"{name} is WORSE on the held-out pictures, by more than chance{remedy}"


def _by_signs(change: dict[str, Any]) -> str:
    """Where the interval shows nothing: whether the exact sign test does."""
    if change["p_value"] > ALPHA:
        return ": so few pictures do not show a change"
    way = "rose" if change["higher"] > change["lower"] else "fell"
    return f": it holds 0, yet by their number more pictures {way} than by chance (sign test)"


def _end(value: float | None) -> str:
    """An end of an interval; one that nothing bounds is open."""
    return "open" if value is None else f"{value:+.4f}"
