"""What an unfinished run leaves: all that it needs to go on as if it had not been broken off."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from semaudit.errors import AuditError, UsageError, last_line
from semaudit.files import appearing_file
from semaudit.finetuning.plan import Ended
from semaudit.folder import move_in, partial

STATE, LOG, SEARCH = "state.pt", "log.jsonl", "search.json"


@dataclass(frozen=True)
class Kept:
    """The state of a run.

    Attributes:
        updates: how many are done.
        seconds: how long they took.
        forward: pictures in a forward, after any halving.
        tensors: what is needed to go on, or, of training that is done, the resulting weights.
        done: whether training is done, so that the choice is next.
        why: what ended it early, if anything.
        diverged: whether that was a number that is not finite.
        free: what a run that goes on may have otherwise, by the names that a note has for it.
    """

    updates: int
    seconds: float
    forward: int
    tensors: dict[str, Any]
    done: bool = False
    why: str | None = None
    diverged: bool = False
    free: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, ended: Ended) -> Kept:
        """Of training that is done."""
        tensors = {"weights": ended.weights}
        return cls(
            ended.updates, ended.seconds, ended.forward, tensors, True, ended.why, ended.diverged
        )

    @property
    def ended(self) -> Ended:
        """How training ended, once it is done."""
        return Ended(
            self.tensors["weights"],
            self.updates,
            self.why,
            self.seconds,
            self.forward,
            self.diverged,
        )


@dataclass
class Keeper:
    """Keeps a run's state in a folder beside what it will write.

    Attributes:
        folder: the folder.
        identity: what the run rests on: a run that rests on something else cannot go on from it.
        free: what it may have otherwise, see `Kept`.
        begun: whether what is in the folder is this run's. Until then it is an earlier one's, and
            stays: whoever starts afresh with a wrong flag must not lose it.
    """

    folder: Path
    identity: dict[str, Any]
    free: dict[str, Any] = field(default_factory=dict)
    begun: bool = False

    @classmethod
    def beside(
        cls,
        out: Path,
        identity: dict[str, Any],
        free: dict[str, Any] | None = None,
        *,
        resume: bool = False,
    ) -> Keeper:
        """The keeper of a run that will write ``out``, or goes on with an earlier one."""
        stated, loose = json.loads(json.dumps([identity, free or {}]))
        return cls(partial(out), stated, loose, resume)

    def put(self, name: str, write: Callable[[Path], object]) -> None:
        """Write a file, whole or not at all; the first one brings the folder.

        An earlier run's folder goes only once the new one is in its place.
        """
        if self.begun:
            self.folder.mkdir(parents=True, exist_ok=True)
            with appearing_file(self.folder / name) as work:
                write(work)
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}-", dir=self.folder.parent))
        try:
            made.chmod(0o755)
            write(made / name)
            move_in(made, self.folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        self.begun = True

    def save(self, kept: Kept) -> None:
        """Write the state, whole or not at all.

        Raises:
            AuditError: it cannot be written, as to a full disk.
        """
        state = {
            "identity": json.dumps(self.identity),
            **{each.name: getattr(kept, each.name) for each in fields(kept)},
            "free": self.free,
        }
        try:
            self.put(STATE, lambda path: torch.save(state, path))
        except RuntimeError as error:  # torch's own, of a file that it cannot write
            raise AuditError(
                f"the state cannot be written to {self.folder}: {last_line(error)}"
            ) from error

    def load(self) -> Kept | None:
        """The state, or None where there is none.

        Raises:
            UsageError: it is another run's, or cannot be read.
        """
        path = self.folder / STATE
        if not path.is_file():
            return None
        try:
            with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums
                if (broken := archive.testzip()) is not None:
                    raise zipfile.BadZipFile(broken)
            state = torch.load(path, map_location="cpu", weights_only=True)
            identity = json.loads(state["identity"])
            kept = Kept(**{each.name: state[each.name] for each in fields(Kept)})
        except Exception as error:  # whatever torch raises on a damaged file
            raise UsageError(
                f"{path} cannot be read ({type(error).__name__}): start afresh with --force"
            ) from error
        different = [key for key in self.identity if identity.get(key) != self.identity[key]]
        if different:
            said = "; ".join(
                f"{key} was {_short(identity.get(key))} and is {_short(self.identity[key])}"
                for key in different
            )
            raise UsageError(
                f"{self.folder} is of another run: {said}. Give what was given then, or start "
                "afresh with --force"
            )
        return kept

    @property
    def holds(self) -> bool:
        """Whether there is a state of this run."""
        return self.begun and self.holds_any

    @property
    def holds_any(self) -> bool:
        """Whether there is a state, be it an earlier run's."""
        return (self.folder / STATE).is_file()

    def tidy(self) -> None:
        """Take away what this run has left, where nothing in it could go on."""
        if self.begun and not self.holds:
            self.forget()

    def forget(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:18]}...{text[-18:]}"


class Log:
    """A JSON-lines file, a line an update or validation; lines after a resumed one go.

    Args:
        path: None writes nowhere, as in processes other than the main one.
        updates: how many are done: what a broken run wrote of later ones is taken back.
        held: whether lines wait until they are released, as the folder is not there yet.
    """

    def __init__(self, path: Path | None, updates: int = 0, *, held: bool = False) -> None:
        self._path, self._updates, self._begun = path, updates, False
        self._held: list[dict[str, object]] | None = [] if held else None

    def write(self, **line: object) -> None:
        """Add a line."""
        if self._held is not None:
            self._held.append(line)
        elif self._path is not None:
            if not self._begun:
                self._begin(self._path)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def release(self) -> None:
        """Add the lines that wait."""
        held, self._held = self._held or [], None
        for line in held:
            self.write(**line)

    def _begin(self, path: Path) -> None:
        self._begun = True
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text("utf-8").splitlines() if path.is_file() and self._updates else []
        kept = [line for line in before if _update_of(line) <= self._updates]
        path.write_text("".join(f"{line}\n" for line in kept), "utf-8")


def _update_of(line: str) -> float:
    """The update that a line tells of; of half a line, which a kill can leave, none ever made."""
    try:
        return float(json.loads(line)["update"])
    except (ValueError, TypeError, KeyError):
        return math.inf
