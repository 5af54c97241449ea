from __future__ import annotations

import os
import threading

import pytest

from semaudit.images.decoding.quiet import silenced


def test_silence_and_after(capfd: pytest.CaptureFixture[str]) -> None:
    free = _next_descriptor()
    with silenced():
        os.write(2, b"unheard")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
    assert _next_descriptor() == free


def _next_descriptor() -> int:
    """The lowest that is not in use: it rises when one is left open."""
    descriptor = os.dup(2)
    os.close(descriptor)
    return descriptor


def test_an_error_ends_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), silenced():
        raise ValueError("inside")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_two_threads_leave_the_standard_error_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    first, second = threading.Event(), threading.Event()

    def other() -> None:
        with silenced():
            first.set()
            second.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert first.wait(10)
    with silenced():
        second.set()
        thread.join()
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
