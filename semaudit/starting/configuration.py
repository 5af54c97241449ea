"""A commented semaudit.yaml: what a project sets, then every other setting with its default."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from semaudit.errors import AuditError
from semaudit.folder import read_manifest
from semaudit.report.text import printable
from semaudit.settings import RUNS_CODE, Settings, explicit

_HEAD = """\
# What `semaudit scan` runs with in this folder. A flag, or a variable as SEMAUDIT_SEED=1, goes
# before it; `semaudit config` prints what holds and where it came from.
"""
_ELSEWHERE = "# The job will not find this there: put it in the repository, or change the key."
_PATHS = {"model", "data", "class_map", "battery", "taxonomy", "baseline"}
"""What may name a file or a folder."""

_ONCE = {"out", "format", "quiet", "exit_zero", "fail_on", "model", "data"}
"""What is said by whoever runs a scan, and what is written apart."""


def settings_of(audit: Path) -> dict[str, Any]:
    """What an audit was made with, without defaults and without what runs code.

    Raises:
        AuditError: its manifest cannot be read.
    """
    from semaudit.models.factory import is_factory  # it brings torch

    try:
        recorded = read_manifest(audit)["settings"]
        given = {
            name: each["value"]
            for name, each in recorded.items()
            if name in Settings.model_fields and each["origin"] != "default"
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise AuditError(f"the manifest in {audit} is damaged: it holds no settings") from error
    left_out = (_ONCE - {"model", "data"}) | set(RUNS_CODE)
    return {
        name: value
        for name, value in given.items()
        if name not in left_out and not (name in ("model", "arch") and is_factory(str(value)))
    }


def elsewhere(given: Mapping[str, Any]) -> dict[str, str]:
    """The settings that lead out of the folder, which a job has nowhere else to find them in."""
    return {
        name: str(value)
        for name, value in given.items()
        if name in _PATHS and value is not None and _leads_out(str(value))
    }


def missing(folder: Path, given: Mapping[str, Any]) -> dict[str, str]:
    """The settings that name a file or folder which is not there; a model may have a plain name."""
    named = {name: str(given[name]) for name in ("model", "data") if given.get(name) is not None}
    lost = {name: path for name, path in named.items() if not (folder / path).exists()}
    if "model" in lost:
        from semaudit.models.files.contents import SUFFIXES  # it brings torch

        if not lost["model"].endswith(SUFFIXES):
            del lost["model"]
    return lost


def _leads_out(path: str) -> bool:
    within = Path(os.path.normpath(path))
    return within.is_absolute() or within.parts[:1] == (os.pardir,) or path.startswith("~")


def configuration(given: Mapping[str, Any], limits: Sequence[str], remarks: Sequence[str]) -> str:
    """The text of a semaudit.yaml.

    Args:
        given: what holds.
        limits: as ``flip_rate<=0.05``.
        remarks: of the limits.
    """
    lines = [_HEAD]
    for name, example in (("model", "model.pt"), ("data", "photos/")):
        lines += _entry(name, given.get(name, example), given)
    lines += [""]
    lines += ["# Limits: metric[.statistic][probe|family] <= value, as shift.p95[noise]<=0.2"]
    lines += [f"# {printable(remark)}" for remark in remarks]
    lines += _limits(limits)
    lines += ["", "# All other settings; what is commented out is the default."]
    defaults = explicit({}).settings.model_dump(mode="json")
    for name, field in Settings.model_fields.items():
        if name in _ONCE or name in RUNS_CODE:
            continue
        lines += [f"# {field.description}"]
        lines += _entry(name, given.get(name, defaults[name]), given)
    return "\n".join(lines) + "\n"


def _limits(limits: Sequence[str]) -> list[str]:
    if not limits:
        return ["# fail_on: ['flip_rate<=0.05', 'accuracy>=0.7']"]
    return ["fail_on:", *(f"  - {_value(limit)}" for limit in limits)]


def _entry(name: str, value: Any, given: Mapping[str, Any]) -> list[str]:
    remark = [_ELSEWHERE] if name in elsewhere(given) else []
    return [*remark, f"{'' if name in given else '# '}{name}: {_value(value)}"]


def _value(value: Any) -> str:
    """A value on one line of YAML; quoted wherever it could be taken for anything else."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=False)
    return text.removesuffix("...\n").strip()
