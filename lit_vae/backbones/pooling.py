"""One vector for a text out of a state at each of its tokens."""

from typing import Literal

import torch
from torch import Tensor

Pool = Literal["last", "max", "mean"]


def check_pool(pool: str, known: tuple[str, ...]) -> None:
    """Refuse a way to pool that is not known.

    Raises:
        ValueError: If it is none of them.
    """
    if pool not in known:
        raise ValueError(f"model.backbone.init_args.pool is one of {', '.join(known)}, got {pool!r}")


def pooled(states: Tensor, mask: Tensor | None, pool: Pool) -> Tensor:
    """The last state, or the largest or the average number of each channel, [B, width].

    Args:
        states: [B, L, width].
        mask: Positions that exist, at least one in each row, [B, L], bool; None for all.
        pool: Which of the three.
    """
    if pool == "last":
        if mask is None:
            return states[:, -1]
        last = torch.arange(mask.shape[1], device=mask.device).mul(mask).amax(1)
        return states[torch.arange(len(states), device=mask.device), last]
    if pool == "max":
        return (states if mask is None else states.masked_fill(~mask.unsqueeze(-1), -torch.inf)).amax(1)
    if mask is None:
        return states.mean(1)
    seen = mask.unsqueeze(-1)
    return states.masked_fill(~seen, 0.0).sum(1) / seen.sum(1)
