"""One row an example, whichever process saw it."""

import torch
from torch import Tensor, distributed

from lit_vae.processes import together


def once(index: list[Tensor] | Tensor, *columns: list[Tensor] | Tensor) -> tuple[Tensor, ...]:
    """The index in its order, what several processes saw but once, and the rows that belong to it, on the CPU.

    Args:
        index: Each example's number, [N], int64, in parts or whole. A distributed sampler repeats some, fewer than
            there are processes, to give each of them as many.
        columns: Rows of the examples, [N, ...], in parts or whole.

    Raises:
        ValueError: If more are repeated.
    """
    whole = torch.cat(index) if isinstance(index, list) else index
    whole, order = whole.cpu().sort(stable=True)
    first = torch.ones_like(whole, dtype=torch.bool)
    first[1:] = whole[1:] != whole[:-1]
    repeated = len(whole) - int(first.sum())
    if repeated > (distributed.get_world_size() - 1 if together() else 0):
        raise ValueError(
            f"{repeated} of the {len(whole)} examples of an evaluation have the index of another one: Batch.index must "
            f"be the number of each example in its split, different for all; torch.arange(len(x)) in each batch is not"
        )
    rows = ((torch.cat(column) if isinstance(column, list) else column).cpu() for column in columns)
    return whole[first], *(row[order[first]] for row in rows)
