"""One row an example, whichever process saw it and however often."""

import torch
from torch import Tensor


def once(index: list[Tensor] | Tensor, *columns: list[Tensor] | Tensor) -> tuple[Tensor, ...]:
    """The index without repetitions, in its order, and the rows that belong to it, on the CPU.

    Args:
        index: Each example's number, [N], int64, in parts or whole; a distributed sampler repeats some.
        columns: Rows of the examples, [N, ...], in parts or whole.
    """
    whole = torch.cat(index) if isinstance(index, list) else index
    whole, order = whole.cpu().sort(stable=True)
    first = torch.ones_like(whole, dtype=torch.bool)
    first[1:] = whole[1:] != whole[:-1]
    rows = ((torch.cat(column) if isinstance(column, list) else column).cpu() for column in columns)
    return whole[first], *(row[order[first]] for row in rows)
