"""Opens the model and the pictures of a finished audit again, by what its manifest says.

A manifest is data from outside: nothing in it may run code. Plugins, files that run code when they
are opened, and factories have to be named again by whoever asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semaudit.errors import AuditError, ImageError, ModelError, UsageError
from semaudit.files import read_text
from semaudit.folder import MANIFEST
from semaudit.models import Classifier, weights_sha256
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
    """

    model: str | None = None
    data: Path | None = None
    arch: str | None = None
    plugin: Sequence[str] = ()
    unsafe_load: bool = False
    device: str | None = None


@dataclass(frozen=True)
class Recorded:
    """What a manifest says of how the audit was made.

    Attributes:
        settings: of the scan, with what was given anew; without what runs code.
        plugins: the hash of each plugin's file, by the perturbations that it brought.
        unsafe: whether the audit's model was opened by a file that may run code.
        effort: of the search for worst cases; the cheap one where there was none.
    """

    settings: Settings
    plugins: Mapping[str, tuple[str, str]]
    unsafe: bool
    effort: Effort


def read_manifest(audit: Path, given: Given) -> Recorded:
    """Read how an audit was made.

    Raises:
        AuditError: the manifest is missing or damaged.
        UsageError: what runs code has to be named again.
    """
    path = audit / MANIFEST
    text = read_text(path, f"is {audit} an audit?")
    try:
        document = json.loads(text)
        values = {name: each["value"] for name, each in document["settings"].items()}
        plugins = {
            str(name): (str(plugin["path"]), str(plugin["sha256"]))
            for plugin in document["plugins"]
            for name in plugin["perturbations"]
        }
        searched = document.get("worst_case")
        effort = Effort(**searched) if searched else CHEAP
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AuditError(f"{path} is damaged, or no manifest of semaudit's; scan again") from error
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
    return Recorded(settings, plugins, unsafe, effort)


def _refuse_code(values: Mapping[str, Any], path: Path, given: Given) -> None:
    """What the manifest names, and would run, must be named again."""
    for name, new in (("model", given.model), ("arch", given.arch)):
        spec = values.get(name)
        if new is None and isinstance(spec, str) and is_factory(spec):
            raise UsageError(
                f"{path} names the {name} {spec!r}, which runs code, and a file cannot ask for "
                f"that: give it again with --{name} {spec}"
            )


def open_plugins(recorded: Recorded) -> tuple[list[LoadedPlugin], list[str]]:
    """Load what is installed and what was named, and return it with warnings of other contents."""
    loaded = load_plugins(recorded.settings)
    warnings = [
        f"{plugin.path} has changed since the audit: its perturbation {name} may do other things"
        for plugin in loaded
        for name in plugin.perturbations
        if name in recorded.plugins and recorded.plugins[name][1] != plugin.sha256
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
    found = str(classifier.provenance.get("weights_sha256") or weights_sha256(classifier.module))
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
