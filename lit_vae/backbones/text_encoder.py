"""A Transformer that reads a text both ways."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lit_vae.attention import Attention
from lit_vae.backbones.convolutions import shrunk
from lit_vae.backbones.text_blocks import hide
from lit_vae.backbones.vectors import check_parts


def check_heads(width: int, heads: int) -> None:
    """Refuse heads that the channels do not divide into.

    Raises:
        ValueError: If they do not, or a head had an odd number of channels.
    """
    if width % (2 * heads) != 0:
        raise ValueError(
            f"{width} channels do not divide into {heads} heads of an even number of channels: "
            f"change model.backbone.init_args.heads or the number of channels"
        )


class EncoderBlock(nn.Module):
    """Attention to all positions, or to those before, and a perceptron, each added to what came in, [B, L, width].

    Args:
        width: Channels.
        heads: Of the attention.
        dropout: Part of what is added that is zeroed in training.
        shrink: Of the initial weights of what is added.
        causal: Whether a position sees itself and those before it alone.
    """

    def __init__(self, width: int, heads: int, dropout: float, shrink: float, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout=dropout)
        shrunk(self.attention.output, shrink)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            shrunk(nn.Linear(4 * width, width), shrink),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """Same shape.

        Args:
            x: [B, L, width].
            visible: Positions that exist, [B, 1, 1, L], bool; None for all.
        """
        read = self.norm(x)
        seen = self.attention.remember(read)
        x = x + self.dropout(self.attention(read, *seen, visible=visible, causal=self.causal))
        return x + self.dropout(self.perceptron(x))


class TextEncoder(nn.Module):
    """A state for a text, and one for each of its tokens, each of which saw all tokens.

    Args:
        embed_width: Channels of what is read.
        width: Channels of the states.
        depth: Layers.
        heads: Of the attention; ``width`` divides into heads of an even number of channels.
        dropout: Part of what is read, of the attention and of what each layer adds that is zeroed in training.

    Raises:
        ValueError: If ``width`` does not divide or ``dropout`` is not in [0, 1).

    Source:
        Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, normalised before each part; a vector of its own to read
        the whole text with: Devlin et al., 2019, https://arxiv.org/abs/1810.04805.
    """

    def __init__(self, embed_width: int, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        check_heads(width, heads)
        check_parts(dropout=dropout)
        self.enter = nn.Linear(embed_width, width)
        self.whole = nn.Parameter(0.1 * torch.randn(width))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, dropout, (2 * depth) ** -0.5) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The state of the text, [B, width], and those of its tokens, [B, L, width], zero where none exists.

        Args:
            features: [B, L, embed_width].
            mask: Tokens that exist, [B, L], bool; None for all.
        """
        read = self.enter(hide(features, mask))
        x = self.dropout(torch.cat([self.whole.to(read.dtype).expand(len(read), 1, -1), read], 1))
        visible = None if mask is None else pad(mask, (1, 0), value=True)[:, None, None]
        for block in self.blocks:
            x = block(x, visible)
        x = self.norm(x)
        return x[:, 0], hide(x[:, 1:], mask)
