"""Oracles: total variation, scipy's distance on a line, a linear program on the tree's metric."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from known_models import ON_CPU, Linear, pictures, rng, view
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance
from shared import Run
from torch import Tensor

import semaudit
from semaudit.errors import GateError, UsageError
from semaudit.metrics import Rung, View
from semaudit.metrics.transport import transport
from semaudit.report import text
from semaudit.taxonomy import Taxonomy

SIZE = (3, 8, 8)


def distributions(n: int, classes: int, seed: int, sharpness: float = 3.0) -> Tensor:
    logits = sharpness * torch.randn((n, classes), generator=rng(seed), dtype=torch.float64)
    return logits.softmax(1)


def star(classes: int) -> Taxonomy:
    return Taxonomy.of("star", [-1] + [0] * classes, [0.0] + [1.0] * classes, range(-1, classes))


def chain(classes: int, gaps: NDArray[np.float64]) -> Taxonomy:
    """Class k hangs by an edge of length 0 from the k-th of a row of inner nodes."""
    parents, lengths, leaves = [-1], [0.0], [-1]
    inner = 0
    for k in range(classes):
        parents.append(inner)
        lengths.append(0.0)
        leaves.append(k)
        if k < classes - 1:
            parents.append(inner)
            lengths.append(float(gaps[k]))
            leaves.append(-1)
            inner = len(parents) - 1
    return Taxonomy.of("chain", parents, lengths, leaves)


def random_tree(classes: int, seed: int) -> tuple[Taxonomy, NDArray[np.float64]]:
    """A tree of classes + 6 nodes in a random shape, and the distances of its classes, walked."""
    generator = np.random.default_rng(seed)
    inner = 6
    parents = [-1] + [int(generator.integers(0, node)) for node in range(1, inner)]
    parents += [int(generator.integers(0, inner)) for _ in range(classes)]
    # No inner node is left without a leaf.
    parents[inner : 2 * inner] = range(inner)
    lengths = generator.uniform(0, 2, len(parents))
    lengths[generator.integers(1, len(parents), 3)] = 0
    leaves = [-1] * inner + generator.permutation(classes).tolist()

    def above(node: int) -> dict[int, float]:
        way = {}
        while parents[node] >= 0:
            way[node] = lengths[node]
            node = parents[node]
        return way

    ways = {leaves[node]: above(node) for node in range(inner, len(parents))}
    apart = np.array(
        [
            [
                sum({**ways[a], **ways[b]}[edge] for edge in ways[a].keys() ^ ways[b].keys())
                for b in range(classes)
            ]
            for a in range(classes)
        ]
    )
    return Taxonomy.of("random", parents, lengths.tolist(), leaves), apart / apart.max()


def test_on_a_star_it_is_total_variation() -> None:
    before, after = distributions(50, 7, 1), distributions(50, 7, 2)
    expected = (before - after).abs().sum(1) / 2
    torch.testing.assert_close(star(7).transport(before, after), expected, atol=1e-14, rtol=0)


@pytest.mark.parametrize("classes", [2, 3, 30])
def test_on_a_chain_it_is_scipys_distance_on_a_line(classes: int) -> None:
    gaps = np.random.default_rng(classes).uniform(0.1, 2, classes - 1)
    places = np.concatenate([[0], np.cumsum(gaps)]) / gaps.sum()
    before, after = distributions(20, classes, 3), distributions(20, classes, 4)
    got = chain(classes, gaps).transport(before, after)
    expected = [
        wasserstein_distance(places, places, p, q)
        for p, q in zip(before.numpy(), after.numpy(), strict=True)
    ]
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-13)


@pytest.mark.parametrize("seed", range(6))
def test_on_a_random_tree_it_is_the_cheapest_plan(seed: int) -> None:
    classes = 12
    tree, apart = random_tree(classes, seed)
    before, after = distributions(3, classes, seed), distributions(3, classes, seed + 100)
    sources = np.kron(np.eye(classes), np.ones(classes))
    targets = np.kron(np.ones(classes), np.eye(classes))
    for got, p, q in zip(tree.transport(before, after), before.numpy(), after.numpy(), strict=True):
        plan = linprog(apart.ravel(), A_eq=np.vstack([sources, targets]), b_eq=[*p, *q])
        assert plan.success
        assert float(got) == pytest.approx(plan.fun, abs=1e-9)


def test_between_certainties_it_is_the_distance_of_the_two_classes() -> None:
    tree, apart = random_tree(9, 7)
    sure = torch.eye(9, dtype=torch.float64)
    got = [tree.transport(sure, sure[[b]].expand(9, 9)) for b in range(9)]
    np.testing.assert_allclose(torch.stack(got, 1).numpy(), apart, atol=1e-14)
    assert max(float(each.max()) for each in got) == pytest.approx(1, abs=1e-14)


def test_every_picture_is_the_same_alone_and_in_a_batch() -> None:
    tree, _ = random_tree(40, 8)
    before, after = distributions(33, 40, 5), distributions(33, 40, 6)
    together = tree.transport(before, after)
    alone = torch.cat([tree.transport(before[[k]], after[[k]]) for k in range(33)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("classes", [1000, 21_841])
def test_it_is_light_for_many_classes(classes: int) -> None:
    """A binary tree in the order of the classes, checked against a sum over its levels."""
    depth = int(np.ceil(np.log2(classes)))
    parents, leaves, lengths = [-1], [-1], [0.0]
    nodes = {(0, 0): 0}
    for level in range(1, depth + 1):
        for index in range((classes - 1 >> depth - level) + 1):
            nodes[level, index] = len(parents)
            parents.append(nodes[level - 1, index >> 1])
            leaves.append(index if level == depth else -1)
            lengths.append(1.0)
    tree = Taxonomy.of("binary", parents, lengths, leaves)
    before, after = distributions(4, classes, 1), distributions(4, classes, 2)
    moved = torch.zeros(4, 1 << depth, dtype=torch.float64)
    moved[:, :classes] = after - before
    expected = sum(
        moved.view(4, 1 << level, -1).sum(2).abs().sum(1) for level in range(1, depth + 1)
    ) / (2 * depth)
    torch.testing.assert_close(tree.transport(before, after), expected, atol=1e-12, rtol=0)


def test_tabby_to_tiger_cat_counts_less_than_tabby_to_teapot() -> None:
    # Root, felines; tabby, tiger cat, teapot.
    tree = Taxonomy.of("cats", [-1, 0, 1, 1, 0], [0, 3, 1, 1, 4], [-1, -1, 0, 1, 2])
    logits = 40 * torch.eye(3, dtype=torch.float64)
    clean = View(torch.zeros(2, 1, 4, 4), logits[[0, 0]], None, taxonomy=tree)
    got = transport(Rung(clean, view(logits[[1, 2]], clean.images)))
    assert got.tolist() == pytest.approx([0.25, 1])


def test_without_a_tree_it_does_not_apply() -> None:
    some = view(torch.randn((3, 4), generator=rng(0), dtype=torch.float64))
    assert transport(Rung(some, some)).isnan().all()


# In a scan.


def test_a_scan_with_a_tree_measures_and_judges_it(tmp_path: Path) -> None:
    audit = semaudit.scan(
        Linear(SIZE, 4, seed=1, scale=0.3),
        pictures(12, SIZE, 2, low=0.2, high=0.8),
        select=["brightness", "gaussian_noise"],
        input_size=SIZE,
        taxonomy="head",
        fail_on=["transport<=0.9", "transport[noise]<=0.8"],
        out=tmp_path / "audit",
        **ON_CPU,
    )
    samples, shown = audit.samples(), audit.samples()["transport"]
    assert shown.between(0, 1).all()
    assert shown[samples["probe"] == "brightness"].max() > 0.001
    summary = audit.summary()
    kept = summary[(summary.metric == "transport") & (summary.statistic == "mean")]
    assert set(kept["name"]) >= {"all", "noise", "brightness", "gaussian_noise"}
    assert [verdict.outcome.value for verdict in audit.verdicts] == ["pass", "pass"]
    assert "transport" in text.probe_headers(audit.report)
    assert len(text.probe_rows(audit.report)[0]) == len(text.probe_headers(audit.report))
    assert len(text.family_rows(audit.report)[0]) == len(text.family_headers(audit.report))
    (recorded,) = [json.loads((tmp_path / "audit/manifest.json").read_text())["taxonomy"]]
    assert recorded["classes"] == 4
    assert len(recorded["sha256"]) == 64
    assert any("farthest apart" in note for note in audit.report.data.notes)


def test_a_scan_weighs_by_the_tree_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "tree.yaml").write_text("near: [0, 1]\nfar: [2, 3]\n")
    module, images = Linear(SIZE, 4, seed=1, scale=0.3), pictures(5, SIZE, 2, low=0.2, high=0.8)
    audit = semaudit.scan(
        module,
        images,
        select=["brightness"],
        ignore=["identity"],
        input_size=SIZE,
        taxonomy=str(tmp_path / "tree.yaml"),
        **ON_CPU,
    )
    from semaudit.perturbations import Draw, get

    samples = audit.samples()
    ids = list(dict.fromkeys(samples["image"]))
    strength = float(samples["strength"].max())
    moved = get("brightness")(images, strength, Draw.of(0, "brightness", ids))
    change = module(moved).softmax(1) - module(images).softmax(1)
    # Four leaf edges and two inner ones, of 1 each; the farthest classes are 4 apart.
    expected = (change.abs().sum(1) + 2 * change[:, :2].sum(1).abs()) / 4
    got = samples[samples["strength"] == strength]["transport"]
    np.testing.assert_allclose(got, expected.detach().numpy(), atol=1e-6)


def test_a_scan_without_a_tree_has_none_of_it() -> None:
    module, images = Linear(SIZE, 4, seed=1), pictures(4, SIZE, 2)
    audit = semaudit.scan(module, images, select=["brightness"], input_size=SIZE, **ON_CPU)
    assert pd.isna(audit.samples()["transport"]).all()
    assert "transport" not in {each.metric for each in audit.report.estimates}
    assert "transport" not in {each.name for each in audit.report.metrics}
    assert "transport" not in text.probe_headers(audit.report)
    assert "taxonomy" not in audit.manifest
    with pytest.raises(GateError, match=r"'transport<=0\.1' needs .* --taxonomy head, or a file"):
        semaudit.scan(module, images, input_size=SIZE, fail_on=["transport<=0.1"], **ON_CPU)


@pytest.mark.parametrize("activation", ["sigmoid", "none"])
def test_labels_and_embeddings_have_no_tree(activation: str) -> None:
    with pytest.raises(UsageError, match=r"--taxonomy head goes with .* one class of several"):
        semaudit.scan(
            Linear(SIZE, 4, seed=1),
            pictures(4, SIZE, 2),
            select=["brightness"],
            input_size=SIZE,
            activation=activation,
            outputs=None if activation == "none" else "logits",
            taxonomy="head",
            **ON_CPU,
        )


def test_on_the_command_line(cli: Run, tiny: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "tree.yaml").write_text("warm: [0, 3]\ncold: [1, 2]\n")
    ended = cli(*tiny, "--taxonomy", "tree.yaml", "--fail-on", "transport<=0.99", "--out", "audit")
    assert (ended.code, ended.stderr) == (0, "")
    assert "transport" in ended.stdout
    assert "| probe | family | flips | shift | curve | jump | turn | transport |" in (
        tmp_path / "audit/report.md"
    ).read_text(encoding="utf-8")
    again = cli("gate", "audit", "--fail-on", "transport[brightness]<=0.99")
    assert again.code == 0
    ended = cli(*tiny, "--fail-on", "transport<=0.99")
    assert (ended.code, "--taxonomy head" in ended.stderr) == (2, True)
    ended = cli(*tiny, "--taxonomy", "nope.yaml")
    assert (ended.code, "nope.yaml: cannot be read" in ended.stderr) == (2, True)
