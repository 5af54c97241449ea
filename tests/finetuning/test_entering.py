"""What is refused before any work, and what an error after it leaves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from semaudit.errors import AuditError, ProbeError, UsageError
from semaudit.finetuning import tuning
from semaudit.finetuning.engine import Engine
from semaudit.finetuning.entering import enter
from semaudit.finetuning.locking import alone
from semaudit.finetuning.tuning import finetune
from semaudit.folder import partial

from .gratings import source, trained

ALONE = Engine(torch.device("cpu"), None)
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
            enter(ALONE, ExitStack(), out, "a model", **wanted)


def test_the_lock_is_held_before_anything_is_read(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    seen: list[str] = []

    def watch(tick: Any) -> None:
        if not seen:
            with pytest.raises(UsageError, match="another run is at work"), alone(out):
                pass
        seen.append(tick.stage)

    finetune(trained(), source(60), out, watch=watch, **QUICK)
    assert seen[:2] == ["opening the model", "reading pictures"]
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


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"warmup_epochs": 2}, "--warmup-epochs 2 are 2 updates, of 2 in all"),
        ({"train_bn": True}, "--train-bn would have no effect: .* has no BatchNorm"),
    ],
)
def test_what_the_model_and_the_pictures_show_to_be_idle(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(4))
    size = source(60).images.shape[1:]
    module(torch.zeros(1, *size))
    settings = {**QUICK, **settings, "input_size": tuple(size)}
    with pytest.raises(UsageError, match=said):
        finetune(module, source(60), tmp_path / "a.safetensors", **settings)


def test_places_that_take_no_file(tmp_path: Path) -> None:
    link = tmp_path / "link.safetensors"
    for leads_to, said in (
        ("/proc/a.safetensors", "cannot be written to /proc"),
        (tmp_path / "none" / "a.safetensors", f"there is no folder {tmp_path / 'none'}"),
    ):
        link.symlink_to(leads_to)
        with pytest.raises(UsageError, match=said):
            enter(ALONE, ExitStack(), link, "a model", force=True, resume=False)
        link.unlink()
    with ExitStack() as held:
        longest = tmp_path / f"{'a' * 225}.safetensors"
        enter(ALONE, held, longest, "a model", force=False, resume=False)
        with pytest.raises(UsageError, match="the name is too long by 1"):
            enter(ALONE, held, longest.with_stem("a" * 226), "a model", force=False, resume=False)


def test_pictures_are_asked_for_first(tmp_path: Path) -> None:
    ticks: list[Any] = []
    with pytest.raises(UsageError, match="needs pictures"):
        finetune(trained(), None, tmp_path / "a.safetensors", watch=ticks.append)
    assert not ticks


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ProbeError("no such probe"), "no such probe"),
        (OSError(28, "No space left on device"), r"\[Errno 28\] No space left on device"),
        (RuntimeError("CUDA out of memory"), "CUDA out of memory"),
    ],
)
def test_an_error_after_training_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    out = tmp_path / "a.safetensors"
    kept = rf"^{said}\nWhat was trained is kept in .*partial: --resume"
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "write", raising(error))
        with pytest.raises(AuditError, match=f"{kept} goes on"):
            finetune(trained(), source(60), out, **QUICK)
        out.write_bytes(b"of an earlier run")
        with pytest.raises(AuditError, match=f"{kept} --force goes on"):
            finetune(trained(), source(60), out, force=True, **QUICK)
        out.unlink()
        patch.setattr(tuning, "write", raising(RuntimeError("a mistake in semaudit")))
        with pytest.raises(RuntimeError, match=r"^a mistake in semaudit$"):
            finetune(trained(), source(60), out, resume=True, **QUICK)
    assert (partial(out) / "state.pt").is_file()
    resumed = finetune(trained(), source(60), out, resume=True, **QUICK)
    assert any(
        "--resume went on with the choice and the proof" in note for note in resumed.record["notes"]
    )


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail
