"""Pixels as counts of few grey levels."""

from collections.abc import Sequence

from torch import Tensor

from lit_vae.distributions.factorized import BetaBinomialPixels
from lit_vae.heads.pixel import PixelHead, picture_shape


class BetaBinomialPixelHead(PixelHead):
    """Each channel of each pixel a beta-binomial; exact for 2 to 256 grey levels.

    Two numbers a symbol give a bump of any place and width, a slope, or two ends, and at first the uniform
    distribution. It suits low bit depths: no bump is narrower than a binomial's, about sqrt(num_values) / 2 levels.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: grey levels of each channel, at most 256.
        shape: Linked to the data: (C, H, W).
        kernel_size: Of the output convolution; odd.

    Source:
        Beta-binomial pixels in a VAE: Townsend et al., 2019, Practical lossless compression with latent variables using
        bits back coding, https://arxiv.org/abs/1901.04866.
    """

    data = "pixels, 2 to 256 grey levels"
    numbers = "2 C"
    when = "low bit depths in two numbers a symbol"

    most_values = 256

    def __init__(self, width: int, num_values: int, shape: Sequence[int | None], kernel_size: int = 1) -> None:
        channels = picture_shape(type(self).__name__, shape)[0]
        super().__init__(width, num_values, shape, 2 * channels, kernel_size)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> BetaBinomialPixels:
        return BetaBinomialPixels(self.project(features), self.num_values, mask)
