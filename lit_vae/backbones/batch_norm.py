"""Batch normalisation over the whole batch, those shares of it that other processes have included."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

from lit_vae.distributions import at_least_float32
from lit_vae.processes import summed, together


class BatchNorm2d(nn.BatchNorm2d):
    """torch's, whose statistics in training are those of all processes that train together.

    Under gradient accumulation each batch has statistics of its own.
    """

    couples_examples = True
    """What one example gives depends on the others of its batch."""

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and together()):
            return super().forward(input)
        count, mean, variance = shared_statistics(at_least_float32(input))
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


def shared_statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How many numbers a channel has in all processes, [], their mean and their variance (not corrected), [C].

    Each process's own moments are combined, which loses nothing where the mean is large beside the deviation.

    Args:
        x: Of this process, [B, C, *].
    """
    rest = [0, *range(2, x.dim())]
    own = torch.cat([x.new_tensor([x.numel() / x.shape[1]]), x.mean(rest), x.var(rest, correction=0)])
    rows = nn.functional.pad(own.unsqueeze(0), (0, 0, distributed.get_rank(), 0))
    rows = summed(nn.functional.pad(rows, (0, 0, 0, distributed.get_world_size() - len(rows))))
    counts, means, variances = rows[:, :1], *rows[:, 1:].chunk(2, 1)
    count = counts.sum()
    mean = (counts * means).sum(0) / count
    return count, mean, (counts * (variances + (means - mean).square())).sum(0) / count


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Values of channels, [C], broadcastable to [B, C, *]."""
    return values.view(-1, *[1] * (x.dim() - 2))
