"""The diagonal normal that priors and posteriors are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions.kl import register_kl

from lit_vae.distributions.precision import at_least_float32


class Gaussian(Distribution):
    """Independent normals, one per element, held by mean and log of the standard deviation.

    Args:
        loc: Mean, [B, *S, z].
        log_scale: Log of the standard deviation, broadcastable to ``loc``.
    """

    arg_constraints = {}  # noqa: RUF012 - torch's name for "validates nothing here"
    has_rsample = True

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        self.loc, self.log_scale = torch.broadcast_tensors(at_least_float32(loc), at_least_float32(log_scale))
        super().__init__(self.loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Mean, [B, *S, z]."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """Mode, [B, *S, z]."""
        return self.loc

    @property
    def scale(self) -> Tensor:
        """Standard deviation, [B, *S, z]."""
        return self.log_scale.exp()

    @property
    def variance(self) -> Tensor:
        """Variance, [B, *S, z]."""
        return (2 * self.log_scale).exp()

    def push(self, noise: Tensor) -> Tensor:
        """Standard-normal noise carried to this distribution, [B, *S, z]."""
        return self.loc + self.scale * noise

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws with torch's global generator, [*sample_shape, B, *S, z]."""
        return self.push(torch.randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of each element, [B, *S, z], nats."""
        standard = (value - self.loc) * (-self.log_scale).exp()
        return -0.5 * standard.square() - self.log_scale - 0.5 * math.log(2 * math.pi)

    def tempered(self, temperature: float) -> Gaussian:
        """The same mean with the standard deviation multiplied by ``temperature``; 0 leaves only the mean."""
        return Gaussian(self.loc, self.log_scale + (math.log(temperature) if temperature > 0 else -math.inf))


@register_kl(Gaussian, Gaussian)
def kl_between_gaussians(posterior: Gaussian, prior: Gaussian) -> Tensor:
    """KL of each element, [B, *S, z], nats."""
    log_ratio = posterior.log_scale - prior.log_scale
    shift = (posterior.loc - prior.loc) * (-prior.log_scale).exp()
    return 0.5 * (torch.expm1(2 * log_ratio) + shift.square()) - log_ratio
