"""Models and plugins that misbehave in the middle of a scan: found, named, never passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import timm
import torch
from known_models import ON_CPU, Linear, pictures, scan_along
from torch import Tensor, nn

import semaudit
from semaudit.errors import AuditError, ImageError, ModelError, PluginError, ProbeError, UsageError
from semaudit.perturbations import Draw, Strength, perturbation, registry
from semaudit.probes import load_probes
from semaudit.settings import resolve

SIZE = (3, 8, 8)
MODEL = Linear(SIZE, 5, seed=1, scale=0.4)
IMAGES = pictures(12, SIZE, seed=2, low=0.2, high=0.8)

Function = Callable[[Tensor, Strength, Draw], Tensor]


@pytest.fixture
def plug() -> Iterator[Callable[..., None]]:
    """Register a function as a probe for the while of a test."""
    before = dict(registry._registry)

    def register(function: Function, name: str, family: str = "weather") -> None:
        function.__doc__ = "A claim."
        perturbation(family=family, ladder=(0.1, 0.2), name=name)(function)

    yield register
    registry._registry.clear()
    registry._registry.update(before)


def scan(model: nn.Module, images: Tensor = IMAGES, **settings: object) -> semaudit.Audit:
    return semaudit.scan(model, images, **{**ON_CPU, **settings})


def test_a_plugin_that_writes_into_its_input_spoils_nothing(plug: Callable[..., None]) -> None:
    plug(lambda images, strength, draw: images.mul_(1 - strength), "dimmer")
    plug(lambda images, strength, draw: images + 0 * strength, "after")
    kept = IMAGES.clone()
    audit = scan(MODEL, select=["dimmer", "after"])
    assert torch.equal(IMAGES, kept)
    moved = audit.samples().groupby("probe", observed=True)["input_rms"].min()
    assert moved["dimmer"] > 0.01
    assert moved["after"] == 0


def test_a_plugin_that_fails_is_named(plug: Callable[..., None]) -> None:
    def broken(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
        raise KeyError("nothing here")

    plug(broken, "broken")
    with pytest.raises(PluginError, match=r"'broken' .*KeyError: 'nothing here'"):
        scan(MODEL, select=["broken"])


@pytest.mark.parametrize(("name", "family"), [("all", "x"), ("noise", "x"), ("calm", "identity")])
def test_a_probe_must_not_mean_two_things(
    plug: Callable[..., None], name: str, family: str
) -> None:
    plug(lambda images, strength, draw: images, name, family)
    with pytest.raises(ProbeError, match=r"already means|noise floor's alone"):
        scan(MODEL)


class BreaksBetweenRungs(nn.Module):
    """Flips when the mean rises by 0.04, and puts out NaN just below, where no rung is."""

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean((1, 2, 3))
        logits = torch.stack([0 * mean, 40 * (mean - 0.54)], 1)
        between = (mean > 0.536) & (mean < 0.539)
        return logits.masked_fill(between[:, None], float("nan"))


def test_nan_between_rungs_is_an_error() -> None:
    # Mid-grey: brightness moves the mean by its strength, up for some and down for others.
    grey = torch.full((12, *SIZE), 0.5)
    with pytest.raises(AuditError, match=r"under brightness is not finite between 0.025 and 0.05"):
        scan_along({"brightness": (0.025, 0.05)}, BreaksBetweenRungs(), grey)


class SeesTheBatch(nn.Module):
    """Answers by how a picture differs from the rest of its batch."""

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean((2, 3))
        return 60 * (means - means.mean(0))


def test_a_model_that_sees_the_batch_draws_a_warning() -> None:
    settings = {"select": ["noise"], "mean": (0.0,), "std": (1.0,), "fail_on": ["shift<=0.9"]}
    report = scan(SeesTheBatch(), **settings).report
    (warning,) = report.warnings
    assert "depends on the batch or on chance" in warning
    assert any("exported in training mode" in note for note in report.model.notes)
    (verdict,) = report.verdicts
    assert verdict.reason.startswith("the interval excludes the limit; of the mean shift of ")
    assert "the same pictures in another batch make " in verdict.reason
    steady = scan(MODEL, **settings).report
    assert steady.warnings == []
    assert steady.verdicts[0].reason == "the interval excludes the limit"
    assert steady.model.notes == []


def test_colour_probes_are_left_out_for_grey_models() -> None:
    model = Linear((1, 8, 8), 5, seed=1, scale=0.4)
    grey = pictures(6, (1, 8, 8), seed=3, low=0.2, high=0.8)
    audit = scan(model, grey, select=["photometric"])
    named = {probe.name for probe in load_probes() if probe.family == "photometric"}
    left_out = {"saturation", "hue", "colour_temperature", "grey_mix"}
    assert left_out < named
    assert {probe.name for probe in audit.report.battery} == named - left_out | {"identity"}
    (note,) = (note for note in audit.report.data.notes if "left out" in note)
    assert set(note.partition(": ")[2].split(", ")) == left_out
    with pytest.raises(ProbeError, match="mean nothing for 1 channel"):
        scan(model, grey, select=["saturation"])
    with pytest.raises(UsageError, match="matches nothing"):
        scan(model, grey, select=["photometric"], fail_on=["flip_rate[saturation]<=0.1"])


def test_a_live_model_that_fails_is_named() -> None:
    class Fails(Linear):
        def forward(self, images: Tensor) -> Tensor:
            if len(images) > 2:
                raise ValueError("too many")
            return super().forward(images)

    with pytest.raises(ModelError, match=r"Fails fails on pictures of size .*too many"):
        scan(Fails(SIZE, 5, seed=1, scale=0.4), num_classes=5)


def test_only_the_command_line_runs_plugins(tmp_path: Path) -> None:
    config = tmp_path / "semaudit.yaml"
    config.write_text("seed: 1\nplugin: [evil.py]\n")
    with pytest.raises(UsageError, match=r"semaudit.yaml:2: 'plugin' runs code"):
        resolve(config=config, environment={})
    with pytest.raises(UsageError, match="environment SEMAUDIT_PLUGIN: 'plugin' runs code"):
        resolve(environment={"SEMAUDIT_PLUGIN": "evil.py"}, folder=tmp_path / "none")


def test_a_checkpoint_that_holds_itself_is_refused(tmp_path: Path) -> None:
    content: dict[str, object] = {}
    content["model"] = content
    torch.save(content, tmp_path / "loop.pth")
    with pytest.raises(ModelError, match="no state dict inside"):
        semaudit.scan(tmp_path / "loop.pth", IMAGES, arch="test_vit")


def test_a_tensor_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    inflated = torch.zeros(1).expand(1_000_000, 100_000)
    torch.save({"head.weight": inflated}, tmp_path / "bomb.pth")
    with pytest.raises(ModelError, match="claims more numbers than the file holds"):
        semaudit.scan(tmp_path / "bomb.pth", IMAGES, arch="test_vit")


def test_links_do_not_multiply_pictures(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9), (90, 9, 9)).save(tmp_path / name / f"{name}.png")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "link").symlink_to(tmp_path / "a")
    audit = scan(MODEL, tmp_path, ignore_labels=True, img_size=8, select=["noise"])  # type: ignore[arg-type]
    assert audit.report.data.pictures == 2


@pytest.mark.parametrize("text", ["seed: 2024-13-45\n", "seed: " + "[" * 3000])
def test_yaml_that_breaks_its_reader_is_a_usage_error(text: str, tmp_path: Path) -> None:
    config = tmp_path / "semaudit.yaml"
    config.write_text(text)
    with pytest.raises(UsageError, match=r"semaudit\.yaml"):
        resolve(config=config, environment={})


def test_labels_beyond_the_classes_in_memory_are_named() -> None:
    images = pictures(12, SIZE, seed=1)
    with pytest.raises(ImageError, match=r"label \d+ is no class"):
        semaudit.scan(
            Linear(SIZE, 5, seed=1), (images, torch.arange(12)), select=["brightness"], **ON_CPU
        )


def test_a_checkpoint_of_several_architectures_on_pictures_in_memory(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = timm.create_model("efficientnet_lite0", num_classes=3).state_dict()
    torch.save(state, tmp_path / "m.pt")
    images = pictures(12, (3, 32, 32), seed=1)
    for arch in (None, "best"):
        with pytest.raises(UsageError, match="labelled pictures do not tell"):
            semaudit.scan(
                tmp_path / "m.pt", (images, torch.arange(12) % 3), arch=arch, img_size=32, **ON_CPU
            )
