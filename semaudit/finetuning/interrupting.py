"""Ctrl-C between two updates rather than inside one, whose weights would be half moved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Asked:
    """Whether the run was asked to stop."""

    to_stop: bool = False


@contextmanager
def deferred() -> Iterator[Asked]:
    """Note the first signal to stop; a second one stops at once.

    Outside the main thread, where Python takes no signals, nothing is noted.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(_: int, __: FrameType | None) -> None:
        if asked.to_stop:
            raise KeyboardInterrupt
        asked.to_stop = True

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
