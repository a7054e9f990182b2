"""Mixtures of discretized distributions over pixels, their channels dependent through the component and in a chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_vae.decoding import Decoding
from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.choice import choose, temper
from lit_vae.distributions.discretized import log_mass, mode
from lit_vae.distributions.families import Family
from lit_vae.distributions.grid import Grid, widest_float
from lit_vae.distributions.precision import at_least_float32
from lit_vae.distributions.scales import ScaleLink
from lit_vae.noise import Noise


@dataclass(frozen=True)
class MixtureParts:
    """The numbers that describe the mixture of each pixel.

    Args:
        logits: Unnormalised log-weights, [*, K]; None for one component.
        means: [*, C, K].
        scales: Unconstrained, [*, C, K]; None where they do not come per pixel.
        coefficients: Unconstrained, [*, C (C - 1) / 2, K]; None where channels do not depend on one another.
    """

    logits: Tensor | None
    means: Tensor
    scales: Tensor | None
    coefficients: Tensor | None


@dataclass(frozen=True)
class MixtureLayout:
    """Where the parts lie along the last axis of a head's raw output: logits, means, scales, coefficients.

    Each part is channel-major; a coefficient is that of channel i on an earlier channel j, in the order (1, 0), (2, 0),
    (2, 1), (3, 0) and so on.

    Args:
        channels: C.
        components: K.
        scale_per_pixel: Whether the output holds the scales.
        autoregressive: Whether it holds coefficients.
    """

    channels: int
    components: int
    scale_per_pixel: bool = True
    autoregressive: bool = True

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """How many numbers each part takes."""
        terms = self.channels * self.components
        return (
            self.components if self.components > 1 else 0,
            terms,
            terms if self.scale_per_pixel else 0,
            terms * (self.channels - 1) // 2 if self.autoregressive else 0,
        )

    @property
    def size(self) -> int:
        """P, how many numbers describe a pixel."""
        return sum(self.sizes)

    def split(self, raw: Tensor) -> MixtureParts:
        """The parts as views.

        Args:
            raw: [*, P].
        """
        logits, means, scales, coefficients = raw.split(self.sizes, -1)
        return MixtureParts(
            logits if self.components > 1 else None,
            means.unflatten(-1, (self.channels, self.components)),
            scales.unflatten(-1, (self.channels, self.components)) if self.scale_per_pixel else None,
            coefficients.unflatten(-1, (-1, self.components)) if coefficients.shape[-1] > 0 else None,
        )


def _row(channel: int) -> slice:
    """Where a channel's coefficients lie among all."""
    return slice(channel * (channel - 1) // 2, channel * (channel + 1) // 2)


class DiscretizedMixture(SymbolDistribution):
    """p(x) of pictures [C, H, W]: at each pixel a mixture of K discretized distributions of one symmetric family.

    log p = sum_pixels logsumexp_k (log w_k + sum_c log mass_ck), the component common to a pixel's channels; with
    coefficients, the centre of channel i is its mean plus sum_j<i tanh(coefficient_ij) x_j, x_j in [-1, 1].

    A temperature divides the log-weights and multiplies the scales.

    Args:
        raw: [B, H, W, P].
        layout: What the P numbers are.
        family: What is cut into bins.
        num_values: Grey levels.
        link: Turns scales of the raw output into log-scales.
        log_scale: Log-scales broadcastable to [B, H, W, C, K] where they are not in ``raw``.
        mask: Observed symbols, [B, C, H, W], bool; None for all.

    Raises:
        ValueError: If the mask hides a channel that an observed one depends on.

    Source:
        Salimans et al., 2017, PixelCNN++, https://arxiv.org/abs/1701.05517; here over any number of channels, and with
        the exact mass where they take a density for the narrowest bins.
    """

    def __init__(
        self,
        raw: Tensor,
        layout: MixtureLayout,
        family: Family,
        num_values: int,
        link: ScaleLink,
        log_scale: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        raw = at_least_float32(raw)
        batch, height, width, _ = raw.shape
        super().__init__(batch, (layout.channels, height, width))
        self.family = family
        self.grid = Grid(num_values)
        self.mask = mask
        self._parts = layout.split(raw)
        self._log_scale = link.log_scale(self._parts.scales) if self._parts.scales is not None else log_scale
        if mask is not None and self._parts.coefficients is not None and bool((mask[:, 1:] & ~mask[:, :-1]).any()):
            raise ValueError(
                "the mask hides a channel of a pixel but not those after it, whose likelihood depends on it: "
                "observe whole pixels, or set model.head.init_args.autoregressive to false"
            )

    @property
    def log_weights(self) -> Tensor:
        """Normalised log-weight of each component, [B, H, W, K], nats."""
        logits = self._parts.logits
        return self._parts.means.new_zeros(*self._pixels, 1) if logits is None else logits.log_softmax(-1)

    @property
    def log_scales(self) -> Tensor:
        """Log-scale of each term, [B, H, W, C, K]."""
        assert self._log_scale is not None, "scales come from the raw output or beside it"
        return self._log_scale.to(self._parts.means.dtype).expand_as(self._parts.means)

    @property
    def _pixels(self) -> tuple[int, int, int]:
        batch, height, width = self._parts.means.shape[:3]
        return batch, height, width

    def log_prob(self, value: Tensor) -> Tensor:
        observed = None if self.mask is None else self.mask.movedim(1, -1)
        nats = self._log_pixels(value.movedim(1, -1), observed)
        return nats.flatten(1).sum(1)

    def _log_pixels(self, codes: Tensor, observed: Tensor | None = None) -> Tensor:
        """log p of each pixel, [B, H, W, *], nats, from codes [B, H, W, *, C]; hidden channels count nothing."""
        centres, log_scales, log_weights = self._centres(codes), self.log_scales, self.log_weights
        while log_scales.ndim < codes.ndim + 1:
            log_scales, log_weights = log_scales.unsqueeze(3), log_weights.unsqueeze(3)
        terms = log_mass(self.family, self.grid, codes.unsqueeze(-1), centres, log_scales)
        if observed is None:
            return (log_weights + terms.sum(-2)).logsumexp(-1)
        terms = terms.masked_fill(~observed.unsqueeze(-1), 0.0)
        return (log_weights + terms.sum(-2)).logsumexp(-1).masked_fill(~observed.any(-1), 0.0)

    def _centres(self, codes: Tensor) -> Tensor:
        """Centre of each term given the earlier channels, broadcastable to [B, H, W, *, C, K]."""
        means, coefficients = self._parts.means, self._parts.coefficients
        while means.ndim < codes.ndim + 1:
            means = means.unsqueeze(3)
            coefficients = None if coefficients is None else coefficients.unsqueeze(3)
        if coefficients is None:
            return means
        scaled = self.grid.scaled(codes).unsqueeze(-1)
        slopes = coefficients.to(scaled.dtype).tanh()
        shifts = [(slopes[..., _row(i), :] * scaled[..., :i, :]).sum(-2) for i in range(1, codes.shape[-1])]
        return means + torch.stack([torch.zeros_like(shifts[0]), *shifts], -2)

    def draw(self, decoding: Decoding, noise: Noise) -> Tensor:
        temperature = decoding.temperature
        if temperature == 0:
            return self.mode
        component = choose(temper(self.log_weights, temperature), noise.uniform(self._pixels))
        standard = self.family.draw(noise, (*self._pixels, self.event_shape[0]))

        def level(channel: int, centre: Tensor, log_scale: Tensor) -> Tensor:
            spread = log_scale.exp().to(centre.dtype) * temperature
            return self.grid.nearest(centre + spread * standard[..., channel])

        return self._unroll(component, level)

    @property
    def mode(self) -> Tensor:
        """The heaviest component's mode, channel by channel, [B, C, H, W], integer."""

        def level(channel: int, centre: Tensor, log_scale: Tensor) -> Tensor:  # noqa: ARG001
            return mode(self.family, self.grid, centre, log_scale)

        return self._unroll(self.log_weights.argmax(-1), level)

    def _unroll(self, component: Tensor, level: Callable[[int, Tensor, Tensor], Tensor]) -> Tensor:
        """Codes [B, C, H, W], each channel chosen by ``level`` from its centre and log-scale given the earlier ones.

        Args:
            component: The component of each pixel, [B, H, W].
            level: From the channel's number, centre and log-scale, [B, H, W] each, to codes.
        """
        which = component.reshape(*component.shape, 1, 1)
        means = self._parts.means.take_along_dim(which, -1).squeeze(-1).to(widest_float(component.device))
        log_scales = self.log_scales.take_along_dim(which, -1).squeeze(-1)
        slopes = None
        if self._parts.coefficients is not None:
            slopes = self._parts.coefficients.take_along_dim(which, -1).squeeze(-1).to(means.dtype).tanh()
        codes: list[Tensor] = []
        shift = torch.zeros_like(means[..., 0])
        for i in range(means.shape[-1]):
            if slopes is not None and i > 0:
                shift = (slopes[..., _row(i)] * self.grid.scaled(torch.stack(codes, -1))).sum(-1)
            codes.append(level(i, means[..., i] + shift, log_scales[..., i]))
        return torch.stack(codes, 1).to(self.grid.dtype)
