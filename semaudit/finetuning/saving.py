"""The result as ``.safetensors`` that says of itself what opening it takes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from semaudit import __version__
from semaudit.errors import UsageError
from semaudit.files import appearing_file, check_file, refuse_undecodable
from semaudit.finetuning.keeping import LOG, SEARCH, STATE
from semaudit.finetuning.record import RECORD
from semaudit.finetuning.student import weights_of
from semaudit.folder import evidence_beside, evidence_of, partial
from semaudit.models import Classifier
from semaudit.models.factory import is_factory
from semaudit.models.preprocessing import timm_config
from semaudit.models.torchvision_models import PREFIX as TORCHVISION

SUFFIX = ".safetensors"

_NAME_MAX = 255
"""Bytes of a name that file systems take."""


def check_place(out: Path, model: object) -> None:
    """Make sure, before any work, that the result can be written.

    Raises:
        UsageError: another ending, no such folder, or it is the model itself.
    """
    if isinstance(model, (str, Path)) and out.resolve() == Path(model).resolve():
        raise UsageError(f"-o {out} is the model that is to be tuned: name another file")
    if out.suffix != SUFFIX:
        raise UsageError(f"-o {out}: name a file that ends in {SUFFIX}, as smoother{SUFFIX}")
    check_file(out)
    refuse_undecodable(out, "-o")
    longest = f".{evidence_beside(out).name}-{'x' * 8}"  # while another takes its place
    over = len(os.fsencode(longest)) - _NAME_MAX
    if over > 0:
        raise UsageError(f"-o {out}: the name is too long by {over}")


def check_earlier(out: Path, *, force: bool, resume: bool) -> None:
    """Make sure, before any work, that nothing is lost by writing the result.

    Raises:
        UsageError: it is there already, or something of someone else's is.
    """
    _refuse_foreign(evidence_of(out), (RECORD,))
    _refuse_foreign(evidence_beside(out), (RECORD,))
    _refuse_foreign(partial(out), (STATE, LOG, SEARCH))
    for each in (out, evidence_of(out)):
        if each.exists() and not force:
            if resume and (partial(out) / STATE).is_file():
                raise UsageError(f"{each} exists: --resume --force goes on, and replaces it")
            if resume:
                raise UsageError(
                    f"--resume: there is nothing to go on with, {each} is of a run that is done; "
                    "--force starts afresh"
                )
            if (partial(out) / STATE).is_file():
                raise UsageError(
                    f"{each} exists, and {partial(out)} is of a run that was broken off: --resume "
                    "--force goes on with that, --force starts afresh"
                )
            raise UsageError(f"{each} exists: --force replaces it")


def _refuse_foreign(folder: Path, marks: Sequence[str]) -> None:
    """Refuse a place for the evidence that no run left: it would be lost.

    Args:
        folder: the place.
        marks: files of which a run leaves one at least.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"{folder} is no folder, and the evidence goes there: move it away")
    if any(folder.iterdir()) and not any(_there(folder, mark) for mark in marks):
        raise UsageError(
            f"{folder} is of no earlier run, for it has no {' or '.join(marks)}, and would be "
            "lost: move it away, or name another file"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} cannot be written to: no permission")


def _there(folder: Path, mark: str) -> bool:
    """Whether there is such a file, or one that was being written when the run was killed."""
    name = Path(mark)
    unfinished = mark in (STATE, SEARCH) and any(folder.glob(f".{name.stem}-*{name.suffix}"))
    return unfinished or (folder / mark).is_file()


def architecture_of(classifier: Classifier) -> str | None:
    """What builds the model, as a scan recognises it in a file; None where code of one's own does.

    A factory is not named even where it is known: a file must not say which code to run.
    """
    stated = (timm_config(classifier.module) or {}).get("architecture")
    if isinstance(stated, str) and stated:
        return stated
    arch = str(classifier.provenance.get("arch") or "")
    return arch if arch.startswith(TORCHVISION) else None


def how_to_open(classifier: Classifier, out: Path) -> str | None:
    """A note on what a scan of the result must be told; None: nothing."""
    flags: list[str] = []
    if architecture_of(classifier) is None:
        arch = str(classifier.provenance.get("factory") or "")
        flags.append(f"--arch {arch if is_factory(arch) else 'FILE.py:FUNCTION'}")
    if classifier.activation == "sigmoid":
        flags.append("--activation sigmoid")
    return f"open it with: semaudit scan {out} {' '.join(flags)}" if flags else None


def metadata_of(
    classifier: Classifier, names: tuple[str, ...] | None, provenance: Mapping[str, Any]
) -> dict[str, str]:
    """What the header says: architecture, classes, preprocessing, and where the weights are from.

    Args:
        classifier: what is saved.
        names: of the classes, where they are known.
        provenance: fit for JSON.
    """
    preprocessing = asdict(classifier.preprocessing)
    config = {**preprocessing, "num_classes": classifier.num_classes}
    arch = architecture_of(classifier)
    stated = {
        "format": "pt",
        "num_classes": str(classifier.num_classes),
        "pretrained_cfg": json.dumps(config),
        "semaudit": json.dumps({"version": __version__, **provenance}),
    }
    if arch is not None:
        stated["architecture"] = arch
    if names is not None and classifier.activation != "none":
        stated["label_names"] = json.dumps(list(names))
    if classifier.activation == "none":
        del stated["num_classes"]
    return stated


def save(module: nn.Module, out: Path, metadata: Mapping[str, str]) -> None:
    """Write the weights, whole or not at all."""
    weights = {key: value.cpu().contiguous() for key, value in weights_of(module).items()}
    with appearing_file(out) as work:
        save_file(weights, work, dict(metadata))
        work.chmod(0o644)  # safetensors writes for its owner alone
