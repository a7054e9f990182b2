"""Pixels as classes, their order forgotten."""

from collections.abc import Sequence

from torch import Tensor

from lit_vae.distributions.factorized import CategoricalPixels
from lit_vae.heads.pixel import PixelHead, picture_shape


class SoftmaxPixelHead(PixelHead):
    """Each channel of each pixel a softmax over the grey levels; exact for any number of them.

    Any shape of distribution can be learned, but nothing says that level 7 lies beside level 8, and the output has
    C * num_values filters.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: grey levels of each channel.
        shape: Linked to the data: (C, H, W).
        kernel_size: Of the output convolution; odd.

    Source:
        van den Oord et al., 2016, Pixel recurrent neural networks, https://arxiv.org/abs/1601.06759.
    """

    data = "pixels, best for few grey levels"
    numbers = "C V"
    when = "any shape of distribution, much data"

    def __init__(self, width: int, num_values: int, shape: Sequence[int | None], kernel_size: int = 1) -> None:
        channels = picture_shape(type(self).__name__, shape)[0]
        super().__init__(width, num_values, shape, channels * num_values, kernel_size)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> CategoricalPixels:
        return CategoricalPixels(self.project(features), self.num_values, mask)
