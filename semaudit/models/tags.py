"""What timm publishes of one architecture under several tags, and where these disagree."""

from __future__ import annotations

from collections.abc import Iterable

NAMED = 3
"""How many tags a message names."""


def other_statistics(arch: str, taken: tuple[Iterable[float], Iterable[float]]) -> list[str]:
    """List the means and standard deviations of an architecture's weights that are not ``taken``.

    Of 1,151 architectures with published weights 34 have weights that differ in them: for these
    the default tag's are no more than the likeliest.

    Args:
        arch: timm's name, without a tag.
        taken: the mean and the standard deviation of the default tag.

    Returns:
        Each in words, with the first tags that have it.
    """
    import timm

    found: dict[tuple[tuple[float, ...], tuple[float, ...]], list[str]] = {}
    for name in timm.list_pretrained(f"{arch}.*") if timm.is_model(arch) else ():
        config = timm.models.get_pretrained_cfg(name)
        tags = found.setdefault((tuple(config.mean), tuple(config.std)), [])
        tags.append(name.partition(".")[2])
    found.pop((tuple(taken[0]), tuple(taken[1])), None)
    return [
        f"mean {_shown(mean)}, std {_shown(std)} ({_named(found[mean, std])})"
        for mean, std in found
    ]


def _shown(values: Iterable[float]) -> str:
    return ",".join(f"{value:.3g}" for value in values)


def _named(tags: list[str]) -> str:
    return ", ".join(tags[:NAMED]) + (", ..." if len(tags) > NAMED else "")
