"""The audit folder appears whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from semaudit.errors import AuditError, UsageError
from semaudit.files import read_text, refuse_undecodable
from semaudit.report.renderings import ENDINGS
from semaudit.store import IMAGES, PATHS, SAMPLES

MANIFEST, REPORT, MARKDOWN = "manifest.json", "report.json", "report.md"
METRICS = "metrics.json"
CASES = "cases"
"""The folder that `semaudit inspect` draws into unless told otherwise; it goes with its audit."""

CASE_NUMBERS = "cases.json"
"""The file in it that tells in numbers what is drawn."""

PICTURES = "pictures"
"""The folder of the worst pictures that a scan keeps."""

_FOLDERS = {CASES: (".png", ".json"), PICTURES: (".webp", ".png", ".json")}
_OURS = {MANIFEST, REPORT, MARKDOWN, METRICS, IMAGES, PATHS, SAMPLES}
_RENDERED = {f"report{ending}" for ending in ENDINGS} - _OURS
"""Renderings that may lie in an audit's folder: the next scan's audit takes the place of both."""


def check_target(out: Path) -> None:
    """Raise UsageError unless ``out`` can become an audit folder.

    An earlier audit is replaced; a folder with anything else in it is not touched.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; name a folder")
    refuse_undecodable(out, "--out")
    if out.resolve() == Path.cwd() or os.path.ismount(out):
        raise UsageError(
            f"--out {out} is the working directory or a mount point, which a finished audit "
            f"cannot take the place of; name a folder in it, as {out / 'audit'}"
        )
    for folder in (out, partial(out)):
        if folder.is_dir() and (foreign := _foreign(folder)):
            raise UsageError(
                f"--out {out}: {folder} holds {foreign!r}, which is of no earlier audit and would "
                "be lost; name another folder"
            )
    parent = out.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UsageError(f"--out {out} cannot be written: {parent} is a file")
    if not os.access(out if out.is_dir() else parent, os.W_OK | os.X_OK):
        raise UsageError(f"--out {out} cannot be written: no permission in {parent}")


def _foreign(folder: Path) -> str | None:
    """The first thing in a folder that no scan has written."""
    return min((each.name for each in folder.iterdir() if not _is_ours(each)), default=None)


def _is_ours(file: Path) -> bool:
    if file.name in _FOLDERS and file.is_dir():
        endings = _FOLDERS[file.name]
        return all(each.is_file() and each.suffix in endings for each in file.iterdir())
    return file.name in _OURS | _RENDERED


def check_rendering(out: Path, audit: Path) -> None:
    """Raise UsageError unless a rendering within an audit's folder may lie there, so called."""
    if out.resolve().parent != audit.resolve():
        raise UsageError(f"-o {out} would lie in a folder of the audit's own: name another")
    if out.name in _OURS:
        raise UsageError(f"-o {out} is the audit's own file, which is kept as the scan wrote it")
    if out.name not in _RENDERED:
        raise UsageError(
            f"-o {out} would lie in the audit's folder, which the next scan replaces: there it has "
            f"to be called report{out.suffix}; or name another folder"
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read an audit's manifest.json as it stands.

    Raises:
        AuditError: it is missing or damaged.
    """
    path = folder / MANIFEST
    return as_manifest(read_text(path, f"is {folder} an audit?"), path)


def as_manifest(text: str, path: Path) -> dict[str, Any]:
    """Read the text of a manifest that is at ``path``.

    Raises:
        AuditError: it is none.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AuditError(f"{path} is damaged: it is not JSON; scan again") from error
    if not isinstance(document, dict):
        raise AuditError(f"{path} is damaged: it is no manifest of semaudit's; scan again")
    return document


@contextmanager
def reading_manifest(path: Path) -> Iterator[None]:
    """Turn what a manifest lacks, where it is looked into, into an error that names it.

    Raises:
        AuditError: it is damaged.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AuditError(f"{path} is damaged, or no manifest of semaudit's; scan again") from error


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """Yield a new folder beside ``out`` that takes its name at the end.

    If the body raises, the folder goes; but what an interrupted one has written stays, at ``out``
    with ``.partial`` added to its name.
    """
    target = out.resolve()  # where ``out`` is a link, what it leads to is replaced
    made = [each for each in target.parents if not each.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {error}") from error
    work.chmod(0o755)
    try:
        yield work
    except KeyboardInterrupt:
        if any(work.iterdir()):
            move_in(work, partial(out))
        raise
    else:
        move_in(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for each in made:
            if not any(each.iterdir()):
                each.rmdir()


def partial(out: Path) -> Path:
    """Where the samples of an interrupted scan stay."""
    target = out.resolve()
    return target.with_name(f"{target.name}.partial")


def evidence_of(out: Path) -> Path:
    """Where the evidence of fine-tuning goes: beside the weights ``out``, under their name."""
    # Where ``out`` is a link, on the file system that it leads to, as what gathers meanwhile.
    return (out.resolve() if out.is_symlink() else out).with_suffix(".finetune")


def evidence_beside(out: Path) -> Path:
    """Where it goes where nothing improved, and ``out`` is of an earlier run, whose own stays."""
    own = evidence_of(out)
    return own.with_name(f"{own.name}.unimproved")  # which is no other result's


def to_go_on(out: Path) -> str:
    """The flags that go on with fine-tuning that was broken off."""
    return "--resume --force" if out.exists() or evidence_of(out).exists() else "--resume"


def move_in(work: Path, target: Path) -> None:
    """Give a folder the name of another, which goes only once the new one is in its place."""
    old = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        if target.exists():
            target.rename(old)
        work.rename(target)
    except BaseException:  # an interrupt, too
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
