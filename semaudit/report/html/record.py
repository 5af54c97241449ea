"""What the folder's JSON files say: the manifest, and of which fine-tuning the audit is a part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from semaudit.errors import AuditError
from semaudit.folder import MANIFEST
from semaudit.report.document import Report
from semaudit.report.html.parts import Chart, Section, Table
from semaudit.report.text import number, percent
from semaudit.settings import DEFAULT

FINETUNED = "finetune.json"
_LONG = ("class_names", "text")
"""Keys of what is too long for a page, and in the file."""


def read_json(path: Path) -> dict[str, Any] | None:
    """An object of a JSON file; None where there is no file.

    Raises:
        AuditError: it is damaged.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise AuditError(f"{path} is damaged: {error}") from error
    if not isinstance(document, dict):
        raise AuditError(f"{path} is damaged: it holds no object")
    return document


def class_names(report: Report, manifest: dict[str, Any] | None) -> list[str]:
    """Names of the classes by index; of an older audit, those that its report happens to name."""
    model = (manifest or {}).get("model")
    names = model.get("class_names") if isinstance(model, dict) else None
    if isinstance(names, list):
        return [str(name) for name in names]
    known = [f"class {k}" for k in range(report.model.num_classes)]
    named = [(each.clean_class, each.clean_name) for each in report.worst]
    named += [(each.from_class, each.from_name) for each in report.class_flips]
    named += [(each.to_class, each.to_name) for each in report.class_flips]
    for index, name in named:
        if 0 <= index < len(known):
            known[index] = name
    return known


def manifest_section(report: Report, manifest: dict[str, Any] | None) -> Section:
    """How the audit was made."""
    facts = [
        ("semaudit", report.semaudit),
        ("model", report.model.name),
        ("weights, sha256", report.model.weights_sha256),
        ("preprocessing", report.model.preprocessing),
        ("pictures", report.data.source),
        ("fingerprint of the pictures", report.data.fingerprint),
        ("seed", f"{report.seed}"),
    ]
    tables = [Table.of("What was audited", ("fact", "value"), facts)]
    remarks: tuple[str, ...] = ()
    if manifest is None:
        remarks = (f"There is no {MANIFEST}: how the scan ran is not known.",)
    else:
        kept = {k: v for k, v in manifest.items() if k not in ("settings", "battery", "data")}
        given = [
            (str(name), _value(each.get("value")), str(each.get("origin")))
            for name, each in _items(manifest.get("settings"))
            if isinstance(each, dict) and each.get("origin") != DEFAULT
        ]
        tables.append(Table.of("How it ran", ("key", "value"), list(_flat(kept))))
        tables.append(Table.of("Settings that were given", ("setting", "value", "from"), given))
    battery = [
        (
            each.name,
            each.family,
            each.claim,
            ", ".join(f"{x:g}" for x in each.ladder),
            each.sha256[:12],
        )
        for each in report.battery
    ]
    headers = ("probe", "family", "claim", "ladder", "sha256")
    tables.append(Table.of("Battery", headers, battery))
    return Section("manifest", "The manifest", remarks, (), (), tuple(tables))


def finetuned_section(audit: Path | None) -> Section:
    """The frontier of the fine-tuning that an audit was made by, if it was."""
    document = None if audit is None else read_json(audit.resolve().parent / FINETUNED)
    points = [each for each in (document or {}).get("frontier") or () if _is_point(each)]
    if document is None or not points:
        return Section("finetuning", "Fine-tuning")
    kept = str(document.get("kept", "accuracy"))
    rows = [(f"{p['share']:g}", number(p["shift"]), percent(p["kept"])) for p in points]
    headers = ("share of the tuned weights", "mean shift", kept)
    chart = Chart(
        "frontier",
        "frontier-chart",
        f"{kept} against shift, for weights between the original (0) and the tuned (1)",
        f"{len(points)} points; to the left is more continuous, up is more {kept}.",
        {
            "x": [p["shift"] for p in points],
            "y": [100 * p["kept"] for p in points],
            "labels": [f"{p['share']:g}" for p in points],
            "kept": kept,
            "said": [[f"{h} {cell}" for h, cell in zip(headers, row, strict=True)] for row in rows],
        },
        Table.of("Frontier", headers, rows),
    )
    choice = document.get("choice")
    why = choice.get("why") if isinstance(choice, dict) else None
    return Section("finetuning", "Fine-tuning", (str(why),) if why else (), (chart,))


def _is_point(each: object) -> bool:
    return isinstance(each, dict) and all(
        isinstance(each.get(key), (int, float)) for key in ("share", "shift", "kept")
    )


def _items(value: object) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested objects as lines of a dotted key and a value."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in _LONG:
                yield from _flat(each, f"{name}.{key}" if name else str(key))
    else:
        yield name, _value(value)


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
