"""The worst pictures, kept in the audit so that a report can show them without the model."""

from __future__ import annotations

from semaudit.showcase.index import Answer, File, Index, Kept, Role, read_index, read_picture

__all__ = ["Answer", "File", "Index", "Kept", "Role", "read_index", "read_picture"]
