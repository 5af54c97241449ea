"""What is refused before any work, and what an error after it leaves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from semaudit.errors import AuditError, ProbeError, UsageError
from semaudit.finetuning import tuning
from semaudit.finetuning.entering import enter
from semaudit.finetuning.locking import alone
from semaudit.finetuning.tuning import finetune
from semaudit.folder import partial

from .gratings import source, trained

QUICK: dict[str, Any] = {"device": "cpu", "select": "brightness", "gradients": False, "epochs": 2}


@pytest.mark.parametrize("flags", [{}, {"force": True}, {"resume": True}])
def test_a_run_at_work_is_not_called_a_broken_one(tmp_path: Path, flags: dict[str, bool]) -> None:
    """Whether its first state is on disk or not."""
    out = tmp_path / "a.safetensors"
    wanted = {"force": False, "resume": False, **flags}
    for state in (False, True):
        if state:
            partial(out).mkdir()
            (partial(out) / "state.pt").write_bytes(b"")
        with alone(out), pytest.raises(UsageError, match="another run is at work"):
            enter(ExitStack(), out, "a model", **wanted)


def test_the_lock_is_held_before_anything_is_read(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    seen: list[str] = []

    def watch(tick: Any) -> None:
        if not seen:
            with pytest.raises(UsageError, match="another run is at work"), alone(out):
                pass
        seen.append(tick.stage)

    finetune(trained(), source(60), out, watch=watch, **QUICK)
    assert seen[0] == "reading pictures"
    assert not list(tmp_path.glob(".*"))


def no_work(*_: Any, **__: Any) -> Any:
    raise AssertionError("it trained")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"select": "brightnes"}, "brightnes"),
        ({"ignore": "nope"}, "nope"),
        ({"battery": Path("nowhere.yaml")}, "nowhere.yaml"),
        ({"taxonomy": "nowhere.json"}, "nowhere.json"),
        ({"worst_case": True, "ignore": "adversarial"}, "--worst-case would have no effect"),
        ({"gradient_samples": 2}, "--gradient-samples would have no effect"),
    ],
)
def test_what_the_audits_would_refuse_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(tuning, "_trained", no_work)
    with pytest.raises(UsageError, match=said):
        finetune(trained(), source(60), tmp_path / "a.safetensors", **{**QUICK, **settings})
    assert not list(tmp_path.iterdir())


def test_pictures_are_asked_for_first(tmp_path: Path) -> None:
    ticks: list[Any] = []
    with pytest.raises(UsageError, match="needs pictures"):
        finetune(trained(), None, tmp_path / "a.safetensors", watch=ticks.append)
    assert not ticks


def test_an_error_after_training_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "write", raising(ProbeError("no such probe")))
        with pytest.raises(
            AuditError, match=r"no such probe\nWhat was trained is kept in .*resume"
        ):
            finetune(trained(), source(60), out, **QUICK)
    assert (partial(out) / "state.pt").is_file()
    resumed = finetune(trained(), source(60), out, resume=True, **QUICK)
    assert any("training was done before" in note for note in resumed.record["notes"])


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail
