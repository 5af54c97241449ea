"""Repeats a scan from the manifest of its audit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from semaudit.audit import run
from semaudit.baselines.identity import KEY, found_again
from semaudit.digests import fingerprint_of
from semaudit.errors import AuditError, UsageError
from semaudit.folder import MANIFEST, REPORT, read_manifest, reading_manifest
from semaudit.inspecting.reopen import (
    Given,
    Recorded,
    as_recorded,
    named,
    open_again,
    open_plugins,
    require_pictures,
)
from semaudit.opening import open_data
from semaudit.report.document import Report
from semaudit.report.file import read_report
from semaudit.reproducing.held import Reproduced, held_against, require_sensible
from semaudit.settings import FLAG, Resolved, Settings
from semaudit.store import Samples
from semaudit.stream import Watch
from semaudit.verifying.check import verify


def reproduce(
    audit: Path, *, given: Given, tolerance: float, watch: Watch = lambda _: None
) -> Reproduced:
    """Scan the same model and pictures again, and hold the figures against the audit's.

    Args:
        audit: its folder; nothing in it is changed.
        given: where model and pictures are now; whatever runs code has to be named again.
        tolerance: share of a figure by which it may be off.
        watch: told how far the scan is.

    Raises:
        AuditError: model or pictures are not those of the audit, or it cannot be read.
        SemauditError: see `semaudit.errors`.
    """
    require_sensible(tolerance)
    report = read_report(audit / REPORT)
    Samples(audit, report.layout).check(report.data.pictures)
    manifest = read_manifest(audit)
    recorded = as_recorded(manifest, audit, given)
    _require_plugins(recorded, audit, given)
    baseline, no_baseline = found_again(manifest, audit, given.baseline)
    settings = _as_it_ran(recorded.settings, manifest, audit, given)
    settings = settings.model_copy(update={"baseline": baseline})
    require_pictures(audit, report, settings)
    again = replace(recorded, settings=settings)
    wrong = [*_other_plugins(again), *([] if no_baseline is None else [no_baseline])]
    _refuse_others(audit, report, again, wrong)
    resolved = Resolved(settings, dict.fromkeys(Settings.model_fields, FLAG) | _origins(manifest))
    if settings.model is None:  # open_again has refused it
        raise AuditError(f"{audit} does not say which model it was")
    repeated = run(settings.model, settings.data, resolved, watch)
    found = held_against(
        (report, manifest, audit),
        (repeated.report, repeated.manifest, repeated.folder),
        tolerance,
    )
    told = verify(audit, baseline=given.baseline)
    others = any(not each.within(tolerance) for each in told.disagreeing)
    if told.unreadable is not None or others:
        forged = "the audit's own tables do not give its figures: semaudit verify names them"
        found = replace(found, shown=(forged, *found.shown))
    if baseline is None or KEY in manifest:
        return found
    said = f"which baseline {baseline} was is not on record: it may be another"
    return replace(found, circumstances=(*found.circumstances, said))


def _require_plugins(recorded: Recorded, audit: Path, given: Given) -> None:
    """Ask for plugins, also those that bring metrics only; installed ones are always loaded."""
    files = sorted({each.path for each in recorded.plugins if not each.installed})
    if files and not given.plugin:
        raise UsageError(
            f"{audit} was made with plugins, which run code and have to be given again: "
            + " ".join(f"--plugin {path}" for path in files)
        )


def _other_plugins(recorded: Recorded) -> list[str]:
    """What is not as it was of the plugins: their contents, or what they bring."""
    loaded, wrong = open_plugins(recorded)
    now = {name for each in loaded for name in named(each.perturbations, each.metrics)}
    before = {name: each.path for each in recorded.plugins for name in each.names}
    missing = [
        f"no plugin brings the {name}, which {path} brought then: give it with --plugin"
        for name, path in before.items()
        if name not in now
    ]
    more = [f"a plugin brings the {each} now, and none did" for each in sorted(now - before.keys())]
    return [*wrong, *missing, *more]


def _as_it_ran(settings: Settings, manifest: dict[str, Any], audit: Path, given: Given) -> Settings:
    """Batch size and precision as they came out: the last bits depend on them."""
    with reading_manifest(audit / MANIFEST):
        ran = manifest["runtime"]
        values: dict[str, Any] = {
            "batch_size": int(ran["batch_size"]),
            "torchcompile": bool(ran["torchcompile"]),
        }
        if given.device is None and settings.amp_dtype == "auto":
            values["amp_dtype"] = str(ran["amp_dtype"])
        return Settings.model_validate({**settings.model_dump(), **values})


def _origins(manifest: dict[str, Any]) -> dict[str, str]:
    """What was a default then is one now: a battery's own choice goes before a default."""
    return {
        name: "default"
        for name, each in manifest["settings"].items()
        if each.get("origin") == "default" and name not in ("batch_size", "amp_dtype")
    }


def _refuse_others(audit: Path, report: Report, recorded: Recorded, wrong: list[str]) -> None:
    """Refuse a model, pictures, plugins or a baseline that are not the audit's, all at once."""
    settings = recorded.settings
    try:
        classifier, _ = open_again(audit, report, recorded)
    except AuditError as error:
        raise AuditError(f"{audit} cannot be repeated:\n{error}") from error
    source = open_data(settings.data, settings, classifier)
    found, count = fingerprint_of(source)
    if found != report.data.fingerprint:
        wrong = [
            *wrong,
            f"other pictures: {count:,} with the fingerprint {found[:12]}, not "
            f"{report.data.pictures:,} with {report.data.fingerprint[:12]}; say with --data where "
            "the audited ones are",
        ]
    if wrong:
        raise AuditError(f"{audit} cannot be repeated:\n" + "\n".join(wrong))
