"""Attention in several heads over positions of any number: a text at once, or one position at a time."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

LONGEST_WAVE = 10_000.0
"""Positions, over 2 pi, after which the slowest pair of channels has turned once."""


def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Pairs of channels turned by angles that grow with the position, so that a product of two tells their distance.

    Args:
        x: [B, heads, L, channels], an even number of channels.
        positions: Of each, [L], integer.

    Source:
        Rotary positions: Su et al., 2021, https://arxiv.org/abs/2104.09864.
    """
    half = x.shape[-1] // 2
    speeds = LONGEST_WAVE ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angles = positions.to(speeds).unsqueeze(-1) * speeds
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    left, right = x.chunk(2, -1)
    return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)


class Attention(nn.Module):
    """What each position takes from a memory: itself, the text before, or something else.

    Args:
        width: Channels.
        heads: Parts of the channels that attend separately.
        memory_width: Channels of the memory; None for ``width``.
        slots: Entries that each position of the memory makes, to choose among.
        dropout: Part of the attention that is zeroed in training.

    Raises:
        ValueError: If ``width`` does not divide into ``heads`` of an even number of channels.
    """

    def __init__(
        self, width: int, heads: int, memory_width: int | None = None, slots: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if width % (2 * heads) != 0:
            raise ValueError(f"{width} channels do not divide into {heads} heads of an even number: change one of them")
        self.heads = heads
        self.slots = slots
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.memory = nn.Linear(memory_width or width, slots * 2 * width)
        self.output = nn.Linear(width, width)

    def remember(self, memory: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
        """Keys and values of a memory, [B, heads, M * slots, channels] each.

        Args:
            memory: [B, M, memory_width].
            first: Position of its first entry.
        """
        positions = torch.arange(first, first + memory.shape[1], device=memory.device)
        made = self.memory(memory).unflatten(-1, (self.slots, 2, self.heads, -1)).flatten(1, 2)
        keys, values = made.movedim(1, 3).unbind(1)
        return rotate(keys, positions.repeat_interleave(self.slots)), values

    def forward(
        self,
        x: Tensor,
        keys: Tensor,
        values: Tensor,
        first: int = 0,
        visible: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """What each position takes, [B, L, width].

        Args:
            x: Who asks, [B, L, width].
            keys: What it asks, from :meth:`remember`.
            values: What it takes, likewise.
            first: Position of its first entry.
            visible: Entries of the memory that it may ask, [*, L, M * slots], bool; None for all.
            causal: Whether position t may ask the first t + 1 entries alone.
        """
        positions = torch.arange(first, first + x.shape[1], device=x.device)
        queries = rotate(self.query(x).unflatten(-1, (self.heads, -1)).movedim(1, 2), positions)
        part = self.dropout if self.training else 0.0
        taken = scaled_dot_product_attention(queries, keys, values, visible, part, causal)
        return self.output(taken.movedim(2, 1).flatten(2))
