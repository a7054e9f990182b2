"""Parts that the convolutional backbones share."""

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from lit_vae.distributions import Gaussian, at_least_float32

LOG_SCALE_BOUND = 5.0

Affine = TypeVar("Affine", nn.Conv2d, nn.Linear)


def picture_size(shape: Sequence[int | None], backbone: str) -> tuple[int, int]:
    """Height and width of the positions that a head hands over.

    Args:
        shape: Positions, S.
        backbone: Who asks.

    Raises:
        ValueError: If they are not those of a picture.
    """
    match tuple(shape):
        case (int(height), int(breadth)):
            return height, breadth
    raise ValueError(
        f"{backbone} reads pictures, whose positions are [H, W], but the head's are {list(shape)}: "
        f"change model.backbone, or model.head and data"
    )


def check_size(features: Sequence[int], size: tuple[int, int], backbone: str) -> None:
    """Refuse positions that a backbone was not made for.

    Raises:
        ValueError: If they differ.
    """
    if tuple(features) != size:
        raise ValueError(
            f"this {backbone} was made for pictures of {size[0]}x{size[1]}, got positions {list(features)}: "
            f"the data must have the size that the model was trained on"
        )


def soft_gaussian(parameters: Tensor) -> Gaussian:
    """Normals whose log-scale stays within 5 nats of 0, however far the network goes.

    Args:
        parameters: Means and, in the second half of the last axis, logs of standard deviations, [B, *S, 2z].

    Source:
        The bound: Vahdat & Kautz, 2020, https://arxiv.org/abs/2007.03898; there the means have it too.
    """
    loc, raw = at_least_float32(parameters).chunk(2, dim=-1)
    return Gaussian(loc, LOG_SCALE_BOUND * torch.tanh(raw / LOG_SCALE_BOUND))


def shrunk(layer: Affine, factor: float) -> Affine:
    """A layer with its initial weights multiplied by a factor and without its random bias."""
    with torch.no_grad():
        layer.weight.mul_(factor)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """x + conv(gelu(conv(gelu(x)))), [B, width, H, W].

    Args:
        width: Channels.
        siblings: Residual blocks on one path: each starts smaller by the square root of their number, so that their
            sum starts at the size of one.
    """

    def __init__(self, width: int, siblings: int = 1) -> None:
        super().__init__()
        self.first = shrunk(nn.Conv2d(width, width, 3, padding=1), 1.0)
        self.second = shrunk(nn.Conv2d(width, width, 3, padding=1), 1 / math.sqrt(siblings))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.second(gelu(self.first(gelu(x))))
