"""Which pictures are looked into, and under which probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semaudit.errors import AuditError, PluginError, UsageError, did_you_mean
from semaudit.inspecting.reopen import Recorded
from semaudit.layout import NOISE_FLOOR_FAMILY, Track
from semaudit.perturbations import get, registered
from semaudit.perturbations.registry import ladder_fault
from semaudit.probes import Probe, load_probes, no_such_probe
from semaudit.report.document import Probed, Report
from semaudit.store import Samples


@dataclass(frozen=True)
class Chosen:
    """One picture of an audit and the probe to look into.

    Attributes:
        image_id: of the picture.
        label: its class, if it has one.
        probe: the name of the probe.
        shifts: what the audit measured at each rung of it.
        onset: where the audit has the flip; None where it has none.
    """

    image_id: str
    label: int | None
    probe: str
    shifts: NDArray[np.float64]
    onset: float | None


def choose(
    report: Report,
    samples: Samples,
    picture: str | None,
    worst: int,
    probe: str | None,
) -> list[Chosen]:
    """Choose cases: one picture, or the worst ones; under the probe that moved each most.

    Of several probes, one under which it flips is taken first, and a drawn change before one that
    was looked for.

    Raises:
        UsageError: there is no such picture, probe or number of pictures.
    """
    layout = samples.layout
    tracks = [t for t, each in enumerate(layout.tracks) if each.family != NOISE_FLOOR_FAMILY]
    names = [layout.tracks[t].name for t in tracks]
    if probe is not None:
        if probe not in names:
            raise UsageError(
                f"--probe {probe}: {_not_run(probe, [layout.tracks[t] for t in tracks])}"
            )
        tracks = [tracks[names.index(probe)]]
    if not tracks:
        raise UsageError("the audit ran no probe but the noise floor: there is nothing to inspect")
    ids = samples.image_ids()
    shifts = np.asarray(samples.rung("shift"), dtype=np.float64)
    flips = np.nan_to_num(np.asarray(samples.rung("flip"), dtype=np.float64))
    onsets = samples.path("onset")
    labels = samples.image("label")
    rows = [_row(picture, ids)] if picture is not None else _worst(report, ids, shifts, worst)

    def rank(row: int, track: int) -> tuple[bool, bool, float]:
        span = layout.spans[track]
        flipped = bool(flips[row, span].any())
        return flipped, layout.tracks[track].counts, float(shifts[row, span].max())

    found = []
    for row in rows:
        track = max(tracks, key=lambda t: rank(row, t))
        label = None if np.isnan(labels[row]) else int(labels[row])
        name, span = layout.tracks[track].name, layout.spans[track]
        onset = None if np.isnan(onsets[row, track]) else float(onsets[row, track])
        found.append(Chosen(ids[row], label, name, shifts[row, span], onset))
    return found


def _not_run(probe: str, ran: Sequence[Track]) -> str:
    if any(track.family == probe for track in ran):
        return f"{no_such_probe(probe, ran)} (those of it that the audit ran)"
    names = [track.name for track in ran]
    near = did_you_mean(probe, names) or f"; it ran {', '.join(names)}"
    return f"the audit ran no probe of that name{near}"


def _row(picture: str, ids: Sequence[str]) -> int:
    if picture not in ids:
        raise UsageError(
            f"--picture {picture}: the audit has no picture of that id{did_you_mean(picture, ids)}"
        )
    return ids.index(picture)


def _worst(
    report: Report, ids: Sequence[str], shifts: NDArray[np.float64], count: int
) -> list[int]:
    """The report's worst pictures; where only worst cases were looked for, those moved most."""
    place = {name: row for row, name in enumerate(ids)}
    named = [each.image for each in report.worst]
    if not named:
        most = shifts.max(axis=1, initial=0.0)
        return [int(row) for row in np.argsort(-most, kind="stable")[:count]]
    if count > len(named) < len(ids):
        raise UsageError(f"--worst {count}: a report names its {len(named)} worst; ask for fewer")
    strangers = [name for name in named if name not in place]
    if strangers:
        raise AuditError(f"the worst picture {strangers[0]!r} is not in the samples; scan again")
    return [place[name] for name in named[:count]]


def probe_again(report: Report, recorded: Recorded, name: str) -> Probe:
    """A probe as the audit ran it.

    Raises:
        AuditError: its ladder is none.
        PluginError: it is a plugin's, which has to be named again.
    """
    probed = next(each for each in report.battery if each.name == name)
    if probed.perturbation not in registered():
        bringing = (p.path for p in recorded.plugins if probed.perturbation in p.perturbations)
        path = next(bringing, "FILE.py")
        raise PluginError(
            f"the probe {name} needs the perturbation {probed.perturbation!r} of a plugin, which "
            f"runs code, and a file cannot ask for that: give it again with --plugin {path}"
        )
    fault = ladder_fault(probed.ladder, get(probed.perturbation).max_strength)
    if fault is not None:
        raise AuditError(f"the report's probe {name} is damaged: {fault}; scan again")
    return Probe(
        name=name,
        family=probed.family,
        claim=probed.claim,
        perturbation=probed.perturbation,
        ladder=tuple(probed.ladder),
        quick_ladder=None,
        tags=frozenset(),
        source_text="",
        sha256=probed.sha256,
        unit=_unit(probed),
    )


def _unit(probed: Probed) -> str:
    """What the strengths are, as the shipped or loaded probe of that name says it."""
    return next(
        (
            each.unit
            for each in load_probes()
            if (each.name, each.perturbation) == (probed.name, probed.perturbation)
        ),
        "",
    )
