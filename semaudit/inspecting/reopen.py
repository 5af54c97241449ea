"""Opens the model and the pictures of a finished audit again, by what its manifest says.

A manifest is data from outside: nothing in it may run code. Plugins, files that run code when they
are opened, and factories have to be named again by whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semaudit.errors import AuditError, ImageError, ModelError, UsageError
from semaudit.folder import MANIFEST, reading_manifest
from semaudit.models import Classifier
from semaudit.models.factory import is_factory
from semaudit.opening import load_plugins, open_model
from semaudit.plugins import LoadedPlugin
from semaudit.report.document import Report
from semaudit.runtime import Runtime, resolve
from semaudit.settings import Settings, explicit
from semaudit.worst import CHEAP, Effort

IN_PYTHON = "in Python, semaudit.inspecting.break_of(...) does it for a picture in memory"


@dataclass(frozen=True)
class Given:
    """What whoever asks names anew; None where the manifest's holds.

    Attributes:
        model: where the model is, or a factory, which is run.
        data: where the pictures are.
        arch: the architecture of a checkpoint, or a factory, which is run.
        plugin: Python files, which are run.
        unsafe_load: whether a file may run code when it is opened.
        device: where to run.
        baseline: where the baseline is that limits speak of.
    """

    model: str | None = None
    data: Path | None = None
    arch: str | None = None
    plugin: Sequence[str] = ()
    unsafe_load: bool = False
    device: str | None = None
    baseline: Path | None = None


@dataclass(frozen=True)
class Brought:
    """A plugin of the audit.

    Attributes:
        path: its file.
        sha256: of that file.
        perturbations: the names of those that it registered.
        metrics: the names of those that it registered.
        installed: whether a package brought it, so that no one has to name it.
    """

    path: str
    sha256: str
    perturbations: tuple[str, ...]
    metrics: tuple[str, ...]
    installed: bool

    @property
    def names(self) -> list[str]:
        """What it brought, as ``metric NAME``: a perturbation may be called like a metric."""
        return named(self.perturbations, self.metrics)

    @classmethod
    def of(cls, plugin: Mapping[str, Any]) -> Brought:
        """Read it from a manifest."""
        return cls(
            str(plugin["path"]),
            str(plugin["sha256"]),
            tuple(map(str, plugin["perturbations"])),
            tuple(map(str, plugin.get("metrics", ()))),
            plugin.get("distribution") is not None,
        )


def named(perturbations: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """What a plugin brings, by kind and name."""
    return [*(f"perturbation {each}" for each in perturbations), *(f"metric {m}" for m in metrics)]


@dataclass(frozen=True)
class Recorded:
    """What a manifest says of how the audit was made.

    Attributes:
        settings: of the scan, with what was given anew; without what runs code.
        plugins: what each brought.
        unsafe: whether the audit's model was opened by a file that may run code.
        effort: of the search for worst cases; the cheap one where there was none.
    """

    settings: Settings
    plugins: tuple[Brought, ...]
    unsafe: bool
    effort: Effort


def as_recorded(manifest: Mapping[str, Any], audit: Path, given: Given) -> Recorded:
    """Gather how an audit was made.

    Args:
        manifest: of the audit.
        audit: its folder.
        given: what is named anew.

    Raises:
        AuditError: the manifest is damaged.
        UsageError: what runs code has to be named again.
    """
    path = audit / MANIFEST
    with reading_manifest(path):
        values = {name: each["value"] for name, each in manifest["settings"].items()}
        brought = [Brought.of(each) for each in manifest["plugins"]]
        searched = manifest.get("worst_case")
        effort = Effort(**searched) if searched else CHEAP
    _refuse_code(values, path, given)
    unsafe = bool(values.get("unsafe_load"))
    anew = {"model": given.model, "data": given.data, "arch": given.arch, "device": given.device}
    values.update({name: value for name, value in anew.items() if value is not None})
    # Compiling for a few pictures takes longer than they do.
    values |= {"plugin": tuple(given.plugin), "unsafe_load": given.unsafe_load}
    values |= {"torchcompile": False, "out": None}
    try:
        settings = explicit(values).settings
    except UsageError as error:
        raise AuditError(f"{path} is damaged, or of another semaudit: {error}") from error
    return Recorded(settings, tuple(brought), unsafe, effort)


def _refuse_code(values: Mapping[str, Any], path: Path, given: Given) -> None:
    """What the manifest names, and would run, must be named again."""
    for name, new in (("model", given.model), ("arch", given.arch)):
        spec = values.get(name)
        if new is None and isinstance(spec, str) and is_factory(spec):
            raise UsageError(
                f"{path} names the {name} {spec!r}, which runs code, and a file cannot ask for "
                f"that: give it again with --{name} {spec}"
            )


def open_plugins(audited: Recorded) -> tuple[list[LoadedPlugin], list[str]]:
    """Load what is installed and what was named, and return it with warnings of other contents."""
    loaded = load_plugins(audited.settings)
    before = {name: each.sha256 for each in audited.plugins for name in each.names}
    warnings = [
        f"{each.path} has changed since the audit: its {name} may do other things"
        for each in loaded
        for name in named(each.perturbations, each.metrics)
        if before.get(name, each.sha256) != each.sha256
    ]
    return loaded, warnings


def open_again(audit: Path, report: Report, recorded: Recorded) -> tuple[Classifier, Runtime]:
    """Open the model of an audit.

    Raises:
        AuditError: it is another one.
        ModelError: it cannot be opened.
        UsageError: it has to be named.
    """
    settings = recorded.settings
    if settings.model is None:
        raise UsageError(
            f"{audit} does not say which file {report.model.name!r} was: it was scanned from "
            f"Python. Name it with --model; {IN_PYTHON}"
        )
    place = resolve(settings)
    try:
        classifier = open_model(settings.model, settings.data, settings, place).folded()
    except (ModelError, UsageError) as error:
        again = ""
        if recorded.unsafe and not settings.unsafe_load:
            again = "\nthe audit was made with --unsafe-load, which runs code in the file and has "
            again += "to be given again: --unsafe-load"
        elif not isinstance(error, UsageError) and Path(settings.model).suffix:
            again = f"\n(--model says where {settings.model} is now, if it has moved)"
        raise type(error)(f"{error}{again}") from error
    found = classifier.weights_sha256
    if found != report.model.weights_sha256:
        raise AuditError(
            f"{settings.model} has other weights than {audit} was made with ({found[:12]}, not "
            f"{report.model.weights_sha256[:12]}): name the audited ones with --model, or scan "
            "again"
        )
    if classifier.activation != report.model.activation:
        raise AuditError(
            f"the outputs of {settings.model} are taken as {classifier.activation}, and those of "
            f"{audit} as {report.model.activation}; scan again"
        )
    return classifier, place


def require_pictures(audit: Path, report: Report, settings: Settings) -> None:
    """Make sure, before the model is opened, that pictures are named and there.

    Raises:
        ImageError: they are not where the manifest says.
        UsageError: they were in memory.
    """
    if settings.data is None and settings.dataset is None:
        if not report.data.smoke_test:
            raise UsageError(
                f"{audit} does not say where its pictures are: they were in memory, or named in "
                f"Python ({report.data.source}). Name them with --data; {IN_PYTHON}"
            )
    elif settings.data is not None and settings.dataset is None:
        pattern = any(sign in str(settings.data) for sign in "*?[{")
        if not pattern and not settings.data.exists():
            raise ImageError(
                f"the pictures of {audit} are not at {settings.data}: say with --data where they "
                "are now"
            )
