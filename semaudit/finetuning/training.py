"""The loop: updates, validation along the way, and a state from which it can go on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from semaudit.finetuning.engine import Engine
from semaudit.finetuning.keeping import Keeper, Kept, Log
from semaudit.finetuning.loss import TERMS
from semaudit.finetuning.optimizing import average_of, optimizer_of, schedule_of, stepped
from semaudit.finetuning.pictures import Pictures, order_of
from semaudit.finetuning.plan import Ended, Plan, Tick, Watch
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.step import Stepper
from semaudit.finetuning.student import Weights, weights_of
from semaudit.finetuning.validation import Answers, Validation
from semaudit.images import Batch

KEEP_EVERY = 60.0
"""Seconds between two states on disk, at the least."""


class Trainer:
    """Trains a student.

    Args:
        stepper: takes the gradients.
        recipe: how.
        plan: how long.
        pictures: of which.
        rows: some are trained on.
        validation: the running one, and what it finds of the original.
        log: of every update.
        watch: told after every update.
        keeper: of states on disk; None keeps none.
    """

    def __init__(
        self,
        stepper: Stepper,
        recipe: Recipe,
        plan: Plan,
        pictures: Pictures,
        rows: tuple[int, ...],
        validation: tuple[Validation, Answers],
        log: Log,
        watch: Watch = lambda _: None,
        keeper: Keeper | None = None,
    ) -> None:
        self.stepper, self.recipe, self.plan = stepper, recipe, plan
        self._pictures, self._rows = pictures, rows
        self._validation, self._original = validation
        self._log, self._watch, self._keeper = log, watch, keeper
        self._module = stepper.student.module
        self._weights = [each for each in self._module.parameters() if each.requires_grad]
        bare = optimizer_of(self._module, recipe)
        self._schedule = schedule_of(bare, recipe, plan)
        self._average = average_of(self._module, recipe)
        self._optimizer = stepper.engine.prepared(bare)
        self._bare = bare
        self.update, self.seconds = 0, 0.0
        self._told = Tick(0, plan.updates, original_shift=float(self._original.shift.mean()))
        self._good = (0, weights_of(self._module))
        self._clock = 0.0  # the main process's seconds, as of the last update

    @property
    def _engine(self) -> Engine:
        return self.stepper.engine

    def restore(self, kept: Kept) -> None:
        """Go on from a state."""
        self.update, self.seconds = kept.updates, kept.seconds
        self._clock = kept.seconds
        self._module.load_state_dict(kept.tensors["weights"], strict=False)
        self._bare.load_state_dict(kept.tensors["optimizer"])
        if self._average is not None:
            self._average.module.load_state_dict(kept.tensors["average"], strict=False)
        self.stepper.size = min(self.stepper.size, kept.forward)
        self._engine.scale_as(kept.tensors["scale"])
        self._good = kept.tensors["good"]

    def keep(self, ended: Ended | None = None) -> None:
        """Write the state, if it is kept at all; after the end, what came of it.

        A limit of time ends nothing for good: with a higher one training goes on.
        """
        if self._keeper is None or not self._engine.main:
            return
        if ended is not None and not self._late():
            self._keeper.save(Kept.of(ended))
            self._log.release()
            return
        tensors: dict[str, Any] = {
            "weights": weights_of(self._module),
            "optimizer": self._bare.state_dict(),
            "scale": self._engine.scale,
            "good": self._good,
        }
        if self._average is not None:
            tensors["average"] = weights_of(self._average.module)
        self._keeper.save(Kept(self.update, self.seconds, self.stepper.size, tensors))
        self._log.release()

    def run(self, stop: Callable[[], bool] = lambda: False) -> Ended:
        """Train up to the last update.

        Args:
            stop: asked after every update whether to stop early.

        Raises:
            KeyboardInterrupt: it was asked to stop; the state is kept.
        """
        started, before = time.monotonic(), self.seconds
        kept_at = started
        why: str | None = None
        if self._late():  # of a run that went on
            return self._ended(self._out_of_time())
        first = not self.update
        if first:
            self._log.write(update=0, validation=self._original.means())
        for batch in self._shares(self.plan.updates - self.update):
            sums = self._advance(batch, float(stop()))
            self.seconds = before + time.monotonic() - started
            if sums is None:
                why = f"the loss or its gradient was not finite in update {self.update + 1}"
                break
            if self.update % self.plan.per_epoch == 0 or self.update == self.plan.updates:
                why = self._validate()
                if why is not None:
                    break
            # The first update's state takes the place of an earlier run's.
            if first or time.monotonic() - kept_at > KEEP_EVERY:
                self.keep()
                first, kept_at = False, time.monotonic()
            stopped, self._clock = sums[-2:]
            if stopped:
                self.keep()
                raise KeyboardInterrupt
            if self._late():
                return self._ended(self._out_of_time())
        if why is not None:
            self._go_back()
        return self._ended(why, diverged=why is not None)

    def _ended(self, why: str | None, *, diverged: bool = False) -> Ended:
        size = self.stepper.size
        return Ended(self._current(), self.update, why, self.seconds, size, diverged)

    def _out_of_time(self) -> str:
        return f"--max-time {self.recipe.max_time:g} had passed after update {self.update}"

    def _go_back(self) -> None:
        """To the last good weights, from which no training goes on."""
        self.update, weights = self._good
        for module in (self._module, *([] if self._average is None else [self._average.module])):
            module.load_state_dict(weights, strict=False)

    def _late(self) -> bool:
        limit = self.recipe.max_time
        return limit is not None and self._clock > limit and self.update < self.plan.updates

    def _place(self) -> int:
        """Where in the schedule the next update is: a limit of time shortens it."""
        if self.recipe.max_time is None:
            return self.update
        share = min(self._clock / self.recipe.max_time, 1.0)
        return max(self.update, round(share * self.plan.updates))

    def _current(self) -> Weights:
        return weights_of(self._module if self._average is None else self._average.module)

    def _shares(self, updates: int) -> Iterator[Batch]:
        """This process's share of the batches of so many updates, from the next one on."""
        share = self.plan.batch // self._engine.world
        done = self.update
        while updates > 0:
            epoch, skipped = divmod(done, self.plan.per_epoch)
            count = min(self.plan.per_epoch - skipped, updates)
            ids = [self._pictures.image_ids[row] for row in self._rows]
            order = [self._rows[i] for i in order_of(ids, self.stepper.seed, epoch)]
            mine: list[int] = []
            for number in range(skipped, skipped + count):
                start = number * self.plan.batch + self._engine.rank * share
                mine += order[start : start + share]
            yield from self._pictures.batches(mine, share)
            done, updates = done + count, updates - count

    def _advance(self, batch: Batch, stop: float) -> list[float] | None:
        """One update; its sums, or None where the loss or a gradient is not finite."""
        if self._schedule is not None:
            self._schedule.step_update(self._place())
        engine = self._engine
        sums = self.stepper.take(batch, self.update, self.plan.batch)
        # What all must know rides along: one message an update.
        more = sums.new_tensor([stop, self.seconds if engine.main else 0.0])
        found: list[float] = engine.summed(torch.cat([sums, more])).tolist()
        engine.sum_gradients(self._weights)
        norm = float(engine.norm_of_gradients(self._weights, self.recipe.clip_grad))
        finite = math.isfinite(found[len(TERMS)]) and (engine.scaled or math.isfinite(norm))
        if finite:
            self._step()
        if not finite:
            return None
        self._tell(found, norm)
        return found

    def _step(self) -> None:
        stepped(self._optimizer, self.recipe.opt)
        self.update += 1
        if self._average is not None:
            self._average.update(self._module, step=self.update)

    def _tell(self, sums: list[float], norm: float) -> None:
        count = max(sums[len(TERMS) + 1], 1.0)
        terms = {name: value / count for name, value in zip(TERMS, sums, strict=False)}
        loss = sums[len(TERMS)] / count
        rate = max(group["lr"] for group in self._bare.param_groups)
        self._log.write(
            update=self.update,
            epoch=self.update / self.plan.per_epoch,
            loss=loss,
            **terms,
            lr=rate,
            gradient_norm=norm,
            seconds=round(self.seconds, 3),
        )
        self._told = replace(self._told, update=self.update, loss=loss, terms=terms)
        self._watch(self._told)

    def _validate(self) -> str | None:
        """Look at validation; says what is wrong, or takes the state for a good one."""
        student = self.stepper.student
        if self._average is not None:
            student = replace(student, module=self._average.module)
        answers = self._validation(student, self._original.view)
        shift = float(answers.shift.mean())
        if not math.isfinite(shift):
            return f"the answers on validation were not finite after update {self.update}"
        self._good = (self.update, self._current())
        self._log.write(update=self.update, validation=answers.means())
        self._told = replace(self._told, shift=shift)
        self._watch(self._told)
        return None
