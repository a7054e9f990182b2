"""Pixels that are black or white."""

from collections.abc import Sequence

from torch import Tensor

from lit_vae.distributions.factorized import BernoulliPixels
from lit_vae.heads.pixel import PixelHead, picture_shape


class BernoulliPixelHead(PixelHead):
    """Each channel of each pixel 0 or 1; exact for two grey levels and nothing else.

    Grey levels are not probabilities: a Bernoulli "likelihood" of pixels between black and white does not sum to one.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: must be 2.
        shape: Linked to the data: (C, H, W).
        kernel_size: Of the output convolution; odd.
    """

    data = "binary pixels"
    numbers = "C"
    when = "two grey levels"

    most_values = 2

    def __init__(self, width: int, num_values: int, shape: Sequence[int | None], kernel_size: int = 1) -> None:
        channels = picture_shape(type(self).__name__, shape)[0]
        super().__init__(width, num_values, shape, channels, kernel_size)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> BernoulliPixels:
        return BernoulliPixels(self.project(features), mask)
