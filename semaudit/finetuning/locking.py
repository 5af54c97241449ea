"""One run at a time for a file: a second would write into, or clear away, what the first keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from semaudit.errors import UsageError
from semaudit.folder import partial


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold the lock of what will be written; the system lets go of it where this process dies.

    Raises:
        UsageError: another process holds it, or nothing can be locked here.
    """
    target = partial(out)
    path = target.with_name(f".{target.stem}.lock")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"another run is at work on {out}: wait for it, or name another file"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise UsageError(f"{path} cannot be locked: {error}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()
