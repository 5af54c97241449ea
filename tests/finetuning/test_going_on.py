"""A run that was broken off: what it goes on from, and when it must not."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from PIL import Image

from semaudit.errors import AuditError, UsageError
from semaudit.finetuning.identity import identity_of
from semaudit.finetuning.keeping import Keeper, Kept, Log
from semaudit.finetuning.opening import open_bench
from semaudit.finetuning.recipe import recipe_of
from semaudit.finetuning.tuning import Tuned, _found_before, finetune
from semaudit.folder import partial
from semaudit.images import TensorSource
from semaudit.settings import explicit

from .gratings import gratings, source, trained, written

QUICK: dict[str, Any] = {"device": "cpu", "select": "brightness", "gradients": False, "lr": 5e-4}


def broken_off(out: Path, stage: str, update: int, model: Any, data: Any, **settings: Any) -> None:
    """Run, and interrupt this update of this stage, once."""
    done: list[Any] = []

    def stop(tick: Any) -> None:
        if not done and tick.stage.startswith(stage) and tick.update >= update:
            done.append(tick)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        finetune(model, data, out, watch=stop, **settings)
    assert (partial(out) / "state.pt").is_file()


def updates(tuned: Tuned) -> list[int]:
    lines = (tuned.folder / "log.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["update"] for line in lines if "loss" in line]


def test_training_that_was_done_goes_on_with_the_choice(tmp_path: Path) -> None:
    settings = {**QUICK, "epochs": 2, "max_accuracy_drop": 100}
    whole = finetune(trained(), source(96), tmp_path / "whole.safetensors", **settings)
    out = tmp_path / "a.safetensors"
    broken_off(out, "choosing", 0, trained(), source(96), **settings)
    seen: list[str] = []
    resumed = finetune(
        trained(), source(96), out, resume=True, watch=lambda tick: seen.append(tick.stage),
        **settings,
    )  # fmt: skip
    assert "training" not in seen
    assert resumed.record["frontier"] == whole.record["frontier"]
    assert updates(resumed) == updates(whole) == [1, 2]
    assert any(
        "--resume went on with the choice and the proof" in note for note in resumed.record["notes"]
    )
    assert not any(
        "--resume went on with the choice and the proof" in note for note in whole.record["notes"]
    )
    with pytest.raises(UsageError, match=r"of a run that is done; --force starts afresh"):
        finetune(trained(), source(96), out, resume=True, **settings)


def test_a_run_that_broke_down_is_not_trained_again(tmp_path: Path) -> None:
    settings = {**QUICK, "lr": 1e12, "opt": "sgd", "epochs": 4}
    whole = finetune(trained(), source(96), tmp_path / "whole.safetensors", **settings)
    out = tmp_path / "a.safetensors"
    broken_off(out, "choosing", 0, trained(), source(96), **settings)
    resumed = finetune(trained(), source(96), out, resume=True, **settings)
    assert resumed.record["training"]["stopped"] == whole.record["training"]["stopped"]
    assert resumed.record["training"]["updates"] == whole.record["training"]["updates"]
    assert resumed.record["frontier"] == whole.record["frontier"]


def test_what_was_good_before_the_break_is_good_after_it(tmp_path: Path) -> None:
    """Broken off between two validations, and broken down after it: back to the first of them."""
    settings = {**QUICK, "epochs": 40, "batch_size": 8, "lr": 3.0, "opt": "sgd"}
    settings |= {"sched": "none", "max_accuracy_drop": 100, "momentum": 0.99}
    whole = finetune(trained(), source(96), tmp_path / "whole.safetensors", **settings)
    stopped = whole.record["training"]["stopped"]
    assert stopped is not None
    assert "not finite" in stopped
    last = int(stopped.split()[-1]) - 1
    assert last > whole.record["training"]["updates"]
    out = tmp_path / "a.safetensors"
    broken_off(out, "training", last, trained(), source(96), **settings)
    resumed = finetune(trained(), source(96), out, resume=True, **settings)
    assert resumed.record["training"]["updates"] == whole.record["training"]["updates"]
    assert resumed.record["frontier"] == whole.record["frontier"]


def test_what_a_kill_left_of_its_first_file_is_no_strangers(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    partial(out).mkdir()
    (partial(out) / ".search-k3x_9a.json").write_text("{", "utf-8")
    ended = finetune(trained(), source(60), out, **QUICK, epochs=1)
    assert not [each for each in ended.folder.iterdir() if each.name.startswith(".")]
    assert not partial(out).exists()


def test_a_strangers_folder_is_not_taken_for_a_runs(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    folder = tmp_path / "a.finetune"
    folder.mkdir()
    (folder / ".finetune-notes.json").write_text("{}", "utf-8")
    (folder / "thesis.txt").write_text("all of it", "utf-8")
    with pytest.raises(UsageError, match="is of no earlier run"):
        finetune(trained(), source(60), out, force=True, **QUICK, epochs=1)
    assert (folder / "thesis.txt").is_file()


def test_a_limit_of_time_ends_training_until_it_is_raised(tmp_path: Path) -> None:
    settings = {**QUICK, "steps": 6}
    out = tmp_path / "a.safetensors"
    broken_off(out, "choosing", 0, trained(), source(96), max_time=1e-6, **settings)
    kept = tmp_path / "kept"
    shutil.copytree(partial(out), kept)
    same = finetune(trained(), source(96), out, resume=True, max_time=1e-6, **settings)
    assert updates(same) == [1, 2]  # as many as before
    assert same.record["training"]["stopped"].startswith("--max-time 1e-06 had passed")
    shutil.copytree(kept, partial(out))
    more = finetune(trained(), source(96), out, resume=True, force=True, **settings)
    assert updates(more) == list(range(1, 7))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("labels", "labels was"),
        ("contents", "contents of the pictures was"),
        ("img_size", r"input_size was \[3, 24, 24\] and is \[3, 32, 32\]"),
        ("channels_last", r"memory layout \(--channels-last\) was true and is false"),
        ("amp", r"precision \(--amp-dtype\) was \"float32\" and is \"bfloat16\""),
        ("battery", "texts of the probes trained under was"),
    ],
)
def test_a_run_on_something_else_does_not_go_on(tmp_path: Path, change: str, said: str) -> None:
    checkpoint, pictures = written(tmp_path, 60)
    battery = tmp_path / "mine.yaml"
    text = "probes:\n  mine: {family: mine, claim: Light., perturbation: brightness, ladder: "
    battery.write_text(f"{text}[0.1, 0.2]}}\n", "utf-8")
    settings = {**QUICK, "epochs": 2, "perturb": ("generic", str(battery))}
    out = tmp_path / "a.safetensors"
    broken_off(out, "training", 1, checkpoint, pictures, **settings)
    first = pictures / "0" / "000.png"
    if change == "labels":
        # In ids too, but for a map of the labels.
        other = tmp_path / "map.json"
        other.write_text(json.dumps({"0": 1, "1": 0, "2": 2, "3": 3}), "utf-8")
        settings["class_map"] = other
    elif change == "contents":
        Image.new("RGB", (24, 24), "red").save(first)
    elif change == "img_size":
        settings["img_size"] = 32
    elif change == "channels_last":
        settings["channels_last"] = False
    elif change == "amp":
        settings["amp_dtype"] = "bfloat16"
    else:
        battery.write_text(f"{text}[0.1, 0.3]}}\n", "utf-8")
    with pytest.raises(UsageError, match=said):
        finetune(checkpoint, pictures, out, resume=True, **settings)
    assert (partial(out) / "state.pt").is_file()


def test_other_labels_of_the_same_tensors(tmp_path: Path) -> None:
    images, labels = gratings(60, 1)
    out = tmp_path / "a.safetensors"
    settings = {**QUICK, "epochs": 2}
    broken_off(out, "training", 1, trained(), TensorSource(images, labels), **settings)
    other = TensorSource(images, labels.flip(0))
    with pytest.raises(UsageError, match="labels was") as refused:
        finetune(trained(), other, out, resume=True, **settings)
    assert "contents" not in str(refused.value)
    with pytest.raises(UsageError, match=r"labels was .* and is null"):
        finetune(trained(), TensorSource(images), out, resume=True, **settings)
    changed = torch.cat([images[:1].flip(-1), images[1:]])
    with pytest.raises(UsageError, match="contents of the pictures was"):
        finetune(trained(), TensorSource(changed, labels), out, resume=True, **settings)


def test_weights_never_stand_without_their_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    settings = {**QUICK, "lr": 1e-3, "alpha": 20, "epochs": 4}
    out = tmp_path / "a.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("semaudit.finetuning.record.write", full)
        with pytest.raises(AuditError, match="No space"):
            finetune(trained(), source(240), out, **settings)
    assert not out.exists()
    resumed = finetune(trained(), source(240), out, resume=True, **settings)
    assert resumed.improved
    assert out.is_file()


def test_a_state_stays_until_there_is_another(tmp_path: Path) -> None:
    """Whoever starts afresh with a wrong flag, or thinks better of it, has lost nothing."""
    out = tmp_path / "a.safetensors"
    settings = {**QUICK, "steps": 6}
    broken_off(out, "training", 3, trained(), source(96), **settings)
    before = contents(partial(out))
    with pytest.raises(UsageError, match="did you mean 'adamw'"):
        finetune(trained(), source(96), out, force=True, opt="adamww", **settings)
    for stage, more in (("searching", {"alpha": "auto", "auto_time": 1}), ("reading", {})):
        with pytest.raises(KeyboardInterrupt) as stopped:
            finetune(
                trained(), source(96), out, force=True, watch=stopping(stage), **settings, **more
            )
        assert contents(partial(out)) == before
        if stage == "searching":
            assert f"nothing of this run is kept, and {partial(out)} is as it was" in str(
                stopped.value
            )
    resumed = finetune(trained(), source(96), out, resume=True, **settings)
    assert updates(resumed) == list(range(1, 7))
    assert "the run was broken off, and --resume went on after update 4" in resumed.record["notes"]


def test_a_fresh_run_has_its_own_state_from_its_first_update_on(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    settings = {**QUICK, "steps": 6}
    broken_off(out, "training", 3, trained(), source(96), **settings)
    (partial(out) / "search.json").write_text("{}", "utf-8")
    seen: list[int] = []

    def look(tick: Any) -> None:
        if tick.stage == "training" and tick.update == 2 and not seen:
            state = torch.load(partial(out) / "state.pt", weights_only=True)
            seen.append(state["updates"])
            assert not (partial(out) / "search.json").exists()

    finetune(trained(), source(96), out, force=True, watch=look, **settings)
    assert seen == [1]


def test_a_state_that_cannot_be_written_takes_no_other_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.safetensors"
    broken_off(out, "training", 3, trained(), source(96), **QUICK, steps=6)
    before = contents(partial(out))
    full = RuntimeError("PytorchStreamWriter failed writing file data/0")
    with monkeypatch.context() as patch:
        patch.setattr("torch.save", mock.Mock(side_effect=full))
        with pytest.raises(AuditError, match=r"the state cannot be written to .*: PytorchStream"):
            finetune(trained(), source(96), out, force=True, **QUICK)
    assert contents(partial(out)) == before
    assert {each.name for each in tmp_path.iterdir()} == {partial(out).name}


def test_a_kill_after_an_epoch_of_one_update_goes_on_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of the first update knows that its validation was good."""
    settings = {**QUICK, "batch_size": 512, "epochs": 4, "opt": "sgd", "lr": 1e3}
    settings |= {"sched": "constant", "max_accuracy_drop": 100}
    out, left = tmp_path / "a.safetensors", tmp_path / "left"

    real = Keeper.save

    def save(keeper: Keeper, kept: Kept) -> None:
        real(keeper, kept)
        if not left.exists():
            shutil.copytree(keeper.folder, left)

    whole = finetune(trained(), source(96), tmp_path / "whole.safetensors", **settings)
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "save", save)
        finetune(trained(), source(96), out, **settings)
    again = tmp_path / "again.safetensors"
    shutil.copytree(left, partial(again))
    resumed = finetune(trained(), source(96), again, resume=True, **settings)
    assert resumed.record["frontier"] == whole.record["frontier"]
    assert resumed.record["training"]["updates"] == whole.record["training"]["updates"]


def test_what_a_resumed_run_has_otherwise_is_noted(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    broken_off(out, "choosing", 0, trained(), source(96), **QUICK, baselines=True)
    other = {**QUICK, "max_accuracy_drop": 100, "select": ("brightness", "contrast")}
    resumed = finetune(trained(), source(96), out, resume=True, **other)
    said = "when the run was broken off, and is"
    assert [note for note in resumed.record["notes"] if said in note] == [
        f"--max-accuracy-drop was 0.5 {said} 100.0 now",
        f"--baselines was given {said} not given now",
        f"--select was brightness {said} brightness contrast now",
    ]
    assert resumed.record["audits"]["select"] == ["brightness", "contrast"]


def test_where_nothing_improves_earlier_weights_keep_their_evidence(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    settings = {**QUICK, "lr": 1e-3, "alpha": 20, "epochs": 4, "max_accuracy_drop": 100}
    first = finetune(trained(), source(240), out, **settings)
    assert first.improved
    before = contents(first.folder), out.read_bytes()
    for _ in range(2):
        second = finetune(trained(), source(240), out, force=True, **{**settings, "lr": 1e-30})
        assert not second.improved
        assert second.folder == tmp_path / "a.finetune.unimproved"
        assert (contents(first.folder), out.read_bytes()) == before
        assert json.loads((second.folder / "finetune.json").read_text("utf-8"))["choice"][
            "improved"
        ] is False  # fmt: skip
    (second.folder / "finetune.json").unlink()
    with pytest.raises(UsageError, match=r"a\.finetune\.unimproved is of no earlier run"):
        finetune(trained(), source(240), out, force=True, **settings)


def contents(folder: Path) -> dict[str, bytes]:
    """Of every file in it."""
    files = (each for each in folder.rglob("*") if each.is_file())
    return {str(each.relative_to(folder)): each.read_bytes() for each in files}


def stopping(stage: str) -> Any:
    """A watch that interrupts at a stage."""

    def watch(tick: Any) -> None:
        if tick.stage.startswith(stage):
            raise KeyboardInterrupt

    return watch


def test_an_earlier_result_in_the_way_of_a_resume_is_told_with_both_flags(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    broken_off(out, "training", 1, trained(), source(96), **QUICK)
    out.write_bytes(b"earlier")
    with pytest.raises(UsageError, match="--resume --force goes on"):
        finetune(trained(), source(96), out, resume=True, **QUICK)
    assert (partial(out) / "state.pt").is_file()


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("name", ["a.finetune", "a.safetensors.partial"])
@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_no_run_wrote_is_never_replaced(
    kind: str, name: str, force: bool, tmp_path: Path
) -> None:
    place = tmp_path / name
    if kind == "file":
        place.write_text("mine", encoding="utf-8")
    else:
        folder = place if kind == "folder" else tmp_path / "elsewhere"
        folder.mkdir()
        (folder / "thesis.txt").write_text("mine", encoding="utf-8")
        if kind == "link":
            place.symlink_to(folder, target_is_directory=True)
    with pytest.raises(UsageError, match="move it away"):
        finetune(trained(), source(96), tmp_path / "a.safetensors", force=force, **QUICK)
    kept = place if kind == "file" else place / "thesis.txt"
    assert kept.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "a.safetensors").exists()


def test_a_state_with_one_bit_turned_is_refused(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "run", {"seed": 0})
    weights = torch.arange(1000.0)
    keeper.save(Kept(1, 1.0, 8, {"weights": {"a": weights}}))
    assert keeper.load() is not None
    path = tmp_path / "run" / "state.pt"
    content = bytearray(path.read_bytes())
    at = content.index(weights.numpy().tobytes()[400:440])
    content[at + 3] ^= 64
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read"):
        keeper.load()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"arms": [], "best": 3}'])
def test_a_damaged_search_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"search\.json is damaged"):
        _found_before(path)


@pytest.mark.parametrize("line", ["7", "[]", "{}", "null", '{"update": [1]}', '{"upd'])
def test_a_broken_line_of_the_log_is_left_out(line: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"update": 1}}\n{line}\n', encoding="utf-8")
    Log(path, updates=1).write(update=2)
    assert [json.loads(each) for each in path.read_text("utf-8").splitlines()] == [
        {"update": 1}, {"update": 2},
    ]  # fmt: skip


def test_a_search_for_alpha_goes_on_only_under_the_drop_that_it_chose_by() -> None:
    settings = {"device": "cpu", "seed": 0}
    for alpha, differs in (("auto", True), (5, False)):
        one, other = (
            identity_of(
                open_bench(
                    trained(), source(96), explicit(settings),
                    recipe_of({"alpha": alpha, "max_accuracy_drop": drop}),
                )
            )
            for drop in (0.3, 5.0)
        )  # fmt: skip
        assert (one != other) == differs
