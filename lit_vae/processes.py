"""What processes that train together add up, so that a batch which is shared out counts as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn.functional import pad


def together() -> bool:
    """Whether there are several processes that train together."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def summed(value: Tensor) -> Tensor:
    """Sum over the processes that train together, of the same shape in each.

    Differentiable: the gradient that reaches a process's value is the sum of what reaches the result in each of them.

    Args:
        value: Any shape, the same in every process.
    """
    return Sum.apply(value) if together() else value


def largest(sizes: Sequence[int], device: torch.device) -> list[int]:
    """The largest that each size is in any of the processes that train together. With several, waits for the device.

    Args:
        sizes: Of this process, as many in every process.
        device: Where processes exchange tensors.
    """
    if not together():
        return list(sizes)
    found = torch.tensor(sizes, device=device)
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return found.tolist()


def extended(value: Tensor, sizes: Sequence[int]) -> Tensor:
    """A tensor with zeros (or False) after its entries, up to the sizes of all its dimensions."""
    return pad(value, [n for own, size in zip(value.shape[::-1], sizes[::-1], strict=True) for n in (0, size - own)])


def summed_where_present(value: Tensor) -> Tensor:
    """As :func:`summed`, of a value whose sizes may differ between processes: what one does not have adds nothing.

    Args:
        value: Any shape, of as many dimensions in every process. The sum has the shape of this process's.
    """
    if not together():
        return value
    total = summed(extended(value, largest(value.shape, value.device)))
    return total[tuple(map(slice, value.shape))]


def mean_of_batch(values: Tensor) -> Tensor:
    """The mean over the examples of the batch, of all processes that train together, [*].

    Args:
        values: Of the examples of this process, [*, B]; their number may differ between processes.
    """
    count = values.new_tensor([values.shape[-1]])
    totals = summed(torch.cat([values.sum(-1).flatten(), count]))
    return (totals[:-1] / totals[-1]).view(values.shape[:-1])


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes that train together, [N, *], those of the first process first.

    Differentiable, as :func:`summed` is.

    Args:
        rows: Of this process, [B, *]; their number may differ between processes.
    """
    if not together():
        return rows
    rank, counts = distributed.get_rank(), torch.zeros(distributed.get_world_size(), dtype=torch.int64)
    counts = counts.to(rows.device)
    counts[rank] = len(rows)
    starts = summed(counts).cumsum(0).tolist()
    before = starts[rank] - len(rows)
    after = starts[-1] - starts[rank]
    return summed(torch.cat([rows.new_zeros(before, *rows.shape[1:]), rows, rows.new_zeros(after, *rows.shape[1:])]))


def statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How many numbers a channel has in all processes, [], their mean and their variance (not corrected), [C].

    Differentiable. Each process's own moments are combined, which loses nothing where a mean is large beside the
    deviation.

    Args:
        x: Of this process, [B, C, *], float.
    """
    rest = [0, *range(2, x.dim())]
    own = torch.cat([x.new_tensor([x.numel() / x.shape[1]]), x.mean(rest), x.var(rest, correction=0)]).unsqueeze(0)
    if together():  # a row for each process, in one exchange
        before = distributed.get_rank()
        own = summed(pad(own, (0, 0, before, distributed.get_world_size() - 1 - before)))
    counts, means, variances = own[:, :1], *own[:, 1:].chunk(2, 1)
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    return total, mean, (counts * (variances + (means - mean).square())).sum(0) / total


class Sum(torch.autograd.Function):
    """An all-reduce that gradients pass through."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # noqa: ARG004 - torch hands it over
        total = value.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return summed(gradient)
