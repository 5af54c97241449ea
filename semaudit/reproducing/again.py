"""Repeats a scan from the manifest of its audit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from semaudit.audit import run
from semaudit.digests import fingerprint_of
from semaudit.errors import AuditError, UsageError
from semaudit.folder import REPORT, read_manifest
from semaudit.inspecting import reopen
from semaudit.inspecting.reopen import Given, open_again, require_pictures
from semaudit.opening import open_data
from semaudit.report.file import read_report
from semaudit.reproducing.held import Reproduced, held_against
from semaudit.settings import FLAG, Resolved, Settings
from semaudit.store import Samples
from semaudit.stream import Watch


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
    report = read_report(audit / REPORT)
    Samples(audit, report.layout).check(report.data.pictures)
    manifest = read_manifest(audit)
    recorded = reopen.read_manifest(audit, given)
    if recorded.plugins and not given.plugin:
        files = ", ".join(sorted({path for path, _ in recorded.plugins.values()}))
        raise UsageError(
            f"{audit} was made with plugins, which run code and have to be given again: "
            f"--plugin {files}"
        )
    settings = _as_it_ran(recorded.settings, manifest, given)
    require_pictures(audit, report, settings)
    again = replace(recorded, settings=settings)
    _, changed = reopen.open_plugins(again)
    _refuse_others(audit, again, changed)
    resolved = Resolved(settings, dict.fromkeys(Settings.model_fields, FLAG) | _origins(manifest))
    if settings.model is None:  # open_again has refused it
        raise AuditError(f"{audit} does not say which model it was")
    repeated = run(settings.model, settings.data, resolved, watch)
    return held_against(
        (report, manifest, audit),
        (repeated.report, repeated.manifest, repeated.folder),
        tolerance,
    )


def _as_it_ran(settings: Settings, manifest: dict[str, Any], given: Given) -> Settings:
    """Batch size and precision as they came out: the last bits depend on them."""
    try:
        ran = manifest["runtime"]
        values: dict[str, Any] = {
            "batch_size": int(ran["batch_size"]),
            "torchcompile": bool(ran["torchcompile"]),
        }
        if given.device is None and settings.amp_dtype == "auto":
            values["amp_dtype"] = str(ran["amp_dtype"])
        return Settings.model_validate({**settings.model_dump(), **values})
    except (KeyError, TypeError, ValueError) as error:
        raise AuditError("manifest.json is damaged: it does not say how it ran") from error


def _origins(manifest: dict[str, Any]) -> dict[str, str]:
    """What was a default then is one now: a battery's own choice goes before a default."""
    return {
        name: "default"
        for name, each in manifest["settings"].items()
        if each.get("origin") == "default" and name not in ("batch_size", "amp_dtype")
    }


def _refuse_others(audit: Path, recorded: reopen.Recorded, changed: list[str]) -> None:
    """Refuse a model, pictures or plugins that are not the audit's, all of them at once."""
    report = read_report(audit / REPORT)
    settings = recorded.settings
    wrong = list(changed)
    try:
        classifier, _ = open_again(audit, report, recorded)
    except AuditError as error:
        raise AuditError(f"{audit} cannot be repeated:\n{error}") from error
    source = open_data(settings.data, settings, classifier)
    found, count = fingerprint_of(source)
    if found != report.data.fingerprint:
        wrong.append(
            f"other pictures: {count:,} with the fingerprint {found[:12]}, not "
            f"{report.data.pictures:,} with {report.data.fingerprint[:12]}; say with --data where "
            "the audited ones are"
        )
    if wrong:
        raise AuditError(f"{audit} cannot be repeated:\n" + "\n".join(wrong))
