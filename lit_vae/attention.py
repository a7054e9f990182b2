"""Attention in several heads over texts of any length: all of it at once, or one position at a time."""

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


def in_heads(x: Tensor, heads: int) -> Tensor:
    """Channels by heads, [B, heads, L, channels], from [B, L, width]."""
    return x.unflatten(-1, (heads, -1)).movedim(1, 2)


def check_heads(width: int, heads: int) -> None:
    """Refuse heads that the channels do not divide into.

    Raises:
        ValueError: If they do not, or a head had an odd number of channels.
    """
    if width % (2 * heads) != 0:
        raise ValueError(f"{width} channels do not divide into {heads} heads of an even number: change one of them")


class Attention(nn.Module):
    """What each position takes from others of the same text, [B, L, width].

    Args:
        width: Channels.
        heads: Parts of the channels that attend separately.
        dropout: Part of the attention that is zeroed in training.

    Raises:
        ValueError: If ``width`` does not divide into ``heads`` of an even number of channels.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.memory = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def remember(self, x: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
        """Keys and values of some positions, [B, heads, M, channels] each.

        Args:
            x: [B, M, width].
            first: Number of the first.
        """
        keys, values = self.memory(x).chunk(2, -1)
        positions = torch.arange(first, first + x.shape[1], device=x.device)
        return rotate(in_heads(keys, self.heads), positions), in_heads(values, self.heads)

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
            first: Number of the first position that asks.
            visible: Positions that it may ask, [*, L, M], bool; None for all.
            causal: Whether position t may ask the first t + 1 alone.
        """
        positions = torch.arange(first, first + x.shape[1], device=x.device)
        queries = rotate(in_heads(self.query(x), self.heads), positions)
        part = self.dropout if self.training else 0.0
        taken = scaled_dot_product_attention(queries, keys, values, visible, part, causal)
        return self.output(taken.movedim(2, 1).flatten(2))


class SlotAttention(nn.Module):
    """What each position takes from a few slots, which the features at that position fill, [B, L, width].

    Args:
        width: Channels.
        heads: Parts of the channels that attend separately.
        feature_width: Channels of the features.
        slots: How many; with one there would be nothing to choose.
        dropout: Part of the attention that is zeroed in training.

    Raises:
        ValueError: If ``width`` does not divide into ``heads`` of an even number of channels.
    """

    def __init__(self, width: int, heads: int, feature_width: int, slots: int, dropout: float = 0.0) -> None:
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.slots = slots
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.fill = nn.Linear(feature_width, 2 * slots * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """Same shape.

        Args:
            x: Who asks, [B, L, width].
            features: [B, L, feature_width].
        """
        # One vector shown at every position fills its slots once.
        fillings = 1 if features.stride(1) == 0 else features.shape[1]
        filled = self.fill(features[:, :fillings]).unflatten(-1, (2, self.slots, self.heads, -1)).flatten(0, 1)
        keys, values = filled.movedim(3, 2).unbind(1)
        queries = in_heads(self.query(x).unflatten(1, (fillings, -1)).flatten(0, 1), self.heads)
        part = self.dropout if self.training else 0.0
        taken = scaled_dot_product_attention(queries, keys, values, None, part)
        return self.output(taken.movedim(2, 1).flatten(2).view_as(x))
