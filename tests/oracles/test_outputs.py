"""Whatever shape an answer has, the same model gives the same samples; labels and embeddings
have closed forms."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import timm
import torch
from known_models import ON_CPU, Linear, draw_of, pictures, scan_along
from scipy.spatial.distance import cosine, jensenshannon
from scipy.special import expit
from torch import Tensor, nn

import semaudit
from semaudit.errors import GateError, UsageError

SIZE = (3, 8, 8)
N = 24
LADDER = (0.025, 0.05, 0.1, 0.15)
Answer = namedtuple("Answer", ["aux", "logits"])


@dataclass
class Record:
    loss: None
    scores: Tensor


WRAPS: dict[str, Callable[[Tensor], object]] = {
    "dict": lambda z: {"features": z[:, :2], "logits": z},
    "nested": lambda z: {"outputs": {"logits": z}, "loss": torch.zeros(())},
    "tuple": lambda z: (z, "attention"),
    "named tuple": lambda z: Answer(z * 0, z),
    "dataclass": lambda z: Record(None, z),
    "spatial": lambda z: z[:, :, None, None],
    "probabilities": lambda z: z.softmax(1),
    "log-probabilities": lambda z: z.log_softmax(1),
}


class Wrapped(nn.Module):
    def __init__(self, module: nn.Module, wrap: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.module, self.wrap = module, wrap

    def forward(self, images: Tensor) -> object:
        return self.wrap(self.module(images))


@pytest.fixture(scope="module")
def images() -> Tensor:
    return pictures(N, SIZE, seed=1, low=0.2, high=0.8)


@pytest.fixture(scope="module")
def linear() -> Linear:
    return Linear(SIZE, 5, seed=2, scale=0.3)


def scan(module: nn.Module, images: Tensor, **settings: object) -> semaudit.Audit:
    return scan_along({"brightness": LADDER}, module, images, input_size=SIZE, **settings)


@pytest.fixture(scope="module")
def plain(linear: Linear, images: Tensor) -> semaudit.Audit:
    return scan(linear, images)


@pytest.mark.parametrize("name", list(WRAPS))
def test_the_shape_of_the_answer_changes_no_sample(name, linear, images, plain) -> None:
    audit = scan(Wrapped(linear, WRAPS[name]), images)
    got, expected = audit.samples(), plain.samples()
    assert (got["class"] == expected["class"]).all()
    for column in ("shift", "flip", "top5_distance"):
        np.testing.assert_allclose(got[column], expected[column], atol=1e-6)
    notes = " ".join(audit.report.model.notes)
    if name == "probabilities":
        assert "probabilities, not logits" in notes
    if name in ("dict", "nested", "named tuple", "dataclass"):
        assert "taken for logits" in notes


def test_probabilities_may_be_taken_for_logits(linear, images, plain) -> None:
    audit = scan(Wrapped(linear, WRAPS["probabilities"]), images, outputs="logits")
    assert audit.samples()["shift"].mean() < 0.5 * plain.samples()["shift"].mean()


@pytest.mark.parametrize(
    ("wrap", "given"),
    [
        (lambda z: z, {}),
        (lambda z: z[:, 0], {}),
        (lambda z: z.sigmoid(), {"outputs": "probabilities"}),
    ],
)
def test_one_value_tells_two_classes_apart(wrap, given, images) -> None:
    one = Linear(SIZE, 1, seed=3, scale=0.3)
    two = Wrapped(one, lambda z: torch.cat([torch.zeros_like(z), z], 1))
    got, expected = scan(Wrapped(one, wrap), images, **given), scan(two, images)
    assert got.report.model.num_classes == 2
    assert "yes (class 1) against no (0)" in " ".join(got.report.model.notes)
    np.testing.assert_allclose(got.samples()["shift"], expected.samples()["shift"], atol=1e-6)
    assert (got.samples()["class"] == expected.samples()["class"]).all()


def outputs_along(linear: Linear, audit: semaudit.Audit, images: Tensor) -> np.ndarray:
    """The raw outputs under brightness, (n, 1 + rungs, classes)."""
    sign = draw_of(audit, "brightness").sign().double().numpy().reshape(-1, 1)
    x = images.double().flatten(1).numpy()
    weight, bias = linear.head.weight.numpy(force=True), linear.head.bias.numpy(force=True)
    return np.stack([(x + s * sign) @ weight.T + bias for s in (0.0, *LADDER)], 1)


def column(audit: semaudit.Audit, name: str) -> np.ndarray:
    frame = audit.samples().astype({"probe": str})
    return frame.loc[frame["probe"] == "brightness", name].to_numpy().reshape(N, -1)


@pytest.mark.parametrize("probabilities", [False, True])
def test_labels_shift_one_by_one_and_flip_as_a_set(linear, images, probabilities) -> None:
    model = Wrapped(linear, torch.sigmoid) if probabilities else linear
    given = {"outputs": "probabilities"} if probabilities else {}
    audit = scan(model, images, activation="sigmoid", **given)
    z = outputs_along(linear, audit, images)
    p = expit(z)
    both = np.stack([p, 1 - p], -1)
    expected = jensenshannon(both[:, 1:], both[:, :1], base=2, axis=-1) ** 2
    np.testing.assert_allclose(column(audit, "shift"), expected.mean(-1), atol=1e-6)
    flips = ((z[:, 1:] > 0) != (z[:, :1] > 0)).any(-1)
    np.testing.assert_array_equal(column(audit, "flip"), flips)
    # A set can change while its first label stays.
    assert (flips & (z[:, 1:].argmax(-1) == z[:, :1].argmax(-1))).any()
    entropy = -(both * np.log2(both)).sum((-1, -2))[:, 0]
    np.testing.assert_allclose(audit.images()["entropy"], entropy, atol=1e-5)
    onset = audit.paths().astype({"probe": str}).query("probe == 'brightness'")["onset"]
    np.testing.assert_array_equal(onset.notna(), flips.any(1))


def test_embeddings_shift_by_cosine_and_flip_not_at_all(linear, images) -> None:
    audit = scan(linear, images, activation="none")
    z = outputs_along(linear, audit, images)
    expected = [[cosine(row[0], row[k]) / 2 for k in range(1, 5)] for row in z]
    np.testing.assert_allclose(column(audit, "shift"), expected, atol=1e-7)
    steps = np.sqrt([[cosine(row[k], row[k + 1]) / 2 for k in range(4)] for row in z])
    jump = audit.paths().astype({"probe": str}).query("probe == 'brightness'")["jump"]
    np.testing.assert_allclose(jump, steps.max(1), atol=1e-6)
    report = audit.report
    assert report.model.activation == "none"
    assert np.isnan(column(audit, "flip")).all()
    assert report.clean.confidence is None
    assert report.clean.entropy is None
    assert report.curves[0].flip_rate is None
    assert report.estimate("flip_rate") is None
    assert report.estimate("shift") is not None
    assert report.score is not None
    assert not report.class_flips


def test_a_gate_on_flips_of_embeddings_is_refused(linear, images) -> None:
    with pytest.raises(GateError, match="has no classes that could flip"):
        scan(linear, images, activation="none", fail_on=["flip_rate<=0.1"])


def test_what_may_be_a_probability_has_to_be_said(linear, images) -> None:
    with pytest.raises(UsageError, match="--outputs probabilities or --outputs logits"):
        scan(Wrapped(linear, torch.sigmoid), images, activation="sigmoid")


def test_what_is_no_probability_is_no_certainty(linear, images) -> None:
    with pytest.raises(UsageError, match=r"they lie in \[-.*leave out --outputs probabilities"):
        scan(linear, images, outputs="probabilities")
    sigmoids = Wrapped(linear, torch.sigmoid)
    with pytest.raises(UsageError, match=r"those of a picture sum to .*--activation sigmoid"):
        scan(sigmoids, images, outputs="probabilities")
    known = timm.create_model("test_resnet", pretrained=False).eval()
    with pytest.raises(UsageError, match=r"test_resnet: its outputs .* are not probabilities"):
        scan(known, images, outputs="probabilities")


def test_one_label_alone(images) -> None:
    one = Linear(SIZE, 1, seed=3, scale=0.3)
    got, two = scan(one, images, activation="sigmoid"), scan(one, images)
    assert got.report.model.num_classes == 1
    np.testing.assert_allclose(got.samples()["shift"], two.samples()["shift"], atol=1e-7)
    np.testing.assert_allclose(got.images()["entropy"], two.images()["entropy"], atol=1e-6)


def test_an_embedding_of_zeros_is_degenerate(images) -> None:
    class Zeros(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            return pictures.new_zeros(len(pictures), 3)

    assert scan(Zeros(), images, activation="none").report.degenerate is not None


def test_a_constant_embedding_is_degenerate(images) -> None:
    class Constant(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            scale = 1 + pictures.mean((1, 2, 3))
            return scale[:, None] * pictures.new_tensor([0.2, 1.5, -0.3])

    assert scan(Constant(), images, activation="none").report.degenerate is not None


def test_a_constant_set_of_labels_is_degenerate(images) -> None:
    class Constant(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            return pictures.new_tensor([0.2, 1.5, -0.3]).expand(len(pictures), 3)

    assert scan(Constant(), images, activation="sigmoid").report.degenerate is not None


def test_timm_without_a_head_is_an_embedding(images) -> None:
    import timm

    torch.manual_seed(0)
    audit = semaudit.scan(
        timm.create_model("test_resnet", num_classes=0),
        pictures(4, (3, 64, 64), seed=2),
        select=["brightness"],
        **ON_CPU,
    )
    assert audit.report.model.activation == "none"
    assert "taken for an embedding" in " ".join(audit.report.model.notes)
