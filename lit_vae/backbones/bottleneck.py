"""The convolutional cell that deep hierarchies of latent layers are built of."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import linear


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
        y = self.of_active(self.activation(x))
        return x + y if self.residual else y

    def of_active(self, *parts: Tensor) -> Tensor:
        """The same of what the activation has been applied to, and without adding it, [B, outputs, H, W].

        Args:
            parts: Side by side they are what comes in, [B, inputs_i, H, W]; they are not copied into one.
        """
        weights = self.narrow.weight.split([part.shape[1] for part in parts], 1)
        y = pointwise(parts[0], weights[0], self.narrow.bias)
        for part, weight in zip(parts[1:], weights[1:], strict=True):
            y = y + pointwise(part, weight, None)
        y = self.first(self.activation(y))
        y = self.second(self.activation(y))
        return pointwise(self.activation(y), self.widen.weight, self.widen.bias)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A convolution of single positions, [B, outputs, H, W], as the matrix product that it is where channels lie last.

    Args:
        x: [B, inputs, H, W].
        weight: [outputs, inputs, 1, 1].
        bias: [outputs].
    """
    return linear(x.movedim(1, -1), weight.flatten(1), bias).movedim(-1, 1)
