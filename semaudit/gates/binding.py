"""What a gate speaks of: found, and refused if there is nothing, before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semaudit.columns import Part, bounds
from semaudit.errors import GateError, did_you_mean
from semaudit.gates.grammar import Gate
from semaudit.gates.reach import check_possible
from semaudit.gates.shipped import SHIPPED, shipped_tracks
from semaudit.layout import ADVERSARIAL_FAMILY, ALONG, NOISE_FLOOR_FAMILY, Layout, Track
from semaudit.metric import (
    CHANGES,
    NEGATIVE_FLIPS,
    NEW_FLIPS,
    NOISE_FLOOR,
    SCORE,
    TRANSPORT,
    Activation,
    Metric,
)
from semaudit.statistics import difference_bounds


@dataclass(frozen=True)
class BoundGate:
    """A gate together with the metric and the part of the battery that it speaks of.

    Attributes:
        gate: as it was read.
        metric: what it limits.
        part: where.
        bounds: the range of what it limits: of the metric there, or of its difference.
    """

    gate: Gate
    metric: Metric
    part: Part
    bounds: tuple[float, float]


def bind(
    gates: Sequence[Gate],
    metrics: Mapping[str, Metric],
    layout: Layout,
    labelled: bool,
    activation: Activation,
) -> list[BoundGate]:
    """Find what each gate speaks of, before anything is measured.

    Args:
        gates: as they were read.
        metrics: what is measured of outputs of this ``activation``, by name.
        layout: of the battery.
        labelled: whether the pictures have labels.
        activation: what the outputs mean.

    Raises:
        GateError: an unknown metric, a limit that nothing could break or meet, or a gate that
            matches nothing.
    """
    return [_bind(gate, metrics, layout, labelled, activation) for gate in gates]


_HEADERS = {
    "flips": "flip_rate",
    "turn": "gradient_turn",
    "new": NEW_FLIPS.name,
    "rms": "input_rms",
}
"""Metrics by the headers of the tables that show them, where these are shorter than the names."""

_OF_LABELS = ("accuracy", NEGATIVE_FLIPS.name)


def check_alone(gate: Gate, metrics: Mapping[str, Metric], *, labelled: bool) -> Metric:
    """Refuse what is wrong of a gate whatever the battery is, and return what it limits.

    Args:
        gate: as it was read.
        metrics: all that there are, by name.
        labelled: whether the pictures may have labels.

    Raises:
        GateError: as of `bind`.
    """
    metric = _metric(gate, metrics, labelled, "softmax")
    if _of_the_whole(metric):
        _check_no_scope(gate)
    elif gate.rung is not None:
        _check_has_rungs(gate, gate.rung, metric)
    if metric.comparable:
        check_possible(gate, _ranged(gate, metric.bounds))
    return metric


def _bind(
    gate: Gate,
    metrics: Mapping[str, Metric],
    layout: Layout,
    labelled: bool,
    activation: Activation,
) -> BoundGate:
    metric = _metric(gate, metrics, labelled, activation)
    part = _part(gate, metric, layout)
    limits = _ranged(gate, bounds(metric, layout, part))
    check_possible(gate, limits)
    return BoundGate(gate, metric, part, limits)


def _metric(
    gate: Gate, metrics: Mapping[str, Metric], labelled: bool, activation: Activation
) -> Metric:
    known = {**metrics, **({} if activation == "none" else CHANGES)}
    metric = known.get(gate.metric)
    if metric is None:
        raise GateError(_no_metric(gate, known, activation))
    if metric.name in _OF_LABELS and not labelled:
        raise GateError(
            f"{gate.text!r} matches nothing: the pictures have no labels; class folders, "
            "--label-pattern or --class-map give them"
        )
    return metric


def _ranged(gate: Gate, limits: tuple[float, float]) -> tuple[float, float]:
    """The range of what a gate limits: of the metric, or of its difference."""
    return limits if gate.factor is None else difference_bounds(limits, gate.factor)


def _no_metric(gate: Gate, metrics: Mapping[str, Metric], activation: Activation) -> str:
    names = ", ".join(sorted(metrics))
    if activation == "none":
        return (
            f"{gate.text!r} does not apply: {gate.metric} is not measured of an embedding, which "
            f"has no classes that could flip or be right; limit one of {names}"
        )
    slopes = any(metric.needs_gradients for metric in metrics.values())
    name = gate.metric.lower()
    name = _HEADERS.get(name, name)
    if name in {*SHIPPED} - {TRANSPORT, *metrics} and not slopes:
        return (
            f"{gate.text!r} matches nothing: this audit was made with --no-gradients; scan again "
            "without"
        )
    return (
        f"unknown metric {gate.metric!r} in {gate.text!r}{did_you_mean(name, metrics)}: "
        f"one of {names}"
    )


def _part(gate: Gate, metric: Metric, layout: Layout) -> Part:
    """The tracks, and the rung, that a gate speaks of."""
    if _of_the_whole(metric):
        return _whole(gate, metric, layout)
    tracks = tracks_of(gate, layout)
    if metric.needs_gradients:
        _check_slopes(gate, [layout.tracks[track] for track in tracks])
    if not metric.comparable:
        _check_single(gate, [layout.tracks[track] for track in tracks])
    if gate.rung is not None:
        _check_rung(gate, gate.rung, metric, layout, tracks)
    return Part(tracks, gate.rung)


def tracks_of(gate: Gate, layout: Layout) -> tuple[int, ...]:
    """The tracks that a gate names.

    Raises:
        GateError: there are none.
    """
    tracks = layout.matching(gate.scope)
    if not tracks:
        known = [name for track in layout.tracks for name in (track.name, track.family)]
        scope = gate.scope or ""
        shipped = any(scope in (each.name, each.family) for each in shipped_tracks())
        hint = _how_to_add(scope) if shipped else did_you_mean(scope, known) or _how_to_add(scope)
        raise GateError(
            f"{gate.text!r} matches nothing: no probe or family of this battery is called "
            f"{scope!r}{hint}"
        )
    return tracks


def _of_the_whole(metric: Metric) -> bool:
    return metric.level == "image" or metric in (SCORE, NOISE_FLOOR)


def _how_to_add(name: str) -> str:
    worst = name == ADVERSARIAL_FAMILY or name.startswith("worst_")
    return f"; --select adds probes{', and --worst-case all searches' * worst}"


def _check_slopes(gate: Gate, tracks: Sequence[Track]) -> None:
    if not any({track.family, track.name} & {*ALONG} for track in tracks):
        raise GateError(
            f"{gate.text!r} matches nothing: gradients are taken along {', '.join(ALONG)} only"
        )


def _check_no_scope(gate: Gate) -> None:
    if gate.scope is not None:
        raise GateError(
            f"{gate.text!r}: {gate.metric} is not measured by probe; drop [{gate.scope}]"
        )


def _whole(gate: Gate, metric: Metric, layout: Layout) -> Part:
    _check_no_scope(gate)
    if metric == NOISE_FLOOR and not layout.matching(NOISE_FLOOR_FAMILY):
        raise GateError(f"{gate.text!r} matches nothing: the probe 'identity' was left out")
    if metric == SCORE and not layout.families:
        raise GateError(f"{gate.text!r} matches nothing: the battery holds the noise floor alone")
    return Part(layout.matching(None))


def _check_single(gate: Gate, tracks: Sequence[Track]) -> None:
    if len(tracks) > 1:
        raise GateError(
            f"{gate.text!r}: {gate.metric} is in each probe's own strengths; name one probe"
        )
    if tracks[0].family == NOISE_FLOOR_FAMILY:
        raise GateError(f"{gate.text!r} matches nothing: the noise floor has no {gate.metric}")


def _check_has_rungs(gate: Gate, rung: float, metric: Metric) -> None:
    if metric.level != "rung":
        raise GateError(f"{gate.text!r}: {gate.metric} has no rungs; drop @{rung}")


def _check_rung(
    gate: Gate, rung: float, metric: Metric, layout: Layout, tracks: Sequence[int]
) -> None:
    _check_has_rungs(gate, rung, metric)
    if all(layout.rung_index(track, rung) is None for track in tracks):
        ladders = "; ".join(
            f"{layout.tracks[t].name}: {', '.join(map(str, layout.tracks[t].ladder))}"
            for t in tracks[:3]
        )
        raise GateError(f"{gate.text!r} matches nothing: no rung {rung} ({ladders})")
