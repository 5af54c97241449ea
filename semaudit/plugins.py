"""Perturbations from outside: a Python file named by the user, or an installed package.

Loading a plugin runs its code. Naming the file is the consent, and so is installing the package.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from semaudit.errors import PluginError
from semaudit.perturbations.registry import all_or_nothing, registered
from semaudit.userfile import import_file, module_name

GROUP = "semaudit.plugins"


@dataclass(frozen=True)
class LoadedPlugin:
    """What a plugin brought.

    Attributes:
        path: its file.
        sha256: of that file's bytes, for the manifest.
        perturbations: the names that it registered.
    """

    path: Path
    sha256: str
    perturbations: tuple[str, ...]


def load_plugin(path: Path) -> LoadedPlugin:
    """Run the Python file at `path` and return what it registered, or raise PluginError."""
    if not path.is_file():
        raise PluginError(f"plugin {path}: there is no such file")
    if path.suffix != ".py":
        raise PluginError(f"plugin {path}: must be a Python file, *.py")
    content = path.read_bytes()
    module = module_name("plugin", path)
    _run(f"plugin {path}", path, lambda: import_file(module, path))
    return _loaded(f"plugin {path}", module, path, content)


def load_entry_points() -> tuple[LoadedPlugin, ...]:
    """Load every installed plugin (entry point group ``semaudit.plugins``), by name.

    One that fails is a PluginError that names it: a scan without it would claim too much.
    """
    return tuple(_load_entry_point(point) for point in sorted(entry_points(group=GROUP)))


def _load_entry_point(point: EntryPoint) -> LoadedPlugin:
    package = point.dist.name if point.dist else "?"
    who = f"plugin {point.name!r} ({point.value}, from the package {package})"
    _run(who, None, point.load)
    file = getattr(sys.modules[point.module], "__file__", None)
    if file is None:
        raise PluginError(f"{who}: has no file")
    return _loaded(who, point.module, Path(file), Path(file).read_bytes())


def _run(who: str, file: Path | None, load: Callable[[], object]) -> None:
    """Load a plugin, turning whatever it raises into a PluginError that says where."""
    try:
        with all_or_nothing():
            load()
    except (Exception, SystemExit) as error:
        message = f"{who}: {type(error).__name__}: {error}{_place(error, file)}"
        raise PluginError(message) from error


def _place(error: BaseException, file: Path | None) -> str:
    """The line to look at: of the plugin's own file when known, else where it was raised."""
    if isinstance(error, SyntaxError):
        return "" if file is None else f" ({file}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if file is not None and frame.filename == str(file)]
    last = (own or frames)[-1]
    return f" ({last.filename}:{last.lineno})"


def _loaded(who: str, module: str, path: Path, content: bytes) -> LoadedPlugin:
    names = tuple(
        name
        for name, perturbation in registered().items()
        if f"{perturbation.function.__module__}.".startswith(f"{module}.")
    )
    if not names:
        raise PluginError(
            f"{who}: registers no perturbation; decorate a function with "
            "@perturbation(family=..., ladder=(...)) from semaudit.perturbations"
        )
    return LoadedPlugin(path, hashlib.sha256(content).hexdigest(), names)
