"""Perturbations and metrics from outside: a file that the user names, or an installed package.

Loading a plugin runs its code. Naming the file is the consent, and so is installing the package,
which names the module to import in its metadata, as in its ``pyproject.toml``::

    [project.entry-points."semaudit.plugins"]
    weather = "semaudit_weather"
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path

from semaudit.errors import PluginError
from semaudit.installed import installed_plugins
from semaudit.metrics import registry as metrics
from semaudit.perturbations import registered
from semaudit.perturbations import registry as perturbations
from semaudit.userfile import import_file, module_name


@dataclass(frozen=True)
class LoadedPlugin:
    """What a plugin brought.

    Attributes:
        path: its file.
        sha256: of that file's bytes, for the manifest.
        perturbations: the names of those that it registered.
        metrics: the names of those that it registered.
        distribution: the package that brought it; None for a file.
        version: of that package.
    """

    path: Path
    sha256: str
    perturbations: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    distribution: str | None = None
    version: str | None = None


def load_all(files: Iterable[str | Path]) -> list[LoadedPlugin]:
    """Load what is installed, then these files, or raise PluginError."""
    return [*load_entry_points(), *(load_plugin(Path(file)) for file in files)]


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

    One that fails is a PluginError that names it and its package: to go on without it would claim
    too much.
    """
    return tuple(_load_entry_point(point) for point in installed_plugins())


def _load_entry_point(point: EntryPoint) -> LoadedPlugin:
    package = point.dist.name if point.dist else None
    who = f"plugin {point.name!r} ({point.value}, from the package {package or '?'})"
    try:
        _run(who, None, point.load)
        file = getattr(sys.modules[point.module], "__file__", None)
        if file is None:
            raise PluginError(f"{who}: has no file")
        # All of the package: the module that it names may only import the ones that register.
        loaded = _loaded(who, point.module.partition(".")[0], Path(file), Path(file).read_bytes())
    except PluginError as error:
        raise PluginError(
            f"{error}\nmend the package {package or '?'}, or uninstall it: installed plugins are "
            "always loaded"
        ) from error
    return replace(loaded, distribution=package, version=point.dist.version if point.dist else None)


def _run(who: str, file: Path | None, load: Callable[[], object]) -> None:
    """Load a plugin, turning whatever it raises into a PluginError that says where."""
    try:
        with perturbations.all_or_nothing(), metrics.all_or_nothing():
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
    measured = metrics.from_module(module)
    if not names and not measured:
        raise PluginError(
            f"{who}: registers no perturbation and no metric; decorate a function with "
            "@perturbation(family=..., ladder=(...)) from semaudit.perturbations, or with "
            "@rung_metric(bounds=(...)) from semaudit.metrics"
        )
    return LoadedPlugin(path, hashlib.sha256(content).hexdigest(), names, measured)
