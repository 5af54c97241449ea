"""Training, validation and test parts by their usual names."""

from __future__ import annotations

from collections.abc import Iterable

from semaudit.errors import ImageError, UsageError

_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "eval", "evaluation", "dev"),
    "test": ("test", "testing", "t10k"),
}
_PART = {word: part for part, words in _WORDS.items() for word in words}


def part_of(name: str) -> str | None:
    """Return "train", "validation" or "test" for one of their usual names, or None."""
    return _PART.get(name.casefold())


def chosen(available: Iterable[str], asked: str, where: str) -> str:
    """Return the one of the available names that ``asked`` means.

    Raises:
        UsageError: there is none.
    """
    names = sorted(available)
    if asked in names:
        return asked
    same = [name for name in names if part_of(name) is not None and part_of(name) == part_of(asked)]
    if len(same) == 1:
        return same[0]
    there = f"it has {', '.join(names[:8])}" if names else "it has no parts"
    raise UsageError(f"--split {asked}: there is no such part in {where}; {there}")


def default(available: Iterable[str], where: str) -> tuple[str, str]:
    """Choose the part to audit when none was asked for; returns it and the note that says so.

    Raises:
        ImageError: more than one part is not for training.
    """
    names = sorted(available)
    held_out = [name for name in names if part_of(name) != "train"] or names
    if len(held_out) > 1:
        raise ImageError(
            f"{where} has the parts {', '.join(names)}; say which with --split, for example "
            f"--split {held_out[-1]}"
        )
    (name,) = held_out
    others = [other for other in names if other != name]
    beside = f", not {' or '.join(others)}" if others else ""
    return name, f"the pictures are those of {name}{beside} in {where}; --split chooses another"


__all__ = ["chosen", "default", "part_of"]
