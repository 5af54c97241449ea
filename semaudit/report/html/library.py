"""What the page is made with: jinja2 writes it, plotly.js draws its charts. Both are an extra."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from semaudit.errors import UsageError

_NEEDED = ("jinja2", "plotly")
_SCRIPT = Path("package_data") / "plotly.min.js"


def require() -> None:
    """Make sure, before any work, that the page can be written.

    Raises:
        UsageError: something is not installed.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"an HTML report needs the package {' and '.join(missing)}: "
            "pip install 'semaudit[html]'"
        )


def plotting_script() -> str:
    """plotly.js, as the package plotly brings it; the package itself is slow to import.

    Raises:
        UsageError: it brings none that a page can hold.
    """
    spec = importlib.util.find_spec("plotly")
    assert spec is not None  # `require` was called
    assert spec.origin is not None
    path = Path(spec.origin).parent / _SCRIPT
    try:
        script = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: pip install --upgrade plotly") from error
    if "</script" in script.lower() or "<!--" in script:
        raise UsageError(f"{path} cannot stand in a page: pip install --upgrade plotly")
    return script
