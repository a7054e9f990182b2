"""Batch normalisation over the whole batch, those shares of it that other processes have included."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lit_vae.distributions import at_least_float32
from lit_vae.processes import statistics, together


class BatchNorm2d(nn.BatchNorm2d):
    """torch's, whose statistics in training are those of all processes that train together.

    Under gradient accumulation each batch has statistics of its own.
    """

    couples_examples = True
    """What one example gives depends on the others of its batch."""

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and together()):
            return super().forward(input)
        count, mean, variance = statistics(at_least_float32(input))
        self._learn(count, mean.detach(), variance.detach())
        normed = (input - per_channel(mean, input)) * per_channel((variance + self.eps).rsqrt(), input)
        if self.affine:
            normed = normed * per_channel(self.weight, input) + per_channel(self.bias, input)
        return normed.to(input.dtype)

    @torch.no_grad()
    def _learn(self, count: Tensor, mean: Tensor, variance: Tensor) -> None:
        """Take the statistics of a batch into the running ones, as torch does."""
        assert self.running_mean is not None, "made with running statistics"
        assert self.running_var is not None, "made with running statistics"
        assert self.momentum is not None, "made with a momentum"
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var), self.momentum)


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Values of channels, [C], broadcastable to [B, C, *]."""
    return values.view(-1, *[1] * (x.dim() - 2))
