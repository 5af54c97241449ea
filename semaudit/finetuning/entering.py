"""Whether a run may begin: where it can write, alone, and over nothing that would be lost."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from semaudit.errors import UsageError
from semaudit.finetuning.engine import Engine, launched
from semaudit.finetuning.keeping import Keeper
from semaudit.finetuning.locking import alone
from semaudit.finetuning.saving import check_earlier, check_place


def enter(held: ExitStack, out: Path, model: object, *, force: bool, resume: bool) -> None:
    """Take the place of a result, before any work.

    Of several processes only the main one may, once it can tell the others: see `enter_together`.

    Args:
        held: keeps the lock.
        out: the file of the weights.
        model: what is tuned, as it was named.
        force: replace what is there.
        resume: go on with a run that was broken off.

    Raises:
        UsageError: it cannot be written, another run is at work on it, or something would be lost.
    """
    check_place(out, model)
    if launched() == 1:
        held.enter_context(alone(out))
    _refuse_earlier(out, force=force, resume=resume)


def enter_together(
    engine: Engine, held: ExitStack, out: Path, *, force: bool, resume: bool
) -> None:
    """The same where several train together: all hear of what the main one is told.

    Raises:
        UsageError: as `enter`.
    """
    refused: UsageError | None = None
    if engine.main:
        try:
            held.enter_context(alone(out))
            _refuse_earlier(out, force=force, resume=resume)  # another may have come in between
        except UsageError as error:
            refused = error
    if not engine.told(float(refused is None)):
        raise refused or UsageError("the first of the processes was refused, and says why")


def _refuse_earlier(out: Path, *, force: bool, resume: bool) -> None:
    check_earlier(out, force=force, resume=resume)
    keeper = Keeper.beside(out, {})
    if resume and not keeper.holds:
        raise UsageError(f"--resume: there is nothing to go on with at {keeper.folder}")
    if keeper.holds and not (resume or force):
        raise UsageError(
            f"{keeper.folder} is of a run that was broken off: --resume goes on with it, --force "
            "starts afresh"
        )
