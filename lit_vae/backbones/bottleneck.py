"""The convolutional cell that deep hierarchies of latent layers are built of."""

from collections.abc import Callable

from torch import Tensor, nn


class Bottleneck(nn.Module):
    """Convolutions 1x1, kxk, kxk, 1x1, narrow in between, an activation before each.

    Args:
        inputs: Channels that come in.
        middle: Channels in between.
        outputs: Channels that go out.
        kernel_size: k, odd.
        activation: Elementwise.
        residual: Add what came in to what goes out.

    Source:
        Child, 2021, https://arxiv.org/abs/2011.10650, figure 3; the residual cell of Hazami et al., 2022,
        https://arxiv.org/abs/2203.13751, is the same with another activation.
    """

    def __init__(
        self,
        inputs: int,
        middle: int,
        outputs: int,
        kernel_size: int,
        activation: Callable[[Tensor], Tensor],
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.residual = residual
        self.narrow = nn.Conv2d(inputs, middle, 1)
        self.first = nn.Conv2d(middle, middle, kernel_size, padding=kernel_size // 2)
        self.second = nn.Conv2d(middle, middle, kernel_size, padding=kernel_size // 2)
        self.widen = nn.Conv2d(middle, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, outputs, H, W] from [B, inputs, H, W]."""
        y = self.narrow(self.activation(x))
        y = self.first(self.activation(y))
        y = self.second(self.activation(y))
        y = self.widen(self.activation(y))
        return x + y if self.residual else y
