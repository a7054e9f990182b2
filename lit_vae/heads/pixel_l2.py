"""Pictures by squared error, with its sigma said aloud."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from lit_vae.decoding import Decoding
from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.l2 import L2Pixels
from lit_vae.distributions.scales import default_floor
from lit_vae.heads.pixel import PixelHead, picture_shape
from lit_vae.noise import Noise

MEMORY = 100
"""Batches over which the running variance forgets."""


class L2PixelHead(PixelHead):
    """What users mean by MSE: the output is the picture, C filters; exact for any number of grey levels.

    The likelihood is the mass of a discretized normal of one sigma, equal to the squared error over 2 sigma^2 up to a
    constant once sigma exceeds a grey level. A person is shown the mean, rounded and clipped, without sampling noise.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: grey levels of each channel.
        shape: Linked to the data: (C, H, W).
        sigma: The standard deviation: a number of grey levels; ``learned``, one shared by all symbols; or ``optimal``,
            the root mean squared error of the batch in training (of all processes; of each batch by itself where
            several are accumulated) and its running value in evaluation.
        kernel_size: Of the output convolution; odd.

    Raises:
        ValueError: If ``sigma`` is unset or not above 0.

    Source:
        Optimal sigma: Rybkin et al., 2021, Simple and effective VAE training with calibrated decoders,
        https://arxiv.org/abs/2006.13202; here with the mass of the grey level in place of the density.
    """

    data = "pixels, 2 to 65536 grey levels"
    numbers = "C"
    when = "squared error: the picture itself is wanted"

    running_variance: Tensor
    batches: Tensor

    def __init__(
        self,
        width: int,
        num_values: int,
        shape: Sequence[int | None],
        sigma: float | Literal["learned", "optimal"] | None = None,
        kernel_size: int = 1,
    ) -> None:
        if sigma is None:
            raise ValueError(
                "squared error is a likelihood only with a sigma, which sets how much the KL weighs against it: set "
                "model.head.init_args.sigma to a number of grey levels, to 'learned', or to 'optimal' (a good default)"
            )
        if sigma not in ("learned", "optimal") and not (isinstance(sigma, (int, float)) and 0 < sigma < math.inf):
            raise ValueError(
                f"model.head.init_args.sigma is a number of grey levels above 0, 'learned' or 'optimal', got {sigma!r}"
            )
        super().__init__(width, num_values, shape, picture_shape(type(self).__name__, shape)[0], kernel_size)
        self.sigma = sigma
        self._floor = default_floor(num_values)
        if sigma == "learned":
            self.log_scale = nn.Parameter(torch.tensor(math.log(0.5)))
        elif sigma == "optimal":
            self.register_buffer("running_variance", torch.tensor(0.25))
            self.register_buffer("batches", torch.tensor(0))
        else:
            self._fixed_log_scale = math.log(sigma * 2 / (num_values - 1))

    @property
    def couples_examples(self) -> bool:
        """Whether what one example costs depends on the others of its batch."""
        return self.sigma == "optimal"

    def forward(self, features: Tensor, mask: Tensor | None = None) -> L2Pixels:
        means = self.project(features)
        refit = self._refit if self.sigma == "optimal" and self.training else None
        return L2Pixels(means, self.num_values, self._log_scale(means), mask, refit)

    def show(self, distribution: SymbolDistribution, decoding: Decoding, noise: Noise) -> Tensor:
        """The mean, rounded and clipped, [B, C, H, W], integer."""
        assert isinstance(distribution, L2Pixels)
        return distribution.picture

    def _log_scale(self, means: Tensor) -> Tensor:
        if self.sigma == "learned":
            return self.log_scale.clamp(min=self._floor)
        if self.sigma == "optimal":
            return self._floored(self.running_variance)
        return means.new_full((), self._fixed_log_scale)

    def _floored(self, variance: Tensor) -> Tensor:
        return variance.clamp(min=math.exp(2 * self._floor)).log() / 2

    def _refit(self, variance: Tensor) -> Tensor:
        """The log-scale that suits a mean squared error, which the running value takes in."""
        with torch.no_grad():
            self.batches += 1
            weight = (1 / self.batches).clamp(min=1 / MEMORY)
            self.running_variance.lerp_(
                variance.to(self.running_variance.dtype), weight.to(self.running_variance.dtype)
            )
        return self._floored(variance)
