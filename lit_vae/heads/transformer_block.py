"""One layer of a causal Transformer that may ask a memory of features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lit_vae.attention import Attention


class Cache(NamedTuple):
    """Keys and values of one layer, so that a token is read once.

    Args:
        own: Of the tokens so far, room for all: [2, N, heads, L, channels].
        memory: Of the features, [2, N, heads, L * slots, channels]; None where they are not asked.
    """

    own: Tensor
    memory: Tensor | None

    def select(self, rows: Tensor) -> Cache:
        """That of some texts, in a given order."""
        return Cache(self.own[:, rows], None if self.memory is None else self.memory[:, rows])


class CausalBlock(nn.Module):
    """Attention to the tokens before, attention to the features so far, and a perceptron, each added to what came in.

    Position t asks the features of positions up to t: those after it are there because the text goes on, and would give
    its length away.

    Args:
        width: Channels.
        heads: Of the attention.
        memory_width: Channels of the features that are asked; None asks none.
        slots: Entries that the features of a position make, to choose among.
        dropout: Part of what is added that is zeroed in training.
        shrink: Of the initial weights of what is added; a deep stack needs it small.

    Source:
        Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; normalised before each part: Radford et al., 2019,
        Language models are unsupervised multitask learners.
    """

    def __init__(
        self, width: int, heads: int, memory_width: int | None, slots: int, dropout: float, shrink: float
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout=dropout)
        self.memory_norm = None if memory_width is None else nn.LayerNorm(width)
        self.memory = None if memory_width is None else Attention(width, heads, memory_width, slots, dropout)
        last = nn.Linear(4 * width, width)
        self.perceptron = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), last)
        self.dropout = nn.Dropout(dropout)
        added = [self.attention.output, last, *([] if self.memory is None else [self.memory.output])]
        with torch.no_grad():
            for layer in added:
                layer.weight.mul_(shrink)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """A whole text, [B, L, width].

        Args:
            x: [B, L, width].
            features: [B, L, memory_width].
        """
        length = x.shape[1]
        read = self.norm(x)
        x = x + self.dropout(self.attention(read, *self.attention.remember(read), causal=True))
        if self.memory is not None and self.memory_norm is not None:
            times = torch.arange(length, device=x.device)
            visible = times.repeat_interleave(self.memory.slots) <= times.unsqueeze(1)
            asked = self.memory(self.memory_norm(x), *self.memory.remember(features), visible=visible)
            x = x + self.dropout(asked)
        return x + self.dropout(self.perceptron(x))

    def start(self, features: Tensor) -> Cache:
        """The cache before the first token.

        Args:
            features: [N, L, memory_width].
        """
        memory = None if self.memory is None else torch.stack(self.memory.remember(features))
        width = self.attention.output.in_features
        heads = self.attention.heads
        own = features.new_empty(2, len(features), heads, features.shape[1], width // heads)
        return Cache(own, memory)

    def advance(self, x: Tensor, position: int, cache: Cache) -> Tensor:
        """One position, [N, 1, width]; the cache takes it in.

        Args:
            x: [N, 1, width].
            position: From 0.
            cache: Of the tokens before.
        """
        read = self.norm(x)
        cache.own[:, :, :, position] = torch.stack(self.attention.remember(read, position)).squeeze(3)
        x = x + self.dropout(self.attention(read, *cache.own[..., : position + 1, :], first=position))
        if self.memory is not None and self.memory_norm is not None and cache.memory is not None:
            so_far = cache.memory[..., : (position + 1) * self.memory.slots, :]
            x = x + self.dropout(self.memory(self.memory_norm(x), *so_far, first=position))
        return x + self.dropout(self.perceptron(x))
