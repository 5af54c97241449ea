"""A picture's numbers do not depend on what else is scanned, or how."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from known_models import ON_CPU, Ledger, Linear, Recorder, pictures, rng
from torch import nn

import semaudit
from semaudit.crossing import HALVINGS
from semaudit.images import TensorSource

SIZE = (3, 24, 24)
TINY = ["brightness", "gaussian_noise", "subpixel_shift"]
N = 20


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty ImageNet photographs."""
    spec = importlib.util.find_spec("foolbox")  # not imported: foolbox warns on import
    folder = tmp_path_factory.mktemp("photographs")
    for path in sorted((Path(spec.origin).parent / "data").glob("imagenet_*.jpg")):
        shutil.copy(path, folder)
    assert len(list(folder.iterdir())) == N
    return folder


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=10).eval()
    # At random weights its answers are all alike; spread them.
    model.get_classifier().weight.data.mul_(40)
    return model


def scan(module: nn.Module, data, select=TINY, **settings) -> semaudit.Audit:
    return semaudit.scan(module, data, select=select, input_size=SIZE, **ON_CPU, **settings)


def tables(audits: list[semaudit.Audit]) -> tuple[pd.DataFrame, pd.DataFrame]:
    samples = pd.concat([audit.samples() for audit in audits])
    paths = pd.concat([audit.paths() for audit in audits])
    names = {"image": str, "probe": str, "family": str}
    return (
        samples.astype(names).set_index(["image", "probe", "rung"]).sort_index(),
        paths.astype(names).set_index(["image", "probe"]).sort_index(),
    )


def assert_same(one: list[semaudit.Audit], other: list[semaudit.Audit], atol: float) -> None:
    for left, right in zip(tables(one), tables(other), strict=True):
        assert left.index.equals(right.index)
        pd.testing.assert_frame_equal(left, right, check_exact=False, rtol=1e-3, atol=atol)


def recorded(data_sets: list, **settings) -> tuple[set[str], list[semaudit.Audit]]:
    """What a model in float64 saw, which is free of the batch's rounding, and what was measured."""
    ledger = Ledger()
    module = Recorder(Linear(SIZE, 6, seed=1, scale=0.2), ledger)
    # Searches, and the look at gradients beforehand, depend on the pictures beside.
    drawn = {"gradients": False, "ignore": ["adversarial"]}
    audits = [scan(module, data, **drawn, **settings) for data in data_sets]
    return ledger.hashes, audits


def halves(folder: Path, target: Path) -> list[Path]:
    names = sorted(folder.iterdir())
    shards = [target / "one", target / "two"]
    for shard, part in zip(shards, (names[::2], names[1::2]), strict=True):
        shard.mkdir()
        for path in part:
            shutil.copy(path, shard)
    return shards


def invariant_inputs(folder: Path, target: Path, select: list[str]) -> None:
    seen, audits = recorded([folder], select=select, batch_size=7)
    cells = len(audits[0].report.battery)
    assert len(seen) > N * cells  # the ledger works
    for settings in ({"batch_size": 1}, {"batch_size": 20}, {"batch_size": 6, "workers": 2}):
        again, others = recorded([folder], select=select, **settings)
        assert again == seen, settings
        assert_same(audits, others, 1e-6)
    again, others = recorded(halves(folder, target), select=select, batch_size=7)
    assert again == seen
    assert_same(audits, others, 1e-6)


def test_pictures_reach_the_model_bit_for_bit_alike(photographs: Path, tmp_path: Path) -> None:
    invariant_inputs(photographs, tmp_path, TINY)


@pytest.fixture
def threads() -> Iterator[None]:
    """More than one thread, as outside the tests: a large batch is then cut among them."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
def test_the_whole_standard_battery_too(photographs: Path, tmp_path: Path) -> None:
    invariant_inputs(photographs, tmp_path, ["standard"])


def test_the_order_of_the_pictures_does_not_matter() -> None:
    images, names = pictures(N, SIZE, seed=2, low=0, high=1), [f"p{i}" for i in range(N)]
    order = torch.randperm(N, generator=rng(3))
    shuffled = TensorSource(images[order], None, [names[i] for i in order])
    seen, audits = recorded([TensorSource(images, None, names)], batch_size=6)
    again, others = recorded([shuffled], batch_size=6)
    assert again == seen
    assert_same(audits, others, 1e-6)
    assert audits[0].score == pytest.approx(others[0].score, abs=1e-5)
    assert audits[0].report.data.fingerprint == others[0].report.data.fingerprint


def test_another_seed_or_name_is_another_draw() -> None:
    images = pictures(4, SIZE, seed=2)
    seen, _ = recorded([images], seed=0)
    reseeded, _ = recorded([images], seed=1)
    renamed, _ = recorded([TensorSource(images, None, list("abcd"))], seed=0)
    assert seen != reseeded
    assert seen != renamed


def test_the_order_and_the_company_of_the_probes_do_not_matter(photographs: Path) -> None:
    seen, audits = recorded([photographs], select=TINY)
    again, others = recorded([photographs], select=TINY[::-1])
    assert again == seen
    assert_same(audits, others, 0)
    _, alone = recorded([photographs], select=["gaussian_noise"])
    for left, right in zip(tables(audits), tables(alone), strict=True):
        kept = left[left.index.get_level_values("probe").isin(["gaussian_noise", "identity"])]
        pd.testing.assert_frame_equal(kept, right, check_exact=False, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "settings",
    [{"batch_size": 1}, {"batch_size": 20}, {"batch_size": 7, "workers": 2}],
    ids=str,
)
def test_a_networks_numbers_do_not_depend_on_the_batch(
    network: nn.Module, photographs: Path, settings: dict[str, int]
) -> None:
    reference = scan(network, photographs, batch_size=7)
    assert reference.report.degenerate is None
    assert reference.report.estimate("shift").value > 1e-3
    assert_network_same([reference], [scan(network, photographs, **settings)])


def test_nor_do_they_depend_on_the_shard(
    network: nn.Module, photographs: Path, tmp_path: Path
) -> None:
    whole = scan(network, photographs, batch_size=7)
    shards = [scan(network, shard, batch_size=7) for shard in halves(photographs, tmp_path)]
    assert_network_same([whole], shards)


@pytest.mark.slow
def test_the_standard_battery_of_a_network(network: nn.Module, photographs: Path) -> None:
    audits = [scan(network, photographs, ["standard"], batch_size=size) for size in (7, 20)]
    assert_network_same(audits[:1], audits[1:])


def assert_network_same(one: list[semaudit.Audit], other: list[semaudit.Audit]) -> None:
    """Float32 rounds by the batch: shifts agree to 1e-5, their roots to 1e-3.

    A search steps by the signs of a gradient. Where an entry is zero within rounding, its sign
    may differ, and so may what is found, a little.
    """
    (left, left_paths), (right, right_paths) = tables(one), tables(other)
    assert left.index.equals(right.index)
    searched = (left["family"] == "adversarial").to_numpy()
    atols = dict.fromkeys(("input_rms", "input_linf", "ssim"), 1e-6)
    atols |= dict.fromkeys(("shift", "feature_distance"), 1e-5)
    for column, atol in atols.items():
        for rows, slack in ((~searched, 1), (searched, 100)):
            first, second = left[column][rows], right[column][rows]
            np.testing.assert_allclose(first, second, atol=slack * atol, err_msg=column)
    np.testing.assert_array_equal(left["class"], right["class"])
    for column in ("jump", "shift_area"):
        np.testing.assert_allclose(left_paths[column], right_paths[column], atol=1e-3)
    # Where an answer changes within rounding of a halving, the onsets are that halving apart.
    steps = {probe.name: halving(probe.ladder) for probe in one[0].report.battery}
    apart = (left_paths["onset"] - right_paths["onset"]).abs().fillna(0)
    fixed = left_paths["family"] != "adversarial"
    assert (apart <= apart.index.get_level_values("probe").map(steps))[fixed].all()
    assert (apart <= 0.05 * left_paths["onset"].fillna(0))[~fixed].all()
    np.testing.assert_array_equal(left_paths["onset"].isna(), right_paths["onset"].isna())


def halving(ladder: Sequence[float]) -> float:
    """The last halving of the widest bracket that an onset is looked for in, and float32 on top."""
    return max(np.diff([0.0, *ladder])) / 2**HALVINGS * (1 + 1e-3)
