"""Symmetric distributions on the line, known by the log-mass they put on an interval.

A family is in standard form, centred at 0 with scale 1. Its symmetry is used throughout: an interval is given by its
ends ``near`` and ``far`` after reflection, so that its middle is not negative and -far <= near < far.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lit_vae.distributions.grid import widest_float
from lit_vae.noise import Noise

LN2 = math.log(2.0)


class Family(ABC):
    """A symmetric distribution of centre 0 and scale 1."""

    @abstractmethod
    def log_interval(self, near: Tensor, far: Tensor, width: Tensor) -> Tensor:
        """Log-mass between two points, [*], nats, exact however narrow or far out.

        Args:
            near: The end closer to the centre, or beyond it on the other side, [*].
            far: The other end, [*].
            width: ``far - near``, [*], which no subtraction has robbed of digits.
        """

    @abstractmethod
    def log_survival(self, start: Tensor) -> Tensor:
        """Log-mass beyond a point, [*], nats."""

    @abstractmethod
    def draw(self, noise: Noise, shape: Sequence[int]) -> Tensor:
        """Independent draws, [*shape]; the first axis counts examples."""


class Logistic(Family):
    """The logistic distribution.

    From sigma(f) - sigma(n) = sigma(f) sigma(-n) (1 - exp(n - f)).
    """

    def log_interval(self, near: Tensor, far: Tensor, width: Tensor) -> Tensor:
        return logsigmoid(far) + logsigmoid(-near) + torch.log(-torch.expm1(-width))

    def log_survival(self, start: Tensor) -> Tensor:
        return logsigmoid(-start)

    def draw(self, noise: Noise, shape: Sequence[int]) -> Tensor:
        return torch.logit(noise.uniform(shape))


class Normal(Family):
    """The normal distribution.

    Two log-survivals are subtracted in float64: float32 holds too few digits of their difference.
    """

    def log_interval(self, near: Tensor, far: Tensor, width: Tensor) -> Tensor:  # noqa: ARG002 - the difference serves
        wide = widest_float(near.device)
        beyond = torch.special.log_ndtr(-near.to(wide))
        drop = beyond - torch.special.log_ndtr(-far.to(wide))
        return (beyond + torch.log(-torch.expm1(-drop))).to(near.dtype)

    def log_survival(self, start: Tensor) -> Tensor:
        return torch.special.log_ndtr(-start)

    def draw(self, noise: Noise, shape: Sequence[int]) -> Tensor:
        return noise.normal(shape)
