"""What the terminal says of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from semaudit.finetuning.chance import AGREEMENT, DEGENERATE, MEASURES
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
    if record["search"] is not None:
        best = record["search"]["best"]
        yield (
            f"alpha {best['alpha']:g} and learning rate {best['lr']:.3g}: the best of "
            f"{len(record['search']['arms'])} pairs in {record['search']['seconds']:.0f} s",
            "",
        )
    yield from _choice(record)
    for each in record.get("baselines", []):
        yield _baseline(each, training)
    held_out = record.get("held_out")
    if held_out is not None:
        yield from _proof(held_out)
    yield from _without(record.get("baselines", []), held_out)
    if held_out is not None:
        yield from _verdict(held_out)
        kept = "red" if held_out["worse"] else "dim"
        yield f"Written{' all the same' * (kept == 'red')}: {out}", kept
    yield f"Evidence: {folder}", "dim"


def _choice(record: dict[str, Any]) -> Iterator[Line]:
    choice = record["choice"]
    if choice["improved"]:
        yield f"Chosen on validation: {choice['why']}", "green"
        return
    yield f"The original is kept: {choice['why']}", "red"
    if record["advice"] is not None:
        yield f"hint: {record['advice']}", "yellow"


def _baseline(baseline: dict[str, Any], training: dict[str, Any]) -> Line:
    wins = "; it WINS over the continuity term on validation" if baseline["wins"] else ""
    spent = (
        f"{baseline['updates']} updates at {baseline['passes_a_picture']:.3g} passes a picture, "
        f"where the run made {training['updates']} at {training['passes_a_picture']:.3g}"
    )
    return (
        f"baseline {baseline['name']} ({spent}): {baseline['choice']['why']}{wins}",
        "yellow" if wins else "",
    )


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
    yield from (_paired(each, proof) for each in proof["paired"] if _is_told(each, proof))
    if all(row["before"] is None for row in proof["means"] if row["metric"] == "gradient_turn"):
        yield "  gradient turn: not measured, so it may have risen", "yellow"
    for each in proof.get("warnings", ()):
        yield f"  warning: {each}", "yellow"
    if "agreement" in proof:
        yield f"  agreement with the original: {percent(proof['agreement'])}", ""


def _is_told(change: dict[str, Any], proof: dict[str, Any]) -> bool:
    if change["place"] == "clean":
        return change["metric"] == "accuracy" and "accuracy_before" in proof
    return change["metric"] in MEASURES.values() and change["place"] in ("all", "held-out")


def _paired(change: dict[str, Any], proof: dict[str, Any]) -> Line:
    low, high = change["difference"]["low"], change["difference"]["high"]
    shown = None not in (low, high) and (low > 0 or high < 0)
    # Where no family was trained under, all are held out.
    unseen = change["place"] == "held-out" or not proof["seen_families"]
    place = "clean" if change["place"] == "clean" else f"families {'held out' if unseen else 'all'}"
    return (
        f"  {change['metric'].replace('_', ' ')}, {place}: change "
        f"{change['difference']['value']:+.4f}, paired 95 % interval {_end(low)} to {_end(high)}"
        f"{'' if shown else _by_signs(change, proof)}",
        "" if shown else "yellow",
    )


def _verdict(proof: dict[str, Any]) -> Iterator[Line]:
    for each in proof["worse"]:
        yield f"Verdict: {_OF_THEIR_OWN.get(each) or _is_worse(each)}", "red"
    if proof["worse"]:
        return
    better = [each.replace("_", " ") for each in proof["better"]]
    if better:
        yield (
            f"Verdict: better on the held-out pictures in {', '.join(better)}, and worse in "
            "nothing, by more than chance; comparison.md has every interval",
            "green",
        )
    else:
        yield (
            "Verdict: inconclusive: nothing is better or worse by more than chance on the "
            "held-out pictures; more of them tell more",
            "yellow",
        )


def _without(baselines: Sequence[dict[str, Any]], main: dict[str, Any] | None) -> Iterator[Line]:
    """What runs without the continuity term do to the held-out pictures."""
    proven = [each for each in baselines if "held_out" in each]
    if not proven:
        return
    yield (
        f"On {proven[0]['held_out']['pictures']} held-out pictures, without the continuity term:",
        "",
    )
    for each in baselines:
        if "held_out" not in each:
            yield f"  {each['name']}: the original, as nothing improved on validation", ""
            continue
        ahead = [] if main is None else _ahead(each["held_out"], main)
        said = f"; AHEAD of the continuity term in {' and '.join(ahead)}" if ahead else ""
        yield f"{_instead(each)}{said}", "yellow" if ahead else ""


def _ahead(proof: dict[str, Any], main: dict[str, Any]) -> list[str]:
    """In which means another run is ahead, over the families that the main run never saw."""
    rows = {(row["metric"], row["families"]): row for row in _measured(main)}
    return [
        _metric(row)
        for row in _measured(proof)
        if row["families"] == "held out"
        and row["metric"] in ("shift", "flip")
        and (row["metric"], "held out") in rows
        and row["after"] < rows[row["metric"], "held out"]["after"]
    ]


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


def _by_signs(change: dict[str, Any], proof: dict[str, Any]) -> str:
    """Where the interval shows nothing: whether the sign test does, as the verdict takes it."""
    if change["lower"] + change["higher"] == 0:
        return ": no picture changed"
    judged = any(each["place"] == "held-out" for each in proof["paired"])
    for way in ("better", "worse") if (change["place"] == "held-out") == judged else ():
        if change["metric"] in proof[way]:
            return f": it holds 0, yet by the sign test more pictures got {way} than by chance"
    return ": it holds 0, so this may be chance"


def _end(value: float | None) -> str:
    """An end of an interval; one that nothing bounds is open."""
    return "open" if value is None else f"{value:+.4f}"
