"""Numbers of mean 0 and variance 1 over a batch, and in evaluation by what training has seen."""

import torch
from torch import Tensor, nn

from lit_vae.processes import statistics


class Standardize(nn.Module):
    """Less the mean over a batch, divided by the standard deviation; nothing is learned.

    The batch is that of all processes that train together; under gradient accumulation, each by itself.

    Evaluation divides by running statistics, made of training batches alone: their plain average over the first
    1 / momentum batches, then a moving one. What they begin with (mean 0, variance 1, which an evaluation uses that
    comes before all training) has no part in them, so that an evaluation after one step agrees with that step. Names
    and meaning of what is saved are those of ``torch.nn.BatchNorm1d``; there the variance of 1 fades over some fifty
    batches, in which numbers that vary little are evaluated as if they did not vary.

    Args:
        width: Numbers of a row.
        momentum: Weight of the newest batch, in (0, 1], once there have been 1 / momentum.
        eps: Added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, width: int, momentum: float, eps: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, rows: Tensor) -> Tensor:
        """The rows, standardized, [N, width], float; in training there are at least 2 in all processes."""
        if not self.training:
            return (rows - self.running_mean) * (self.running_var + self.eps).rsqrt()
        count, mean, variance = statistics(rows)
        self._take_in(count, mean.detach(), variance.detach())
        return (rows - mean) * (variance + self.eps).rsqrt()

    @torch.no_grad()
    def _take_in(self, count: Tensor, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        weight = (1 / self.num_batches_tracked).clamp(min=self.momentum).to(self.running_mean.dtype)
        for running, newest in ((self.running_mean, mean), (self.running_var, variance * count / (count - 1))):
            running.lerp_(newest.to(running.dtype), weight)  # a weight of 1 leaves nothing of before, not even digits
