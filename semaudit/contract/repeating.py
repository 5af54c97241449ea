"""That a result comes out again: from the same draw, alone or in any batch, a strength each."""

from __future__ import annotations

import torch

from semaudit.contract.cases import Case
from semaudit.contract.check import Check, into
from semaudit.contract.comparing import gap_of, same
from semaudit.contract.generators import generators_kept, seed_all, states

SEEDS = (20201, 7)
"""Two that no author is likely to have taken."""

REPEATING: list[Check] = []
"""The checks of this room, in order."""

_check = into(REPEATING)


@_check(
    "take every random number from `draw`, and keep nothing from one call to the next", basic=True
)
def gives_the_same_for_the_same_draw(case: Case) -> str | None:
    """A second run, with a draw made anew, gives the same bits."""
    again = case.perturbation(case.images(), case.top, case.draw())
    if same(again, case.changed):
        return None
    return f"two runs with the same draw differ by up to {gap_of(again, case.changed)}"


@_check("take random numbers from `draw` alone, and seed no generator that others use")
def leaves_global_generators_alone(case: Case) -> str | None:
    """It neither moves nor seeds the generators of torch, numpy and random, nor depends on them."""
    with generators_kept():
        results = []
        for seed in SEEDS:
            seed_all(seed)
            before = states()
            results.append(case.raw(case.images(2), case.top, case.draw(count=2)))
            moved = [name for name, state in states().items() if state != before[name]]
            if moved:
                return f"it draws from or seeds the global generator of {' and '.join(moved)}"
    if not same(*results):
        return f"other global seeds change its result by up to {gap_of(*results)}"
    return None


@_check(
    "let a picture depend on no other and on no batch size: random numbers from `draw`, no mean "
    "over the batch, no matmul, no float32 log, cos or pow of a tensor (see pixels.double)"
)
def gives_the_same_alone_as_in_a_batch(case: Case) -> str | None:
    """A picture's bits do not depend on the others in the batch, nor on their order."""
    images, together = case.images(), case.changed
    for index in (0, case.count - 2):
        alone = case.perturbation(images[index : index + 1], case.top, case.draw(index))
        if not same(alone[0], together[index]):
            gap = gap_of(alone[0], together[index])
            return f"picture {index} alone and in a batch of {case.count} differ by up to {gap}"
    few = case.count // 2 + 1
    part = case.perturbation(images[:few], case.top, case.draw(count=few))
    if not same(part, together[:few]):
        gap = gap_of(part, together[:few])
        return f"batches of {few} and of {case.count} differ by up to {gap}"
    order = torch.arange(case.count - 1, -1, -1)
    turned = case.perturbation(images[order], case.top, case.draw().subset(order))
    if not same(turned, together[order]):
        return f"in another order pictures differ by up to {gap_of(turned, together[order])}"
    return None


@_check("bring the strength to (n, 1, 1, 1) with pixels.per_image, and go on from there")
def takes_a_strength_each(case: Case) -> str | None:
    """A tensor of strengths gives each picture the bits that a float gives it."""
    images, ladder = case.images(), case.ladder
    equal = case.perturbation(images, torch.full((case.count,), case.top), case.draw())
    if not same(equal, case.changed):
        return (
            f"a tensor of {case.top:g} and the float differ by up to {gap_of(equal, case.changed)}"
        )
    mixed = [(ladder[0], 0.0, case.top, ladder[len(ladder) // 2])[k % 4] for k in range(case.count)]
    together = case.perturbation(images, torch.tensor(mixed), case.draw())
    for index in range(min(4, case.count)):
        picture = images[index : index + 1]
        alone = case.perturbation(picture, mixed[index], case.draw(index))
        if not same(alone[0], together[index]):
            gap = gap_of(alone[0], together[index])
            return f"at {mixed[index]:g}, one of several strengths, it differs by up to {gap}"
    return None
