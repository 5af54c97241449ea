"""Breaks ties among candidates by what tensors do not show: file names, key dialects, classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from semaudit.models.architectures.index import published
from semaudit.models.architectures.recognise import Recognised

USUAL_CLASSES = 1000
"""ImageNet's, with which nearly everything is published and much else trained."""
_EFFICIENTNET_PORT = ("_conv_stem.", "_bn0.", "_blocks.")
_EXTENSIONS = (".safetensors", ".pth.tar", ".pth", ".pt", ".bin", ".ckpt", ".tar")


@dataclass(frozen=True)
class Preference:
    """The candidates that the evidence leaves.

    Attributes:
        candidates: one where there is evidence, else all that were given.
        evidence: what speaks for them, in words; None where nothing does.
        tag: timm's tag of the pretrained weights that the file's name says it holds.
    """

    candidates: tuple[Recognised, ...]
    evidence: str | None = None
    tag: str | None = None


def prefer(
    candidates: Sequence[Recognised], *, file_name: str = "", names: Iterable[str] = ()
) -> Preference:
    """Choose by the file's name, else by the dialect of the keys, else by the class count.

    Args:
        candidates: as `recognise` lists them.
        file_name: the file's name or path; folders of the hub's cache tell the repository.
        names: the tensors' names as they stand in the file, without wrapping prefixes.
    """
    return (
        _by_file_name(candidates, file_name)
        or by_dialect(candidates, names)
        or by_classes(candidates)
        or Preference(tuple(candidates))
    )


def _by_file_name(candidates: Sequence[Recognised], file_name: str) -> Preference | None:
    parts = PurePath(file_name.replace("\\", "/")).parts[-4:]
    words = {piece for part in parts for piece in (part, _stem(part), part.rpartition("--")[2])}
    found = dict[str, tuple[Recognised, str, str | None]]()
    for candidate in candidates:
        for arch in (candidate.arch, *candidate.also):
            others = tuple(name for name in (candidate.arch, *candidate.also) if name != arch)
            for title, tag in _titles(arch):
                if title in words:
                    named = replace(candidate, arch=arch, also=others)
                    found.setdefault(arch, (named, title, tag))
    if len(found) != 1:
        return None
    ((candidate, title, tag),) = found.values()
    whose = f"timm's weights {candidate.arch}.{tag}" if tag else f"timm's {candidate.arch}"
    return Preference((candidate,), f"{title!r} in its path is the name of {whose}", tag)


def by_dialect(candidates: Sequence[Recognised], names: Iterable[str]) -> Preference | None:
    """Choose by what the keys' names tell of the program that made them; timm is not asked."""
    given = list(names)
    if not all(any(name.startswith(word) for name in given) for word in _EFFICIENTNET_PORT):
        return None
    padded = tuple(c for c in candidates if c.arch.startswith("tf_"))
    if not padded or len(padded) == len(candidates):
        return None
    words = ", ".join(word.strip(".") for word in _EFFICIENTNET_PORT)
    return Preference(
        padded,
        f"its tensors are named as in the EfficientNet-PyTorch port ({words}), "
        "which pads as TensorFlow does",
    )


def by_classes(candidates: Sequence[Recognised]) -> Preference | None:
    """Choose what was published with as many classes, where that many say something.

    The 21,841 of ImageNet or the 512 of an embedding come with the published weights. Its usual
    1,000 come with any training, and a head may have been taken off: these stay a guess of
    `likeliest`. timm is not asked.
    """
    same = _published_so(candidates)
    if not same or same == tuple(candidates) or same[0].num_classes in (0, USUAL_CLASSES):
        return None
    return Preference(same, _published_words(candidates, same, of_classes=True))


def likeliest(candidates: Sequence[Recognised]) -> Preference | None:
    """Prefer what is published: with as many classes, else at all; of that, at its own size.

    What is trained further mostly starts from published weights, and mostly keeps their picture
    size. That is a guess, not evidence. None where it does not tell the candidates apart; timm is
    not asked.
    """
    same = _published_so(candidates)
    chosen = same or tuple(c for c in candidates if _is_published(c)) or tuple(candidates)
    own = tuple(c for c in chosen if c.img_size is None) or chosen
    if own == tuple(candidates):
        return None
    words = _published_words(candidates, chosen, of_classes=bool(same))
    if len(own) < len(chosen):
        at = f"of pictures of this size are {', '.join(c.arch for c in own)} by default"
        words = f"{words}; {at}" if len(chosen) < len(candidates) else at
    return Preference(own, words)


def _published_so(candidates: Sequence[Recognised]) -> tuple[Recognised, ...]:
    """Those that were published with as many classes, under the names that were."""
    narrowed = [(c, _names_with(c, c.num_classes)) for c in candidates]
    return tuple(replace(c, arch=names[0], also=tuple(names[1:])) for c, names in narrowed if names)


def _names_with(candidate: Recognised, count: int) -> list[str]:
    return [arch for arch in (candidate.arch, *candidate.also) if count in published(arch)]


def _is_published(candidate: Recognised) -> bool:
    return any(published(arch) for arch in (candidate.arch, *candidate.also))


def _published_words(
    candidates: Sequence[Recognised], chosen: Sequence[Recognised], *, of_classes: bool
) -> str:
    count = chosen[0].num_classes
    of = (f"for {count} classes " if count else "without a head ") if of_classes else ""
    names = ", ".join(candidate.arch for candidate in chosen)
    return f"of the {len(candidates)} that fit, timm has weights {of}of {names} only"


def _titles(arch: str) -> list[tuple[str, str | None]]:
    """The names under which timm publishes an architecture's weights, each with its tag."""
    import timm

    titles = list[tuple[str, str | None]]()
    for name in timm.list_pretrained(f"{arch}.*") if timm.is_model(arch) else []:
        config = timm.models.get_pretrained_cfg(name)
        tag = name.partition(".")[2]
        places = (name, config.url, config.file, config.hf_hub_id)
        for place in filter(None, places):
            last = str(place).rpartition("/")[2]
            titles += [(last, tag), (_stem(last), tag)]
    return [*titles, (arch, None)]


def _stem(name: str) -> str:
    """Take off a checkpoint's ending, but not a tag, which follows a dot too."""
    ending = next((end for end in _EXTENSIONS if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]
