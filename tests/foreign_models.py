"""What the tests of models from elsewhere share: a small network, exported in every format."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from semaudit.models.opened import Opened

SIZE = (3, 64, 64)
CLASSES = 7


def network(arch: str = "test_efficientnet", **arguments: object) -> nn.Module:
    """A small timm model with random but repeatable weights, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return timm.create_model(arch, num_classes=CLASSES, **arguments).eval()


def pictures(count: int, size: tuple[int, ...] = SIZE, seed: int = 5) -> Tensor:
    return torch.rand((count, *size), generator=torch.Generator().manual_seed(seed))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """torch's exporters print and warn about themselves."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(io.StringIO()):
            yield


def save_traced(module: nn.Module, path: Path, size: tuple[int, ...] = SIZE, **extra: str) -> None:
    with quiet():
        script = torch.jit.trace(module, pictures(2, size))
        torch.jit.save(script, path, _extra_files={k.replace("__", "."): extra[k] for k in extra})


def save_scripted(module: nn.Module, path: Path, **extra: str) -> None:
    with quiet():
        script = torch.jit.script(module)
        torch.jit.save(script, path, _extra_files={k.replace("__", "."): extra[k] for k in extra})


def save_exported(
    module: nn.Module,
    path: Path,
    batch: object = None,
    size: tuple[int, ...] = SIZE,
    **extra: str,
) -> None:
    """Export with a batch that is free, a `torch.export.Dim`, or 2 when ``batch`` is 2."""
    side = torch.export.Dim("batch") if batch is None else batch
    shapes = None if batch == 2 else ({0: side},)
    with quiet():
        program = torch.export.export(module, (pictures(2, size),), dynamic_shapes=shapes)
        files = {k.replace("__", "."): extra[k] for k in extra}
        torch.export.save(program, str(path), extra_files=files)


def save_onnx(
    module: nn.Module,
    path: Path,
    *,
    fixed: bool = False,
    size: tuple[int, ...] = SIZE,
    **more: object,
) -> None:
    shapes = None if fixed else ({0: torch.export.Dim("batch")},)
    with quiet():
        torch.onnx.export(
            module,
            (pictures(2, size),),
            str(path),
            dynamo=True,
            dynamic_shapes=shapes,
            **{"external_data": False, **more},
        )


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Rewrite a zip archive: each record's name and bytes to new bytes, or None to drop it."""
    with zipfile.ZipFile(path) as old:
        records = [(info.filename, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name, content in records:
            inner = name.partition("/")[2]
            changed = change(inner, content)
            if changed is not None:
                new.writestr(name, changed)
    return path


def assert_equal_for_any_batch(
    opened: Opened, original: nn.Module, tolerance: float, size: tuple[int, ...] = SIZE
) -> None:
    """The same outputs as the original's, from the module and from a copy of it, for any batch."""
    twin = copy.deepcopy(opened.module).to("cpu").eval().requires_grad_(False)
    for count in (1, 2, 5):
        images = pictures(count, size)
        with torch.no_grad():
            expected = original(images)
            for module in (opened.module, twin):
                outputs = module(images)
                assert outputs.shape == (count, CLASSES)
                torch.testing.assert_close(outputs, expected, atol=tolerance, rtol=tolerance)


def assert_gradient_as_claimed(
    opened: Opened, original: nn.Module, size: tuple[int, ...] = SIZE
) -> None:
    """Where a gradient is claimed it is the original's, also in a frozen copy."""
    module = copy.deepcopy(opened.module).to("cpu").eval().requires_grad_(False)
    images = pictures(3, size).requires_grad_()
    output = module(images)
    if not opened.differentiable:
        assert not output.requires_grad
        return
    (ours,) = torch.autograd.grad(output[:, 1].sum(), images)
    (theirs,) = torch.autograd.grad(original(images)[:, 1].sum(), images)
    assert theirs.abs().max() > 0
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-3)
