"""The mixture of discretized logistics: log-likelihood and gradient in one pass over small tiles of pixels.

Written as elementary operations of autograd, the likelihood keeps some twenty arrays of one number per channel,
component and pixel. Here a tile passes through all of them in scratch memory that fits a processor's cache, and what
outlives it is the gradient alone, which is as large as the parameters.

Let a and b be a bin's upper and lower edge in scales from the centre, s the logistic function, P = s(a), Q = s(-b),
and T = tanh(h) with h = (a - b) / 2. The bin's mass, exact however narrow or far out the bin, is

    s(a) - s(b) = P Q (1 - exp(b - a)) = 2 P Q T / (1 + T)

and its logarithm changes with the mean by (P - Q) / scale, with the log-scale by h - h / T - a (1 - P) + b (1 - Q).
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from lit_vae.distributions.mixture_layout import MixtureLayout, coefficients_of
from lit_vae.distributions.precision import at_least_float32

TILE = 1 << 16
"""Numbers, one per channel, component and pixel, that a thread works on at a time."""

SATURATED = 32.0
"""Scales from the centre beyond which s(x) is 1, or exp(x), to 1e-14."""

WIDEST = 40.0
"""Log-scale beyond which an inner bin's mass falls as exp(-log_scale), an outermost one's not at all, to 1e-12."""

LOWEST_FLOOR = -60.0
"""Floor down to which float32 holds the distance to a mean far outside, in scales."""


def mixture_log_prob(
    params: Tensor, codes: Tensor, num_values: int, components: int, autoregressive: bool, floor: float
) -> Tensor:
    """log p of each pixel under a mixture of discretized logistics, [B, H, W], nats, float32 or better.

    Grey level k stands for x = -1 + 2k / (num_values - 1); its bin reaches half way to its neighbours, the lowest
    bin to -inf and the highest to +inf. Agrees with exact arithmetic on float32 parameters to 1e-5 |log p| + 1e-6
    for up to 65536 values and log-scales from -9 to 6: the distance from a mean to an edge is taken in float64, all
    else in float32 (in float64 for float64 parameters).

    Differentiable once, in ``params``, and as often as one likes through the same graph: torch refuses a second
    derivative, and torch.func.grad. Compiles, as one opaque operation. On a GPU that has triton, one kernel computes
    it, and one the gradient.

    Args:
        params: What a :class:`~lit_vae.distributions.mixture_layout.MixtureLayout` with scales per pixel describes,
            [B, H, W, P], float. Read in place if contiguous in this order or as [B, P, H, W], else copied first.
        codes: Grey levels, [B, C, H, W], integer.
        num_values: Number of grey levels.
        components: Components of the mixture, K.
        autoregressive: Whether a channel's mean depends on the channels before it.
        floor: Least log-scale; a lower one counts as this and has no gradient.

    Raises:
        ValueError: If P does not follow from C and K, or ``floor`` is below -60.

    Source:
        Salimans et al., 2017, PixelCNN++, https://arxiv.org/abs/1701.05517; here without its switch to the density
        where a mass is small, and for any number of channels.
    """
    channels = codes.shape[1]
    size = MixtureLayout(channels, components, autoregressive=autoregressive).size
    if params.shape[-1] != size:
        raise ValueError(
            f"{components} components over {channels} channels take {size} parameters a pixel, got "
            f"{params.shape[-1]}: check model.head.init_args.components and the channels of the data"
        )
    if floor < LOWEST_FLOOR:
        raise ValueError(
            f"float32 does not hold distances in scales as small as exp({floor:g}): set "
            f"model.head.init_args.log_scale_floor to {LOWEST_FLOOR:g} or above"
        )
    differentiate = torch.is_grad_enabled() and params.requires_grad
    log_prob, _ = _log_prob(params, codes, num_values, components, autoregressive, float(floor), differentiate)
    return log_prob


@cache
def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


def _by_kernel(params: Tensor) -> bool:
    """Whether kernels do the work; they keep no gradient but compute it when it is asked for."""
    return params.is_cuda and params.dtype != torch.float64 and _has_triton()


@torch.library.custom_op("lit_vae::logistic_mixture", mutates_args=())
def _log_prob(
    params: Tensor,
    codes: Tensor,
    num_values: int,
    components: int,
    autoregressive: bool,
    floor: float,
    differentiate: bool,
) -> tuple[Tensor, Tensor]:
    """log p, [B, H, W], and its gradient, like ``params``; empty where it is not wanted, or not yet."""
    params = _dense(params)
    log_prob, gradient = _outputs(params, differentiate)
    if _by_kernel(params):
        from lit_vae.distributions import fused_mixture_triton

        fused_mixture_triton.log_prob(params, codes, num_values, components, autoregressive, floor, log_prob)
        return log_prob, gradient
    layout = MixtureLayout(codes.shape[1], components, autoregressive=autoregressive)
    all_params, all_codes, all_nats = params.flatten(1, 2), codes.flatten(2), log_prob.flatten(1, 2)
    scratch: dict[int, _Scratch] = {}
    for examples, pixels in _tiles(all_nats, TILE * torch.get_num_threads() // (codes.shape[1] * components)):
        nats = all_nats[examples, pixels]
        if nats.numel() not in scratch:
            scratch[nats.numel()] = _Scratch(layout, nats.numel(), log_prob.dtype, params.device)
        tile = scratch[nats.numel()]
        _read(tile.planes, all_params[examples, pixels])
        nats.copy_(tile.log_prob(all_codes[examples, :, pixels], num_values, floor).view(nats.shape))
        if differentiate:
            tile.differentiate(floor)
            _write(gradient.view(all_params.shape)[examples, pixels], tile.planes)
    return log_prob, gradient


@_log_prob.register_fake
def _(
    params: Tensor,
    codes: Tensor,
    num_values: int,
    components: int,
    autoregressive: bool,
    floor: float,
    differentiate: bool,
) -> tuple[Tensor, Tensor]:
    return _outputs(_dense(params), differentiate)


@torch.library.custom_op("lit_vae::logistic_mixture_gradient", mutates_args=())
def _gradient(
    params: Tensor,
    codes: Tensor,
    weights: Tensor,
    num_values: int,
    components: int,
    autoregressive: bool,
    floor: float,
) -> Tensor:
    """Gradient of the sum of log p times ``weights`` [B, H, W], like ``params``, by a kernel."""
    from lit_vae.distributions import fused_mixture_triton

    params = _dense(params)
    gradient = torch.empty_like(params)
    fused_mixture_triton.gradient(params, codes, weights, num_values, components, autoregressive, floor, gradient)
    return gradient


@_gradient.register_fake
def _(
    params: Tensor,
    codes: Tensor,
    weights: Tensor,
    num_values: int,
    components: int,
    autoregressive: bool,
    floor: float,
) -> Tensor:
    return torch.empty_like(_dense(params))


@torch.library.custom_op("lit_vae::weigh_pixels", mutates_args=())
def _weigh(gradient: Tensor, weights: Tensor) -> Tensor:
    """[B, H, W, P] times [B, H, W], like the first; no copy of it in the finer precision of the second is made."""
    if gradient.dtype == weights.dtype:
        return gradient * weights.unsqueeze(-1)
    weighed = torch.empty_like(gradient)
    out, unit, weight = weighed.flatten(1, 2), gradient.flatten(1, 2), weights.flatten(1, 2)
    for tile in _tiles(weight, TILE // gradient.shape[-1]):
        out[tile].copy_(unit[tile] * weight[tile].unsqueeze(-1))
    return weighed


@_weigh.register_fake
def _(gradient: Tensor, weights: Tensor) -> Tensor:
    return torch.empty_like(gradient)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    params, codes, *ctx.settings, differentiate = inputs
    ctx.set_materialize_grads(False)
    ctx.by_kernel = _by_kernel(params)
    if differentiate:
        ctx.save_for_backward(*([params, codes] if ctx.by_kernel else [output[1]]))


def _differentiate(ctx: Any, weights: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
    gradient = None
    if weights is not None and ctx.by_kernel:
        params, codes = ctx.saved_tensors
        gradient = _gradient(params, codes, weights, *ctx.settings)
    elif weights is not None:
        gradient = _weigh(*ctx.saved_tensors, weights)
    return gradient, *[None] * 6


_log_prob.register_autograd(_differentiate, setup_context=_keep)


def _dense(params: Tensor) -> Tensor:
    """The parameters if they lie pixel by pixel or plane by plane, else a copy that does."""
    return params if params.is_contiguous() or params.movedim(-1, 1).is_contiguous() else params.contiguous()


def _outputs(params: Tensor, differentiate: bool) -> tuple[Tensor, Tensor]:
    log_prob = params.new_empty(params.shape[:-1], dtype=at_least_float32(params.new_empty(0)).dtype)
    held = differentiate and not _by_kernel(params)
    return log_prob, torch.empty_like(params) if held else params.new_empty(0)


def _tiles(of: Tensor, most: int) -> Iterator[tuple[slice, slice]]:
    """Cuts of [examples, pixels]: some whole examples or a part of one at a time, of ``most`` pixels, at least 1."""
    batch, pixels = of.shape
    if pixels <= most:
        examples, span = most // pixels, pixels
    else:
        examples, span = 1, math.ceil(pixels / math.ceil(pixels / max(most, 1)))
    for first in range(0, batch, examples):
        for start in range(0, pixels, span):
            yield slice(first, first + examples), slice(start, start + span)


def _read(planes: Tensor, pixels: Tensor) -> None:
    """Fill [P, n] from [examples, pixels, P]."""
    if pixels.is_contiguous():
        planes.copy_(pixels.flatten(0, 1).t())  # torch transposes a whole matrix in blocks
    else:
        planes.view(-1, *pixels.shape[:2]).copy_(pixels.movedim(-1, 0))


def _write(pixels: Tensor, planes: Tensor) -> None:
    """Fill [examples, pixels, P] from [P, n]."""
    if pixels.is_contiguous():
        pixels.view(-1, len(planes)).copy_(planes.t())
    else:
        pixels.movedim(-1, 0).copy_(planes.view(-1, *pixels.shape[:2]))


class _Scratch:
    """The memory that a tile of n pixels passes through, and the arithmetic.

    Args:
        layout: Of the parameters.
        n: Pixels.
        dtype: Of all but the distances.
        device: Of the parameters.
    """

    def __init__(self, layout: MixtureLayout, n: int, dtype: torch.dtype, device: torch.device) -> None:
        rows = (layout.channels, layout.components, n)
        self.layout = layout
        self.planes = torch.empty(layout.size, n, dtype=dtype, device=device)
        logits, means, log_scales, coefficients = self.planes.split(layout.sizes)
        self.logits, self.means, self.log_scales = logits, means.view(rows), log_scales.view(rows)
        self.coefficients = coefficients.view(-1, *rows[1:])
        self.inverse, self.half, self.tanh, self.mass = torch.empty(4, *rows, dtype=dtype, device=device)
        self.edges, self.sigmoids = torch.empty(2, 2, *rows, dtype=dtype, device=device)
        self.joint = torch.empty(rows[1:], dtype=dtype, device=device)
        self.centre, self.distance, self.squashed = torch.empty(3, *rows[1:], dtype=torch.float64, device=device)
        self.one = torch.ones((), dtype=torch.float64, device=device)
        slopes = [self.coefficients[coefficients_of(i)].unbind() for i in range(layout.channels)]
        self.channels = list(zip(self.means, slopes, *self.edges, strict=True))
        self.x = torch.empty(0)
        self.least = 0.0

    def log_prob(self, codes: Tensor, num_values: int, floor: float) -> Tensor:
        """log p of each pixel, [n]; leaves behind what the gradient needs, some of it in place of the parameters.

        Args:
            codes: Grey levels, [examples, C, pixels].
            num_values: Number of grey levels.
            floor: Least log-scale.
        """
        grey = codes.movedim(1, 0).reshape(self.layout.channels, -1).double()
        last = num_values - 1
        self.x = (2 * grey - last) / last
        # a division by zero puts the outer edges at infinity
        below = (1 / last) / grey.clamp(max=1)
        above = (1 / last) / (last - grey).clamp(max=1)
        half_width = ((below + above) / 2).to(self.half.dtype).unsqueeze(1)

        least, most = self.log_scales.aminmax()
        self.least = least.item()
        torch.neg(self.log_scales, out=self.inverse).clamp_(-WIDEST, -floor).exp_()
        torch.mul(self.inverse, half_width, out=self.half).clamp_(max=SATURATED)
        self._measure(self.x - below, self.x + above)
        self.edges.mul_(self.inverse).clamp_(max=SATURATED)
        torch.clamp(self.edges, min=-SATURATED, out=self.sigmoids).sigmoid_()

        torch.tanh(self.half, out=self.tanh)
        torch.mul(self.sigmoids[0], self.sigmoids[1], out=self.mass).mul_(self.tanh)
        spare = self.means
        self.mass.div_(torch.add(self.tanh, 1.0, out=spare)).log_()
        self.mass.add_(torch.minimum(self.edges[0], self.edges[1], out=spare).add_(SATURATED).clamp_(max=0.0))
        if most > WIDEST:
            excess = torch.sub(self.log_scales, WIDEST, out=spare).clamp_(min=0.0)
            self.mass.sub_(excess.mul_(half_width.isfinite()))
        return self._mix().add_(self.layout.channels * math.log(2.0))

    def _measure(self, lower: Tensor, upper: Tensor) -> None:
        """The distances from a mean up to the upper edges, and from the lower edges up to the mean, [2, C, K, n]."""
        x = self.x.unbind()
        for (mean, slopes, to_upper, to_lower), low, high in zip(self.channels, lower, upper, strict=True):
            self.centre.copy_(mean)
            for raw, earlier in zip(slopes, x, strict=False):
                torch.tanh(self.squashed.copy_(raw), out=self.squashed)
                self.centre.addcmul_(self.squashed, earlier)
                raw.copy_(torch.addcmul(self.one, self.squashed, self.squashed, value=-1.0, out=self.squashed))
            to_upper.copy_(torch.sub(high, self.centre, out=self.distance))
            to_lower.copy_(self.centre.sub_(low))

    def _mix(self) -> Tensor:
        """Log of the mixture of joint masses, [n]; leaves the responsibilities, and the gradient of the logits."""
        joint = torch.sum(self.mass, 0, out=self.joint)
        if len(self.logits):
            weights = self.logits.sub_(self.logits.amax(0))
            joint.add_(weights)
            prior_total = weights.clamp_(min=-80.0).exp_().sum(0)
        highest = joint.amax(0)
        # exp is slow where its result is denormal
        total = joint.sub_(highest).clamp_(min=-80.0).exp_().sum(0)
        joint.div_(total)
        highest.add_(total.log())
        if len(self.logits):
            torch.addcdiv(joint, weights, prior_total, value=-1.0, out=weights)
            highest.sub_(prior_total.log())
        return highest

    def differentiate(self, floor: float) -> None:
        """Put the gradient of :meth:`log_prob` in place of the parameters."""
        torch.sub(self.sigmoids[0], self.sigmoids[1], out=self.means).mul_(self.inverse).mul_(self.joint)
        x = self.x.to(self.means.dtype).unbind()
        for mean, slopes, *_ in self.channels:
            for slope, earlier in zip(slopes, x, strict=False):
                slope.mul_(mean).mul_(earlier)
        below = self.log_scales < floor if self.least < floor else None
        self.edges.addcmul_(self.edges, self.sigmoids, value=-1.0)
        torch.addcdiv(self.half, self.half, self.tanh, value=-1.0, out=self.log_scales)
        self.log_scales.sub_(self.edges[0]).sub_(self.edges[1]).mul_(self.joint)
        if below is not None:
            self.log_scales.masked_fill_(below, 0.0)
