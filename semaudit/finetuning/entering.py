"""Whether a run may begin: where it can write, alone, and over nothing that would be lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from semaudit.errors import AuditError, SemauditError, UsageError, last_line, out_of_memory
from semaudit.finetuning.engine import Engine
from semaudit.finetuning.keeping import Keeper
from semaudit.finetuning.locking import alone
from semaudit.finetuning.saving import check_earlier, check_place
from semaudit.folder import to_go_on

_GRACE = 5.0
"""Seconds in which the first process can say why all are refused."""


def enter(
    engine: Engine, held: ExitStack, out: Path, model: object, *, force: bool, resume: bool
) -> None:
    """Take the place of a result, before any work; all processes hear of what the main one is told.

    Args:
        engine: those that train together.
        held: keeps the lock.
        out: the file of the weights.
        model: what is tuned, as it was named.
        force: replace what is there.
        resume: go on with a run that was broken off.

    Raises:
        UsageError: it cannot be written, another run is at work on it, or something would be lost.
    """
    refused: UsageError | None = None
    if engine.main:
        try:
            check_place(out, model)
            held.enter_context(alone(out))
            _refuse_earlier(out, force=force, resume=resume)
        except UsageError as error:
            refused = error
    if not engine.told(float(refused is None)):
        if refused is None:  # a launcher ends all once one has: not before the first says why
            time.sleep(_GRACE)
        raise refused or UsageError("the first of the processes was refused, and says why")


def _refuse_earlier(out: Path, *, force: bool, resume: bool) -> None:
    check_earlier(out, force=force, resume=resume)
    keeper = Keeper.beside(out, {})
    if resume and not keeper.holds_any:
        raise UsageError(
            f"--resume: there is nothing to go on with at {keeper.folder}; without --resume the "
            "run starts afresh"
        )
    if keeper.holds_any and not (resume or force):
        raise UsageError(
            f"{keeper.folder} is of a run that was broken off: --resume goes on with it, --force "
            "starts afresh"
        )


@contextmanager
def still_kept(keeper: Keeper, out: Path) -> Iterator[None]:
    """Say of an error that ends a run after its training that this is not lost.

    Raises:
        AuditError: what went wrong, and how to go on.
    """
    try:
        yield
    except (SemauditError, OSError, RuntimeError, MemoryError) as error:
        mistake = isinstance(error, RuntimeError) and not out_of_memory(error)
        if mistake or not keeper.holds:
            raise
        raise AuditError(
            f"{last_line(error)}\nWhat was trained is kept in {keeper.folder}: {to_go_on(out)} "
            "goes on from there, with the pictures as they are; --max-unreadable may be another"
        ) from error
