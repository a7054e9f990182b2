"""One layer of a causal Transformer that may take from features."""

import torch
from torch import Tensor, nn

from lit_vae.attention import Attention, SlotAttention


class CausalBlock(nn.Module):
    """Attention to the tokens so far, to slots that the features fill, and a perceptron, each added to what came in.

    Args:
        width: Channels.
        heads: Of the attention.
        feature_width: Channels of the features; None leaves them aside.
        slots: That the features of a position fill.
        dropout: Part of the attention and of what is added that is zeroed in training.
        shrink: Of the initial weights of what is added; a deep stack needs it small.

    Source:
        Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; normalised before each part: Radford et al., 2019,
        Language models are unsupervised multitask learners.
    """

    def __init__(
        self, width: int, heads: int, feature_width: int | None, slots: int, dropout: float, shrink: float
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.slots = None if feature_width is None else SlotAttention(width, heads, feature_width, slots, dropout)
        self.slot_norm = nn.Identity() if feature_width is None else nn.LayerNorm(width)
        last = nn.Linear(4 * width, width)
        self.perceptron = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), last)
        self.dropout = nn.Dropout(dropout)
        added = [self.attention.output, last, *([] if self.slots is None else [self.slots.output])]
        with torch.no_grad():
            for layer in added:
                layer.weight.mul_(shrink)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """A whole text, [B, L, width].

        Args:
            x: [B, L, width].
            features: [B, L, feature_width].
        """
        read = self.norm(x)
        x = x + self.dropout(self.attention(read, *self.attention.remember(read), causal=True))
        return self._finish(x, features)

    def room(self, texts: int, length: int, like: Tensor) -> Tensor:
        """Where the keys and values of some texts go as they are written, [2, texts, heads, length, channels].

        Args:
            texts: How many.
            length: Most tokens of a text.
            like: Of the type and on the device that the room is to be.
        """
        width, heads = self.attention.output.in_features, self.attention.heads
        return like.new_empty(2, texts, heads, length, width // heads)

    def advance(self, x: Tensor, features: Tensor, position: int, kept: Tensor) -> Tensor:
        """One position, [N, 1, width], which takes its place among what is kept.

        Args:
            x: [N, 1, width].
            features: [N, 1, feature_width].
            position: From 0.
            kept: Of the tokens before, from :meth:`room`.
        """
        read = self.norm(x)
        kept[..., position : position + 1, :] = torch.stack(self.attention.remember(read, position))
        x = x + self.dropout(self.attention(read, *kept[..., : position + 1, :], first=position))
        return self._finish(x, features)

    def _finish(self, x: Tensor, features: Tensor) -> Tensor:
        if self.slots is not None:
            x = x + self.dropout(self.slots(self.slot_norm(x), features))
        return x + self.dropout(self.perceptron(x))
