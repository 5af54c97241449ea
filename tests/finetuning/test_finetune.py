"""Fine-tuning as a whole, on a network that is trained here on its way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

import semaudit
from semaudit.errors import AuditError, ModelError, SemauditError, UsageError
from semaudit.finetuning.changes import changes_of
from semaudit.finetuning.parts import part_of
from semaudit.finetuning.pictures import order_of, split
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.tuning import Tuned, finetune
from semaudit.finetuning.words import told
from semaudit.folder import partial
from semaudit.images import TensorSource

from .gratings import ARCH, CLASSES, Shards, gratings, source, trained, written

QUICK: dict[str, Any] = {"device": "cpu", "select": "brightness", "gradients": False, "lr": 5e-4}


def tuned(out: Path, count: int = 96, **settings: Any) -> Tuned:
    return finetune(trained(), source(count), out, **{**QUICK, **settings})


def weights(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """One whole run; not to be changed."""
    out = tmp_path_factory.mktemp("whole") / "smoother.safetensors"
    checkpoint, pictures = written(out.parent, 240)
    settings: dict[str, Any] = {"device": "cpu", "select": "quick", "lr": 1e-3, "alpha": 20}
    settings |= {"gradients": False}
    return finetune(checkpoint, pictures, out, epochs=6, **settings)


def test_it_becomes_more_continuous_on_pictures_and_probes_that_it_never_saw(
    result: Tuned,
) -> None:
    assert result.improved
    proof = result.record["held_out"]
    assert proof["seen_families"] == []
    (shift,) = [row for row in proof["means"] if row["metric"] == "shift"]
    assert shift["change"] < -0.3
    (flips,) = [row for row in proof["means"] if row["metric"] == "flip"]
    assert flips["change"] < -0.3
    points = result.record["frontier"]
    assert [point["share"] for point in points] == [step / 10 for step in range(11)]
    assert points[0]["drop"] == 0


def test_the_evidence(result: Tuned) -> None:
    names = {"before", "after", "finetune.json", "frontier.png", "log.jsonl"}
    names |= {f"comparison.{ending}" for ending in ("json", "md", "png")}
    assert {each.name for each in result.folder.iterdir()} == names
    document = json.loads((result.folder / "finetune.json").read_text("utf-8"))
    assert document["choice"]["improved"] is True
    assert document["data"] == {
        "name": document["data"]["name"],
        **{"labelled": True, "training": 132, "validation": 48, "held_out": 60, "copies": 0},
    }
    lines = [json.loads(line) for line in (result.folder / "log.jsonl").read_text().splitlines()]
    updates = [line for line in lines if "loss" in line]
    assert [line["update"] for line in updates] == list(range(1, 25))
    assert all(line["anchor"] >= 0 and line["shift"] >= 0 for line in updates)
    validations = [line["update"] for line in lines if "validation" in line]
    assert validations == [0, 4, 8, 12, 16, 20, 24]
    paired = {(each["metric"], each["place"]): each for each in document["held_out"]["paired"]}
    shift = paired["shift", "all"]["difference"]
    assert shift["low"] < shift["value"] < 0
    # Exact over pictures, so wide for 60 of them.
    assert shift["value"] < shift["high"]
    assert set(paired["accuracy", "clean"]["difference"]) == {"value", "low", "high", "n"}
    again = semaudit.compare(result.folder / "before", result.folder / "after")
    assert again.pictures == 60
    before, after = (
        json.loads((result.folder / name / "manifest.json").read_text("utf-8"))
        for name in ("before", "after")
    )
    assert before["data"]["fingerprint"] == after["data"]["fingerprint"]
    assert before["battery"] == after["battery"]
    assert not partial(result.out or Path()).exists()


def test_the_file_opens_without_a_flag_in_a_scan_and_in_timm(result: Tuned) -> None:
    assert result.out is not None
    pictures = result.out.parent / "pictures"
    audit = semaudit.scan(result.out, pictures, select="brightness", device="cpu", gradients=False)
    assert audit.report.clean.accuracy is not None
    assert audit.report.clean.accuracy.value > 0.8
    assert audit.manifest["model"]["preprocessing"]["mean"] == (0.5, 0.5, 0.5)
    assert audit.manifest["model"]["preprocessing"]["input_size"] == (3, 24, 24)
    module = timm.create_model(ARCH, num_classes=CLASSES, checkpoint_path=str(result.out)).eval()
    images, _ = gratings(8, seed=3)
    with torch.no_grad():
        said = module((images - 0.5) / 0.5)
        assert torch.allclose(said, result.classifier(images).logits, atol=1e-5)


def test_the_live_module_is_left_alone(tmp_path: Path) -> None:
    before = {key: value.clone() for key, value in trained().state_dict().items()}
    tuned(tmp_path / "a.safetensors", epochs=1)
    assert all(torch.equal(value, before[key]) for key, value in trained().state_dict().items())
    assert not any(weight.grad is not None for weight in trained().parameters())


def test_a_repeated_run_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    strong: dict[str, Any] = {"count": 96, "lr": 1e-3, "epochs": 2}
    one, two = (
        tuned(tmp_path / name, max_accuracy_drop=100, **strong)
        for name in ("a.safetensors", "b.safetensors")
    )
    assert one.record["frontier"] == two.record["frontier"]
    other = tuned(tmp_path / "c.safetensors", seed=1, **strong)
    assert other.record["frontier"] != one.record["frontier"]


def other_weights(one: Tuned, two: Tuned) -> int:
    assert one.out is not None
    assert two.out is not None
    first, second = weights(one.out), weights(two.out)
    return sum(not torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"model_ema": True, "opt": "sgd", "warmup_epochs": 1},
        {"train_bn": True, "grad_accum_steps": 2, "batch_size": 8, "clip_grad": 1.0},
    ],
)
def test_a_resumed_run_is_an_unbroken_one_to_the_last_bit(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    settings = {"epochs": 4, **more}
    whole = tuned(tmp_path / "whole.safetensors", max_accuracy_drop=100, **settings)
    out = tmp_path / "broken.safetensors"
    import os
    import signal

    asked: list[Any] = []

    def stop(tick: Any) -> None:
        if not asked and tick.stage == "training" and tick.update == 3:
            asked.append(tick)  # a second time would end it at once
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        tuned(out, watch=stop, max_accuracy_drop=100, **settings)
    assert not out.exists()
    assert (partial(out) / "state.pt").is_file()
    with pytest.raises(UsageError, match="--resume goes on with it"):
        tuned(out, max_accuracy_drop=100, **settings)
    with pytest.raises(UsageError, match=r"lr was 0\.0005 and is 0\.1"):
        tuned(out, resume=True, **{**settings, "lr": 0.1})
    resumed = tuned(out, resume=True, max_accuracy_drop=100, **settings)
    assert resumed.record["frontier"] == whole.record["frontier"]
    if whole.improved:
        assert other_weights(whole, resumed) == 0
    logs = [(each.folder / "log.jsonl").read_text().splitlines() for each in (whole, resumed)]
    losses = [[json.loads(line).get("loss") for line in log] for log in logs]
    assert losses[0] == losses[1]


def test_the_original_is_kept_where_nothing_improves(tmp_path: Path) -> None:
    out = tmp_path / "same.safetensors"
    kept = tuned(out, lr=1e-30, epochs=1)
    assert not kept.improved
    assert not out.exists()
    assert "no weights have surely less shift" in kept.record["choice"]["why"]
    assert "held_out" not in kept.record
    assert {each.name for each in kept.folder.iterdir()} == {
        "finetune.json",
        "frontier.png",
        "log.jsonl",
    }


def test_a_loss_that_is_not_finite_ends_at_the_last_good_state(tmp_path: Path) -> None:
    ended = tuned(tmp_path / "a.safetensors", lr=1e12, opt="sgd", epochs=4)
    assert "not finite" in ended.record["training"]["stopped"]
    assert not ended.improved
    assert ended.record["choice"]["why"] == "no update was left of training"
    assert "a smaller --lr" in ended.record["advice"]
    for value in ended.classifier.module.state_dict().values():
        assert torch.isfinite(value.float()).all()


class Narrow(nn.Module):
    """Runs out of memory with more than so many pictures, as a device does."""

    def __init__(self, module: nn.Module, most: int) -> None:
        super().__init__()
        self.inner, self.most = module, most
        self.num_classes = CLASSES

    def forward(self, images: Tensor) -> Tensor:
        if self.training or (torch.is_grad_enabled() and len(images) > self.most):
            raise torch.OutOfMemoryError("out of memory")
        found: Tensor = self.inner(images)
        return found


def test_out_of_memory_halves_the_forward_and_comes_to_the_same(tmp_path: Path) -> None:
    settings = {**QUICK, "mean": (0.5,), "std": (0.5,), "epochs": 1, "input_size": (3, 24, 24)}
    runs = [
        finetune(Narrow(trained(), most), source(96), tmp_path / f"{most}.safetensors", **settings)
        for most in (1000, 20)
    ]
    assert [run.record["training"]["pictures_a_forward"] for run in runs] == [32, 8]
    shifts = [[point["shift"] for point in run.record["frontier"]] for run in runs]
    assert shifts[0] == pytest.approx(shifts[1], rel=1e-3)
    with pytest.raises(AuditError, match="out of memory with a single picture"):
        finetune(Narrow(trained(), 1), source(96), tmp_path / "x.safetensors", **settings)


@pytest.mark.parametrize(("count", "told_so"), [(88, True), (60, False)])
def test_an_epoch_that_leaves_out_much_is_told(
    tmp_path: Path, count: int, *, told_so: bool
) -> None:
    ended = tuned(tmp_path / "a.safetensors", count, epochs=1, batch_size=32)
    training = ended.record["data"]["training"]
    said = [note for note in ended.record["notes"] if "a smaller --batch-size leaves out" in note]
    assert said == (
        [
            f"an epoch takes 32 of the {training} training pictures, others each time: updates are "
            "of 32, and a smaller --batch-size leaves out fewer"
        ]
        if told_so
        else []
    )


def test_an_optimizer_that_runs_out_of_memory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 TB")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    with pytest.raises(AuditError, match="out of memory in a step of --opt adamw"):
        tuned(tmp_path / "a.safetensors", 60, epochs=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "more",
    [
        {"perturb": "worst"},
        {"perturb": "noise,blur"},
        {"perturb": "generic,worst,quick", "views": 2, "distance": "jsd-views"},
        {"task": "ce", "distance": "kl", "detach_clean": True},
        {"task": "weighted", "gradient_penalty": 0.01, "distance": "logit"},
        {"turn_penalty": 0.1, "task_on_changed": True},
        {"layer_decay": 0.7, "distance": "cosine", "steps": 3},
        {"distance": "prob", "sched": "none", "opt": "lamb", "max_time": 0.01},
    ],
)
def test_every_setting_trains(tmp_path: Path, more: dict[str, Any]) -> None:
    long = {} if "steps" in more else {"epochs": 1}
    ended = tuned(tmp_path / "a.safetensors", 60, **long, **more)
    lines = [json.loads(line) for line in (ended.folder / "log.jsonl").read_text().splitlines()]
    assert all(line["loss"] > 0 for line in lines if "loss" in line)
    assert ended.record["training"]["updates"] >= 1
    if "noise" in str(more.get("perturb")):
        assert ended.record["training"]["trained_under"]["families"] == ["blur", "noise"]


def test_pictures_need_no_labels(tmp_path: Path) -> None:
    bare = TensorSource(gratings(96, 1)[0])
    ended = finetune(trained(), bare, tmp_path / "a.safetensors", **QUICK)
    assert ended.record["kept"] == "agreement with the original"
    assert ended.record["data"]["labelled"] is False


def test_splits_are_seeded_disjoint_and_whole() -> None:
    ids = [f"{index}.png" for index in range(100)]
    parts = split(ids, 0, 0.2, 0.25)
    assert [len(parts.training), len(parts.validation), len(parts.held_out)] == [55, 20, 25]
    together = [*parts.training, *parts.validation, *parts.held_out]
    assert sorted(together) == list(range(100))
    assert parts == split(ids, 0, 0.2, 0.25)
    assert parts != split(ids, 1, 0.2, 0.25)
    backwards = split(ids[::-1], 0, 0.2, 0.25)
    assert {ids[i] for i in parts.held_out} == {ids[::-1][i] for i in backwards.held_out}
    assert sorted(order_of(ids, 0, 1)) == list(range(100))
    assert order_of(ids, 0, 1) != order_of(ids, 0, 2)
    part = part_of(source(8), [3, 1], [f"{index:06d}" for index in range(8)])
    assert isinstance(part, TensorSource)
    assert list(part.image_ids or ()) == ["000003", "000001"]


class Weightless(nn.Module):
    """Nothing in it can be trained."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images.mean((1, 2)), images.amax((2, 3))], 1)


ONE_CLASS = TensorSource(gratings(80)[0], torch.zeros(80, dtype=torch.int64))


@pytest.mark.parametrize(
    ("model", "data", "settings", "kind", "said"),
    [
        (None, TensorSource(gratings(40)[0]), {"task": "ce"}, UsageError, "needs labels"),
        (None, ONE_CLASS, {"task": "weighted"}, UsageError, "all of class 0"),
        (None, source(10), {}, UsageError, "4 are the fewest"),
        (None, source(40), {"val_share": 0.6, "held_out": 0.4}, UsageError, "no picture to train"),
        (Weightless(), source(40), {}, ModelError, "no weights that could be trained"),
        (None, source(40), {"opt": "nope"}, UsageError, "--opt nope"),
        (None, source(40), {"alpha": "much"}, UsageError, "--alpha"),
        (None, source(40), {"alhpa": 1}, UsageError, "did you mean 'alpha'"),
        (None, source(40), {"perturb": "identity"}, UsageError, "no change to train under"),
        (None, source(40), {"amp_dtype": "float16"}, UsageError, "float16 trains on CUDA"),
        (None, None, {}, UsageError, "needs pictures"),
    ],
)
def test_bad_input(
    tmp_path: Path,
    model: nn.Module | None,
    data: Any,
    settings: dict[str, Any],
    kind: type[SemauditError],
    said: str,
) -> None:
    with pytest.raises(kind, match=said):
        finetune(model or trained(), data, tmp_path / "a.safetensors", **{**QUICK, **settings})
    assert list(tmp_path.iterdir()) == []


def test_whole_programs_are_not_trained(tmp_path: Path) -> None:
    import warnings

    path = tmp_path / "traced.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(trained(), torch.rand(1, 3, 24, 24)).save(str(path))
    with pytest.raises(ModelError, match=r"whole program .* fine-tune the checkpoint"):
        finetune(path, source(40), tmp_path / "a.safetensors", input_size=(3, 24, 24), **QUICK)


def test_second_derivatives_go_through_attention(tmp_path: Path) -> None:
    model = timm.create_model("test_vit", num_classes=CLASSES, img_size=32)
    settings = {**QUICK, "steps": 1, "gradient_penalty": 0.01, "turn_penalty": 0.1}
    pictures = torch.rand(48, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ended = finetune(model, pictures, tmp_path / "a.safetensors", **settings)
    assert ended.record["training"]["updates"] == 1


def test_the_model_itself_is_never_the_result(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"weights")
    with pytest.raises(UsageError, match="is the model that is to be tuned"):
        finetune(str(path), source(40), path, force=True, **QUICK)
    assert path.read_bytes() == b"weights"


def test_an_earlier_result_outlives_a_run_that_gains_nothing(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    out.write_bytes(b"earlier")
    ended = tuned(out, force=True, lr=1e-30, epochs=1)
    assert not ended.improved
    assert out.read_bytes() == b"earlier"
    assert any("was there before, and stays as it was" in note for note in ended.record["notes"])


def test_what_moves_pictures_alike_is_seen_whatever_its_family_is_called(tmp_path: Path) -> None:
    assert "sequence" in changes_of(Recipe(perturb=("geometric",))).seen
    battery = tmp_path / "mine.yaml"
    battery.write_text(
        "probes:\n  mine: {family: mine, claim: Light., perturbation: brightness, ladder: [0.1]}\n",
        "utf-8",
    )
    assert {"mine", "photometric"} <= set(changes_of(Recipe(perturb=(str(battery),))).seen)
    assert changes_of(Recipe()).seen == ()


def test_warnings_of_the_audits_are_kept(tmp_path: Path) -> None:
    torch.manual_seed(0)
    untrained = timm.create_model(ARCH, num_classes=CLASSES)
    settings = {**QUICK, "lr": 1e-2, "alpha": 100, "epochs": 4, "max_accuracy_drop": 100}
    ended = finetune(untrained, source(96), tmp_path / "a.safetensors", **settings)
    assert ended.record["held_out"]["warnings"]


def test_a_worse_turn_or_worst_case_is_told_with_a_remedy(result: Tuned) -> None:
    lost = ["gradient_turn", "worst-case shift", "agreement", "degenerate"]
    proof = {**result.record["held_out"], "worse": lost, "warnings": ["no better than chance"]}
    said = [line for line, _ in told({**result.record, "held_out": proof}, "folder", "file")]
    assert any("gradient turn is WORSE" in line and "--turn-penalty" in line for line in said)
    assert any("worst-case shift is WORSE" in line and "--perturb worst" in line for line in said)
    assert "Verdict: the new model is DEGENERATE: a constant answer is no gain" in said
    assert "  warning: no better than chance" in said
    assert any("--max-accuracy-drop allows" in line and "--val-share" in line for line in said)
    assert "  gradient turn: not measured, so it may have risen" in said


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    out.write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        tuned(out)
    assert out.read_text() == "mine"
    for bad, said in (("a.pt", "ends in .safetensors"), ("none/a.safetensors", "no folder")):
        with pytest.raises(UsageError, match=said):
            tuned(tmp_path / bad)
    with pytest.raises(UsageError, match="nothing to go on with"):
        tuned(tmp_path / "b.safetensors", resume=True)


def test_alpha_auto_finds_a_pair_in_about_its_time(tmp_path: Path) -> None:
    ended = tuned(tmp_path / "a.safetensors", 80, alpha="auto", auto_time=2, epochs=2)
    found = ended.record["search"]
    assert len(found["arms"]) == 12
    assert found["best"]["alpha"] == ended.record["recipe"]["alpha"]
    assert found["best"]["lr"] == ended.record["recipe"]["lr"]
    assert len(found["planned"]) == 3
    assert found["planned"][0] <= found["planned"][-1]
    assert not (ended.folder / "search.json").exists()


def test_baselines_stand_beside(tmp_path: Path) -> None:
    ended = tuned(tmp_path / "a.safetensors", 120, baselines=True, lr=1e-3, epochs=2)
    plain, augmented = ended.record["baselines"]
    assert (plain["name"], augmented["name"]) == ("plain fine-tuning", "augmentation only")
    # A pass without views is half as long: as much compute is twice the updates.
    assert plain["updates"] == 2 * augmented["updates"] == 8
    for each in (plain, augmented):
        assert len(each["frontier"]) == 11
        assert each["frontier"][0]["shift"] == ended.record["frontier"][0]["shift"]
        assert ("held_out" in each) == each["choice"]["improved"]
    bare = finetune(
        trained(),
        TensorSource(gratings(60, 1)[0]),
        tmp_path / "b.safetensors",
        **{**QUICK, "baselines": True, "epochs": 1},
    )
    assert [each["name"] for each in bare.record["baselines"]] == ["augmentation only"]
    assert any("it has no labels to learn" in note for note in bare.record["notes"])


def test_baselines_are_told_beside(result: Tuned) -> None:
    proof = result.record["held_out"]
    unlabelled = {key: each for key, each in proof.items() if "accuracy" not in key}
    # Trained under all that is measured, and worse in something.
    seen = [{**row, "families": "seen"} for row in proof["means"] if row["families"] == "held out"]
    unlabelled |= {"means": seen, "worse": ["flip_rate"]}
    baselines = [
        {
            **{"name": name, "updates": 8, "passes_a_picture": 2, "wins": wins},
            **{"choice": {"why": "less shift"}, "held_out": told_of},
        }
        for name, told_of, wins in (("plain", proof, True), ("augmented", unlabelled, False))
    ]
    said = [line for line, _ in told({**result.record, "baselines": baselines}, "folder", "file")]
    (row,) = (r for r in proof["means"] if (r["metric"], r["families"]) == ("shift", "held out"))
    shift = f"shift {row['before']:.3f} -> {row['after']:.3f} ({100 * row['change']:+.0f} %)"
    (plain,) = (line for line in said if line.startswith("  plain: "))
    (augmented,) = (line for line in said if line.startswith("  augmented: "))
    assert shift in plain
    assert plain.endswith(f", accuracy {100 * proof['accuracy_after']:.1f} %")
    assert shift in augmented
    agreement = f", agreement {100 * proof['agreement']:.1f} %"
    assert augmented.endswith(f"{agreement}; WORSE: flip rate")
    count = proof["pictures"]
    assert f"On {count} held-out pictures, without the continuity term:" in said
    assert sum("it WINS over the continuity term" in line for line in said) == 1


@pytest.mark.parametrize(("drop", "said"), [(1.0, True), (9.0, False)])
def test_a_drop_of_less_than_one_picture_is_told(
    tmp_path: Path, drop: float, *, said: bool
) -> None:
    ended = tuned(tmp_path / "a.safetensors", 60, epochs=1, max_accuracy_drop=drop)
    notes = [note for note in ended.record["notes"] if "pictures for choices one is" in note]
    one = f"of 12 pictures for choices one is 8.3 points, so --max-accuracy-drop {drop:g} lets none"
    assert [note.startswith(one) for note in notes] == [True] * said


def test_a_stream_is_as_good_as_what_it_holds(tmp_path: Path) -> None:
    settings = {**QUICK, "epochs": 1}
    one = finetune(trained(), source(60), tmp_path / "a.safetensors", **settings)
    two = finetune(trained(), Shards(source(60)), tmp_path / "b.safetensors", **settings)
    assert one.record["frontier"] == two.record["frontier"]


def test_pictures_that_are_read_again_each_time_come_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, data = written(tmp_path, 60)
    settings = {**QUICK, "epochs": 2}
    one = finetune(checkpoint, data, tmp_path / "a.safetensors", **settings)
    monkeypatch.setattr("semaudit.finetuning.pictures.HELD", 0)
    two = finetune(checkpoint, data, tmp_path / "b.safetensors", **settings)
    assert one.record["frontier"] == two.record["frontier"]


@pytest.mark.parametrize("activation", ["sigmoid", "none"])
def test_labels_and_embeddings(tmp_path: Path, activation: str) -> None:
    data = TensorSource(gratings(80, 1)[0])
    settings = {**QUICK, "activation": activation, "max_accuracy_drop": 100, "alpha": 20}
    ended = finetune(trained(), data, tmp_path / "a.safetensors", **settings)
    assert ended.record["kept"] == "agreement with the original"
    points = ended.record["frontier"]
    assert points[0]["kept"] == 1
    assert 0 < points[-1]["kept"] < 1 or points[-1]["drop"] == 0
    json.loads((ended.folder / "finetune.json").read_text("utf-8"))


def test_a_limit_of_time_ends_training_and_its_schedule(tmp_path: Path) -> None:
    ended = tuned(tmp_path / "a.safetensors", epochs=10_000, max_time=1.0)
    training = ended.record["training"]
    assert 1 < training["updates"] < training["planned_updates"]
    assert training["stopped"].startswith("--max-time 1 had passed")
    lines = [json.loads(line) for line in (ended.folder / "log.jsonl").read_text().splitlines()]
    rates = [line["lr"] for line in lines if "lr" in line]
    assert rates[0] == 5e-4
    assert rates[-1] < 1e-4


def test_what_is_said_of_the_proof_is_what_the_comparison_says(result: Tuned) -> None:
    proof = result.record["held_out"]
    compared = json.loads((result.folder / "comparison.json").read_text("utf-8"))
    named = {"flip": "flip_rate", "shift": "shift"}
    for row in proof["means"]:
        if row["metric"] in named:
            (change,) = (
                each
                for each in compared["changes"]
                if (each["metric"], each["place"]) == (named[row["metric"]], "all")
            )
            assert (row["before"], row["after"]) == (change["before"], change["after"])
    (clean,) = (each for each in compared["churn"] if each["place"] == "clean")
    assert proof["churn"] == clean["churn"]["value"]
    (right,) = (
        each
        for each in compared["changes"]
        if (each["metric"], each["place"]) == ("accuracy", "clean")
    )
    assert (proof["negative_flips"], proof["positive_flips"]) == (right["lower"], right["higher"])


def test_embeddings_have_no_answers_to_agree_on(tmp_path: Path) -> None:
    tuned = finetune(
        trained(), source(80), tmp_path / "e.safetensors", device="cpu", activation="none",
        epochs=4, lr=1e-3, alpha=20, select="gaussian_noise", gradients=False, max_accuracy_drop=50,
    )  # fmt: skip
    assert tuned.improved
    proof = tuned.record["held_out"]
    assert not {"churn", "agreement", "accuracy_before"} & set(proof)
    (shift,) = (row for row in proof["means"] if row["metric"] == "shift")
    assert shift["change"] < 0
    said = [line for line, _ in told(tuned.record, "folder", "file")]
    assert any("shift, families held out" in line for line in said)
    assert not any("agreement" in line for line in said[-4:])
