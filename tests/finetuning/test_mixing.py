"""The anchor on mixtures of two pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from semaudit.finetuning.bench import Bench
from semaudit.finetuning.keeping import Log
from semaudit.finetuning.mixing import mixtures, partners
from semaudit.finetuning.opening import open_bench
from semaudit.finetuning.plan import Plan
from semaudit.finetuning.recipe import recipe_of
from semaudit.finetuning.step import Stepper
from semaudit.finetuning.student import weights_of, with_weights
from semaudit.finetuning.tuning import finetune
from semaudit.perturbations import Draw
from semaudit.settings import explicit

from .gratings import source, trained

N = 64


def pictures(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(N, 3, 4, 5, generator=generator, dtype=torch.float64)


@given(st.integers(1, 200))
def test_pairs_are_mixed_with_one_another(count: int) -> None:
    found = partners(count)
    assert torch.equal(found[found], torch.arange(count))
    alone = (found == torch.arange(count)).nonzero()[:, 0].tolist()
    assert alone == ([count - 1] if count % 2 else [])


def test_a_mixture_lies_between_its_pictures_upright_or_mirrored() -> None:
    x, y = pictures(0), pictures(1)
    found = mixtures(x, y, Draw.of(0, "mixture", [str(row) for row in range(N)], x.device))
    shares = []
    mirrored = 0
    for each, one, other in zip(found, x, y, strict=True):
        for flipped in (False, True):
            seen = each.flip(-1) if flipped else each
            # The share by least squares, and what it leaves.
            share = float(((seen - other) * (one - other)).sum() / (one - other).square().sum())
            if (seen - share * one - (1 - share) * other).abs().max() < 1e-12:
                shares.append(share)
                mirrored += flipped
                break
        else:
            pytest.fail("no mixture of the two")
    assert min(shares) >= 0
    assert max(shares) <= 1
    assert np.mean(shares) == pytest.approx(0.5, abs=0.15)
    assert np.std(shares) == pytest.approx(12**-0.5, abs=0.08)
    assert N / 4 < mirrored < 3 * N / 4


def test_a_mixture_depends_on_its_own_draw_alone() -> None:
    x, y = pictures(0), pictures(1)
    ids = [str(row) for row in range(N)]
    whole = mixtures(x, y, Draw.of(0, "mixture", ids, x.device))
    part = mixtures(x[7:9], y[7:9], Draw.of(0, "mixture", ids[7:9], x.device))
    assert torch.equal(whole[7:9], part)


def bench(**recipe: Any) -> Bench:
    return open_bench(trained(), source(96), explicit({"device": "cpu"}), recipe_of(recipe))


def stepper(opened: Bench) -> Stepper:
    return opened.trainer(opened.recipe, opened.recipe.objective, Log(None)).stepper


def test_the_term_is_the_divergence_from_the_original_by_numpy() -> None:
    opened = bench(alpha=0.0, task="anchor", anchor_mixtures=2.0, batch_size=8)
    found = stepper(opened)
    shifted = {
        key: value * 1.1 if value.is_floating_point() else value
        for key, value in weights_of(opened.classifier.module).items()
    }
    student = with_weights(opened.classifier, shifted)
    found.student.module.load_state_dict(shifted, strict=False)
    rows = opened.training[:8]
    (batch,) = opened.pictures.batches(rows, 8)
    sums = found.take(batch, 3, 8)
    draw = Draw.of(opened.seed, "finetune 3.mixture", batch.image_ids, torch.device("cpu"))
    mixed = mixtures(batch.images, batch.images[[1, 0, 3, 2, 5, 4, 7, 6]], draw)
    with torch.no_grad():
        p, q = (
            softmax(each(mixed).logits.double().numpy(), -1)
            for each in (opened.classifier, student)
        )
    divergence = (p * np.log2(p / q)).sum()
    assert divergence > 0.01
    assert float(sums[2]) == pytest.approx(divergence, rel=1e-4)
    anchor, loss = float(sums[1]), float(sums[6])
    assert loss == pytest.approx(anchor + 2 * divergence, rel=1e-4)


def test_parts_that_fit_come_to_the_same() -> None:
    opened = bench(anchor_mixtures=1.0, batch_size=10)
    (batch,) = opened.pictures.batches(opened.training[:10], 10)
    gradients = []
    for size in (10, 3):
        found = stepper(opened)
        found.size = size
        found.take(batch, 0, 10)
        weights = found.student.module.parameters()
        gradients.append(
            torch.cat([each.grad.flatten() for each in weights if each.grad is not None])
        )
    assert torch.allclose(gradients[0], gradients[1], atol=1e-6)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_pairs_stay_in_one_process(world: int) -> None:
    plan = Plan.of(recipe_of({"anchor_mixtures": 1.0, "batch_size": 15}), 96, world)
    assert plan.batch == {1: 14, 2: 12, 3: 12}[world]
    assert plan.batch // world % 2 == 0


def test_statistics_are_not_taken_of_mixtures(tmp_path: Path) -> None:
    opened = bench(anchor_mixtures=1.0, alpha=0.0, train_bn=True, batch_size=8)
    (batch,) = opened.pictures.batches(opened.training[:8], 8)
    both = []
    for weight in (1.0, 0.0):
        recipe = opened.recipe.model_copy(update={"anchor_mixtures": weight})
        found = opened.trainer(recipe, recipe.objective, Log(None)).stepper
        found.take(batch, 0, 8)
        both.append([each.clone() for each in found.student.module.buffers()])
    assert all(torch.equal(one, other) for one, other in zip(*both, strict=True))


def test_it_trains_without_labels_and_for_embeddings(tmp_path: Path) -> None:
    ended = finetune(
        trained(), source(60), tmp_path / "a.safetensors", device="cpu", select="brightness",
        gradients=False, epochs=1, anchor_mixtures=1.0, task="ce", activation="softmax",
    )  # fmt: skip
    assert ended.record["recipe"]["anchor_mixtures"] == 1
    bare = finetune(
        trained(), source(60), tmp_path / "b.safetensors", device="cpu", select="brightness",
        gradients=False, epochs=1, anchor_mixtures=1.0, activation="none",
    )  # fmt: skip
    lines = (bare.folder / "log.jsonl").read_text("utf-8")
    assert '"mixtures": ' in lines
