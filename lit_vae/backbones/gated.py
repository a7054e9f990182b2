"""The residual block of present language models: normalised by root mean square, gated by SiLU."""

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm, silu


class RMSNorm(nn.Module):
    """Each position divided by the root mean square of its channels, times a learned scale, [*, width].

    Unlike torch's, it takes an input of another precision than its scale, as autocast hands over.

    Args:
        width: Channels.

    Source:
        Zhang & Sennrich, 2019, https://arxiv.org/abs/1910.07467.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape and precision."""
        return rms_norm(x, self.scale.shape, self.scale.to(x.dtype), eps=1e-6)


class GatedBlock(nn.Module):
    """x + down(silu(gate(norm(x))) * up(norm(x))), each position by itself, [*, width].

    Args:
        width: Channels.
        hidden: Channels inside.

    Source:
        SwiGLU: Shazeer, 2020, https://arxiv.org/abs/2002.05202.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = RMSNorm(width)
        self.widen = nn.Linear(width, 2 * hidden, bias=False)
        self.narrow = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        gate, up = self.widen(self.norm(x)).chunk(2, -1)
        return x + self.narrow(silu(gate) * up)


def gated_blocks(width: int, depth: int) -> nn.Sequential:
    """Some gated blocks, 2.5 times as wide inside."""
    return nn.Sequential(*(GatedBlock(width, (5 * width + 1) // 2) for _ in range(depth)))
