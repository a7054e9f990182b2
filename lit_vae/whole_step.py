"""One quotient for a whole optimizer step, however its batches are shared out and accumulated."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, distributed

from lit_vae.processes import summed, together


class WholeStep:
    """Divides the nats of all batches of an optimizer step by all their symbols (or examples), once.

    A trainer takes the mean of the gradients of several processes, and of the batches that it accumulates. Where
    batches differ in what they are divided by, a mean of quotients is not the quotient of the sums. So each batch is
    divided by what the first batch of the step has in all processes, and before the update the gradient is corrected
    for what the others have. With one batch in one process the loss is the objective's, as it is.
    """

    def __init__(self) -> None:
        self.divisors: list[Tensor] = []
        """Of the batches of the step that are done, [] each, over all processes."""

    @property
    def under_way(self) -> bool:
        """Whether some batches of a step are done, and others are not."""
        return bool(self.divisors)

    def begin(self) -> None:
        """Forget what was accumulated: the next batch is the first of a step."""
        self.divisors = []

    def loss(self, nats: Tensor, divisor: Tensor, accumulated: int) -> Tensor:
        """What a process differentiates for one batch, [].

        Args:
            nats: Sum over this process's batch, [].
            divisor: What the objective divides a sum over this batch by, [].
            accumulated: Batches whose gradients the trainer takes the mean of.
        """
        self.divisors.append(summed(divisor.to(nats.dtype)))
        processes = distributed.get_world_size() if together() else 1
        return nats * (processes * accumulated / self.divisors[0])

    @torch.no_grad()
    def finish(self, weights: Iterable[Tensor]) -> None:
        """Correct the gradient of a step that is whole, before it is clipped or looked at; then begin anew."""
        if len(self.divisors) > 1:
            correction = self.divisors[0] / torch.stack(self.divisors).sum()
            for weight in weights:
                if weight.grad is not None:
                    weight.grad.mul_(correction)
        self.begin()
