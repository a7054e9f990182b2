"""The residual cells that NVAE is built of."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, silu

from lit_vae.distributions import at_least_float32

RESIDUAL = 0.1
"""What a cell's branch is multiplied by before it joins the stream."""

Change = Literal["same", "down", "up"]


class NormedConv2d(nn.Conv2d):
    """A convolution that learns the length of each output channel's weights apart from their direction.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        kernel_size: Odd; the sides keep their length.
        stride: What they are divided by.
        groups: As torch's.
        bias: Whether there is one.
        mask: Weights that there are, [outputs, inputs / groups, k, k], 0 or 1; None for all.

    Source:
        Salimans & Kingma, 2016, https://arxiv.org/abs/1602.07868; the logarithm of the length is learned, and begins
        as that of the weights that torch starts with.
    """

    mask: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
        mask: Tensor | None = None,
    ) -> None:
        super().__init__(inputs, outputs, kernel_size, stride, kernel_size // 2, groups=groups, bias=bias)
        self.register_buffer("mask", mask, persistent=False)
        self.log_length: nn.Parameter | None = nn.Parameter(lengths(self._masked()).log())

    def forget_length(self) -> None:
        """Be a plain convolution: weights are applied as they are."""
        self.log_length = None

    def _masked(self) -> Tensor:
        return self.weight if self.mask is None else self.weight * self.mask

    def normed(self) -> Tensor:
        """The weights that are applied, [outputs, inputs / groups, k, k], float32 or better."""
        weight = at_least_float32(self._masked())
        if self.log_length is None:
            return weight
        return weight * (at_least_float32(self.log_length).exp() / (lengths(weight) + 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """[B, outputs, H / stride, W / stride], in the precision of x (or what autocast makes of it)."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return conv2d(x, self.normed().to(x.dtype), bias, self.stride, self.padding, groups=self.groups)


def lengths(weight: Tensor) -> Tensor:
    """Euclidean length of each output channel's weights, [outputs, 1, 1, 1]."""
    return torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)


class SqueezeExcitation(nn.Module):
    """Each channel multiplied by a gate between 0 and 1 that has seen the mean of every channel.

    Args:
        width: Channels.

    Source:
        Hu et al., 2018, https://arxiv.org/abs/1709.01507; a sixteenth of the channels in between, at least 4.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        squeezed = max(width // 16, 4)
        self.gate = nn.Sequential(nn.Linear(width, squeezed), nn.ReLU(), nn.Linear(squeezed, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, [B, width, H, W]."""
        return x * self.gate(x.mean((2, 3)))[:, :, None, None]


class Cell(nn.Module):
    """skip(x) + 0.1 SE(branch(x)).

    Args:
        skip: The stream.
        branch: What is added to it.
        width: Channels that go out.
        gated: Whether there is squeeze-and-excitation.
    """

    def __init__(self, skip: nn.Module, branch: nn.Module, width: int, gated: bool) -> None:
        super().__init__()
        self.skip = skip
        self.branch = branch
        self.gate = SqueezeExcitation(width) if gated else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H', W']."""
        return self.skip(x) + RESIDUAL * self.gate(self.branch(x))


class Reduce(nn.Module):
    """Half the sides: a 1x1 convolution for each of the four positions that become one, their channels side by side.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out, at least 4.
    """

    places = ((0, 0), (1, 1), (0, 1), (1, 0))

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        quarter = outputs // 4
        widths = (quarter, quarter, quarter, outputs - 3 * quarter)
        self.parts = nn.ModuleList(NormedConv2d(inputs, width, 1) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        """[B, outputs, H / 2, W / 2]."""
        x = silu(x)
        places = (x[..., row::2, column::2] for row, column in self.places)
        return torch.cat([part(place) for part, place in zip(self.parts, places, strict=True)], 1)


class Enlarge(nn.Module):
    """Twice the sides, bilinearly, the corners kept in place, with other channels.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.change = NormedConv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, outputs, 2 H, 2 W]."""
        # Before the enlargement, with which it commutes, a convolution of single positions costs a quarter.
        return interpolate(self.change(x), scale_factor=2, mode="bilinear", align_corners=True)


def batch_norm(width: int) -> nn.BatchNorm2d:
    """Batch normalisation: the batch's statistics in training, a slow average of them in evaluation and sampling."""
    return nn.BatchNorm2d(width, momentum=0.05)


def encoder_cell(inputs: int, change: Change, gated: bool) -> Cell:
    """A cell of the bottom-up pass: two times batch norm, Swish, 3x3.

    Args:
        inputs: Channels that come in; twice as many go out where the sides are halved.
        change: ``same`` or ``down``.
        gated: Whether there is squeeze-and-excitation.
    """
    down = change == "down"
    width = 2 * inputs if down else inputs
    branch = nn.Sequential(
        batch_norm(inputs),
        nn.SiLU(),
        NormedConv2d(inputs, width, 3, stride=2 if down else 1),
        batch_norm(width),
        nn.SiLU(),
        NormedConv2d(width, width, 3),
    )
    return Cell(Reduce(inputs, width) if down else nn.Identity(), branch, width, gated)


def decoder_cell(inputs: int, change: Change, expansion: int, gated: bool) -> Cell:
    """A cell of the top-down pass: channels multiplied, a depthwise 5x5, channels back, batch norm around each.

    Args:
        inputs: Channels that come in; half as many go out where the sides are doubled.
        change: ``same`` or ``up``.
        expansion: What the channels are multiplied by in between.
        gated: Whether there is squeeze-and-excitation.
    """
    up = change == "up"
    width, hidden = inputs // 2 if up else inputs, expansion * inputs
    branch = nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest") if up else nn.Identity(),
        batch_norm(inputs),
        nn.Conv2d(inputs, hidden, 1, bias=False),
        batch_norm(hidden),
        nn.SiLU(),
        nn.Conv2d(hidden, hidden, 5, padding=2, groups=hidden, bias=False),
        batch_norm(hidden),
        nn.SiLU(),
        nn.Conv2d(hidden, width, 1, bias=False),
        batch_norm(width),
    )
    return Cell(Enlarge(inputs, width) if up else nn.Identity(), branch, width, gated)
