"""Models that a Python function makes. Naming the function is the consent to run it."""

from __future__ import annotations

import copy
import importlib
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from torch import nn

from semaudit.errors import ModelError, UsageError, did_you_mean
from semaudit.files import file_sha256
from semaudit.models.opened import Opened, Provenance
from semaudit.models.stated import Stated, read_stated
from semaudit.userfile import import_file, module_name

NOT_FACTORIES = ("hf-hub:", "hf_hub:", "local-dir:", "torchvision:")
NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
SPEC = re.compile(rf"(?P<where>.+\.py|{NAME}):(?P<what>{NAME})")
DRIVE = re.compile(r"[A-Za-z]")


def is_factory(spec: str) -> bool:
    """Whether ``spec`` has the form ``package.module:function`` or ``file.py:function``."""
    found = SPEC.fullmatch(spec)
    if found is None or spec.startswith(NOT_FACTORIES) or "://" in spec:
        return False
    return DRIVE.fullmatch(found["where"]) is None  # C:name is a file on a drive of Windows


def open_factory(spec: str, *, model_kwargs: Mapping[str, object]) -> Opened:
    """Run the user's code that ``spec`` names, and take the module that it returns.

    Args:
        spec: ``package.module:function`` or ``file.py:function``; the function may be dotted, a
            class, or a module that stands there ready-made.
        model_kwargs: what to call it with.

    The folder of the file, or the current one, can be imported from meanwhile. A returned module
    may state things of itself: ``pretrained_cfg`` or ``default_cfg`` in timm's keys,
    ``class_names`` and ``num_classes``.

    Raises:
        ModelError: no such module or name; the code raised; or it returned no nn.Module.
        UsageError: ``spec`` has another form, or names a file that is not there; or arguments
            go to a ready-made module.
    """
    found = SPEC.fullmatch(spec)
    if found is None or not is_factory(spec):
        raise UsageError(f"{spec!r} is not of the form package.module:function or file.py:function")
    where, what = found["where"], found["what"]
    file = Path(where) if where.endswith(".py") else None
    if file is not None and not file.is_file():
        raise UsageError(f"{spec}: there is no file {file}")
    folder = Path.cwd() if file is None else file.resolve().parent
    with _importable(folder):
        holder = _imported(spec, where, file)
        source = Path(holder.__file__) if holder.__file__ else file
        made = _called(spec, _looked_up(spec, holder, what), model_kwargs, source)
    if not isinstance(made, nn.Module):
        raise ModelError(
            f"{spec} returned {type(made).__name__} where a torch.nn.Module is needed; let it "
            "return the model alone"
        )
    stated = _stated_by(made)
    classes = getattr(made, "num_classes", None)
    provenance: Provenance = {
        "source": "factory",
        "factory": spec,
        "arch": f"{type(made).__module__}.{type(made).__qualname__}",
        "file": None if source is None else str(source),
        "file_sha256": file_sha256(source) if source is not None and source.is_file() else None,
    }
    return Opened(
        module=made,
        name=spec,
        provenance=provenance,
        stated=stated.preprocessing,
        labels=stated.labels,
        num_classes=classes if type(classes) is int and classes > 0 else None,
    )


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def _imported(spec: str, where: str, file: Path | None) -> ModuleType:
    try:
        if file is None:
            return importlib.import_module(where)
        return import_file(module_name("factory", file), file)
    except ModuleNotFoundError as error:
        if file is None and error.name and f"{where}.".startswith(f"{error.name}."):
            raise ModelError(
                f"{spec}: there is no module {error.name!r} to import; check the spelling, install "
                "it, or run from the folder that holds it"
            ) from error
        raise _raised(spec, error, file) from error
    except (Exception, SystemExit) as error:
        raise _raised(spec, error, file) from error


def _looked_up(spec: str, holder: ModuleType, what: str) -> object:
    found: object = holder
    for name in what.split("."):
        if not hasattr(found, name):
            near = did_you_mean(name, [n for n in dir(found) if not n.startswith("__")])
            owner = getattr(found, "__name__", type(found).__name__)
            shown = "the file" if found is holder else owner
            raise ModelError(f"{spec}: {shown} has no {name!r}{near}")
        found = getattr(found, name)
    return found


def _called(
    spec: str, factory: object, arguments: Mapping[str, object], source: Path | None
) -> object:
    if isinstance(factory, nn.Module):
        if arguments:
            raise UsageError(f"{spec} is a ready-made module; --model-kwargs go to a function")
        return _copied(spec, factory, source)
    if not callable(factory):
        kind = type(factory).__name__
        raise ModelError(f"{spec} is a {kind}; name a function, a class or a torch.nn.Module")
    try:
        return factory(**arguments)
    except (Exception, SystemExit) as error:
        raise _raised(spec, error, source) from error


def _copied(spec: str, module: nn.Module, source: Path | None) -> nn.Module:
    """Copy a module that its own file goes on holding."""
    try:
        return copy.deepcopy(module)
    except Exception as error:  # a module's own __deepcopy__ may raise anything
        raise _raised(f"{spec} cannot be copied", error, source) from error


def _raised(spec: str, error: BaseException, file: Path | None) -> ModelError:
    """The user's own error, with the line of the user's file that it came through last."""
    place = ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({error.filename}:{error.lineno})"
    elif file is not None:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if Path(f.filename).resolve() == file.resolve()]
        place = f" ({file}:{own[-1].lineno})" if own else ""
    return ModelError(f"{spec}: {type(error).__name__}: {error}{place}")


def _stated_by(module: nn.Module) -> Stated:
    config: dict[str, object] = {}
    for attribute in ("default_cfg", "pretrained_cfg"):
        value = getattr(module, attribute, None)
        config |= value if isinstance(value, Mapping) else {}
    names = getattr(module, "class_names", None)
    return read_stated(config if names is None else {**config, "label_names": names})
