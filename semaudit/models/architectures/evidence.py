"""Breaks ties among candidates by what the weights do not show: file names and key dialects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from semaudit.models.architectures.recognise import Recognised

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
    """Choose by the file's name, else by the dialect of the keys.

    Args:
        candidates: as `recognise` lists them.
        file_name: the file's name or path; folders of the hub's cache tell the repository.
        names: the tensors' names as they stand in the file, without wrapping prefixes.
    """
    return (
        _by_file_name(candidates, file_name)
        or by_dialect(candidates, names)
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


def likeliest(candidates: Sequence[Recognised]) -> Preference | None:
    """Prefer what timm publishes weights of: with as many classes, else at all.

    What is trained further mostly starts from published weights. That is a guess, not evidence.
    None where it does not tell the candidates apart.
    """
    counts = {candidate.arch: _class_counts(candidate) for candidate in candidates}
    same = tuple(c for c in candidates if c.num_classes in counts[c.arch])
    published = same or tuple(c for c in candidates if counts[c.arch])
    if not published or len(published) == len(candidates):
        return None
    names = ", ".join(candidate.arch for candidate in published)
    of = f"for {published[0].num_classes} classes " if same else ""
    words = f"of the {len(candidates)} that fit, timm has weights {of}of {names} only"
    return Preference(published, words)


def _class_counts(candidate: Recognised) -> set[int]:
    import timm

    archs = [arch for arch in (candidate.arch, *candidate.also) if timm.is_model(arch)]
    tagged = [name for arch in archs for name in timm.list_pretrained(f"{arch}.*")]
    configs = (timm.models.get_pretrained_cfg(name) for name in tagged)
    return {config.num_classes for config in configs if config is not None} - {0}


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
