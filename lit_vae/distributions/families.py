"""Symmetric distributions on the line, known by the log-mass they put on an interval.

A family is in standard form, centred at 0 with scale 1. Its symmetry is used throughout: an interval is given by its
ends ``near`` and ``far`` after reflection, so that its middle is not negative and -far <= near < far.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lit_vae.distributions.grid import widest_float
from lit_vae.noise import Noise

LN2 = math.log(2.0)

HAZARD_TAIL = 200.0
"""Where the two ways to the derivative of a normal's hazard lose equally few digits of float64, about four."""

Rule = tuple[tuple[float, float], ...]
"""Nodes on [-1, 1] and weights that add up to 1."""


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

    Two log-survivals are subtracted in float64: float32 holds too few digits of their difference. The far end is taken
    from the width, so that the derivatives of the two ends cancel in float64 too.
    """

    def log_interval(self, near: Tensor, far: Tensor, width: Tensor) -> Tensor:
        inner, extent = near.to(widest_float(near.device)), width.to(widest_float(near.device))
        beyond = self.log_survival(inner)
        drop = beyond - self.log_survival(inner + extent)
        return (beyond + torch.log(-torch.expm1(-drop))).to(near.dtype)

    def log_survival(self, start: Tensor) -> Tensor:
        return _NormalLogSurvival.apply(start)

    def draw(self, noise: Noise, shape: Sequence[int]) -> Tensor:
        return noise.normal(shape)


class _Elementwise(torch.autograd.Function):
    """A function of one tensor, number by number."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], _output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @classmethod
    def vmap(cls, _info: Any, in_dims: tuple[int], start: Tensor) -> tuple[Tensor, int]:
        return cls.apply(start), in_dims[0]


class _NormalLogSurvival(_Elementwise):
    """Log-mass of the standard normal beyond a point, [*]; torch's own derivative of it fails in the tail."""

    @staticmethod
    def forward(start: Tensor) -> Tensor:
        return torch.special.log_ndtr(-start)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (start,) = ctx.saved_tensors
        return -gradient * _NormalHazard.apply(start)


class _NormalHazard(_Elementwise):
    """Density of the standard normal over its mass beyond a point, h, [*], whose derivative is h (h - start)."""

    @staticmethod
    def forward(start: Tensor) -> Tensor:
        return math.sqrt(2 / math.pi) / torch.special.erfcx(start * math.sqrt(0.5))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (start,) = ctx.saved_tensors
        wide = start.to(widest_float(start.device))
        hazard = _NormalHazard.apply(wide)
        # In the tail h - start cancels, and the first terms of the derivative in powers of 1 / start are exact.
        square = wide.clamp(min=HAZARD_TAIL).square().reciprocal()
        slope = torch.where(wide > HAZARD_TAIL, 1 - square + 6 * square.square(), hazard * (hazard - wide))
        return gradient * slope.to(gradient.dtype)


class Laplace(Family):
    """The Laplace distribution, density exp(-|t|) / 2."""

    def log_interval(self, near: Tensor, far: Tensor, width: Tensor) -> Tensor:
        inner, extent = near.to(widest_float(near.device)), width.to(widest_float(near.device))
        astride = -(torch.expm1(inner.clamp(max=0.0)) + torch.expm1(-(inner + extent)))
        aside = torch.log(-torch.expm1(-width)) - near
        return torch.where(near < 0, torch.where(near < 0, astride, 1.0).log().to(near.dtype), aside) - LN2

    def log_survival(self, start: Tensor) -> Tensor:
        before = torch.log1p(-0.5 * torch.exp(start.clamp(max=0.0)))
        return torch.where(start < 0, before, -start.clamp(min=0.0) - LN2)

    def draw(self, noise: Noise, shape: Sequence[int]) -> Tensor:
        signed = 2 * noise.uniform(shape) - 1
        return -signed.sign() * torch.log1p(-signed.abs())


class StudentT(Family):
    """Student's t distribution with a whole number of degrees of freedom n; 1 is the Cauchy distribution.

    At the angle a = atan2(sqrt(n), t), between 0 at t = inf and pi at -inf, the mass between two points is the integral
    of sin(a) ** (n - 1) up to a constant: of an entire function over a bounded stretch even where t has no bound, so
    that Gauss's quadrature is exact to rounding. Its terms are positive, so that no digit is lost in the tails, where
    the closed forms in powers of sine and cosine cancel. In float64, where no square of t overflows.

    Args:
        degrees: Of freedom, n, 1 to 30.

    Raises:
        ValueError: If ``degrees`` is out of its range.
    """

    def __init__(self, degrees: int) -> None:
        if not 1 <= degrees <= 30:
            raise ValueError(
                f"model.head.init_args.degrees is a whole number from 1 to 30 (from there on the normal is as good), "
                f"got {degrees}"
            )
        self.degrees = degrees
        nodes, weights = np.polynomial.legendre.leggauss(8 + 5 * degrees // 4)
        self._rule: Rule = tuple(zip(nodes.tolist(), (weights / 2).tolist(), strict=True))
        self._log_constant = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - 0.5 * math.log(math.pi)

    def log_interval(self, near: Tensor, far: Tensor, width: Tensor) -> Tensor:
        wide = widest_float(near.device)
        stretch = torch.atan2(self.degrees**0.5 * width.to(wide), self.degrees + near.to(wide) * far.to(wide))
        return self._log_integral((self._angle(near) + self._angle(far)) / 2, stretch).to(near.dtype)

    def log_survival(self, start: Tensor) -> Tensor:
        angle = self._angle(start)
        return self._log_integral(angle / 2, angle).to(start.dtype)

    def draw(self, noise: Noise, shape: Sequence[int]) -> Tensor:
        """Independent draws, [*shape].

        Source:
            Bailey, 1994, Polar generation of random variates with the t-distribution,
            https://doi.org/10.1090/S0025-5718-1994-1196623-X.
        """
        first, second = noise.uniform(shape), noise.uniform(shape)
        squared_radius = self.degrees * torch.expm1(-2 / self.degrees * torch.log(first))
        return squared_radius.sqrt() * torch.cos(2 * math.pi * second)

    def _angle(self, t: Tensor) -> Tensor:
        t = t.to(widest_float(t.device))
        return torch.atan2(torch.full_like(t, self.degrees**0.5), t)

    def _log_integral(self, middle: Tensor, stretch: Tensor) -> Tensor:
        """Log-mass on a stretch of angles whose middle is at most a right angle, [*], nats."""
        power = self.degrees - 1
        log_mass = self._log_constant + stretch.log()
        if power == 0:
            return log_mass
        mean, _, _ = _MeanPower.apply(middle, stretch, power, self._rule)
        return log_mass + power * middle.sin().log() + mean.log()


def mean_power(middle: Tensor, stretch: Tensor, power: int, rule: Rule) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of (sin(a) / sin(middle)) ** power over a stretch of angles, [*], and its derivatives by the two.

    The ratio stays near 1 where the sine itself would underflow. The mean is taken by a quadrature rule.

    Args:
        middle: Of the stretch, [*].
        stretch: Its length, [*].
        power: At least 1.
        rule: Of the quadrature.
    """
    slope = middle.tan().reciprocal()
    mean, by_middle, by_half = (torch.zeros_like(slope * stretch) for _ in range(3))
    for node, weight in rule:
        angle = 0.5 * node * stretch
        cos, sin = angle.cos(), angle.sin()
        ratio = (cos + slope * sin).clamp(min=0.0)
        lower = weight * ratio ** (power - 1)
        mean += lower * ratio
        by_middle -= lower * sin
        by_half += node * lower * (slope * cos - sin)
    return mean, power * by_middle / middle.sin().square(), 0.5 * power * by_half


class _MeanPower(torch.autograd.Function):
    """:func:`mean_power`, whose terms are not kept for the first derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(middle: Tensor, stretch: Tensor, power: int, rule: Rule) -> tuple[Tensor, Tensor, Tensor]:
        return mean_power(middle, stretch, power, rule)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int, Rule], output: tuple[Tensor, ...]) -> None:
        middle, stretch, ctx.power, ctx.rule = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(middle, stretch, *output[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, None, None]:
        middle, stretch, by_middle, by_stretch = ctx.saved_tensors
        if torch.is_grad_enabled():  # derivatives of these are asked for
            by_middle, by_stretch = mean_power(middle, stretch, ctx.power, ctx.rule)[1:]
        return gradient * by_middle, gradient * by_stretch, None, None
