"""semaudit: is an image classifier semantically continuous?

The public names load on first use, so that ``import semaudit`` and ``semaudit --help`` stay fast.
"""

from __future__ import annotations

__version__ = "0.1.0"
