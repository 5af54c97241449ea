"""The fingerprint of pictures that nothing is measured on."""

from __future__ import annotations

from semaudit.images import ImageSource
from semaudit.images.batches import add_digests

_BATCH = 32


def fingerprint_of(source: ImageSource) -> tuple[str, int]:
    """The fingerprint of a source's readable pictures, as a scan states it, and their count."""
    digest, count = 0, 0
    for batch in source.batches(_BATCH):
        digest = add_digests([digest, batch.digest])
        count += len(batch)
    return f"{digest:064x}", count
