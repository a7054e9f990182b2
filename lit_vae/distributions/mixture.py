"""Mixtures of discretized distributions over pixels, their channels dependent through the component and in a chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lit_vae.decoding import Decoding
from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.choice import choose, temper
from lit_vae.distributions.discretized import WIDEST, log_mass, mode
from lit_vae.distributions.families import Family, Logistic
from lit_vae.distributions.fused_mixture import LOWEST_FLOOR, mixture_log_prob
from lit_vae.distributions.grid import Grid, widest_float
from lit_vae.distributions.mixture_layout import MixtureLayout, coefficients_of
from lit_vae.distributions.precision import at_least_float32
from lit_vae.distributions.scales import ScaleLink
from lit_vae.integers import refuse_other_than_integers
from lit_vae.noise import Noise

MOST_PIXELS = 2**16
"""Values a pixel can take up to which a sum over all of them is taken."""


class DiscretizedMixture(SymbolDistribution):
    """p(x) of pictures [C, H, W]: at each pixel a mixture of K discretized distributions of one symmetric family.

    log p = sum_pixels logsumexp_k (log w_k + sum_c log mass_ck), the component common to a pixel's channels; with
    coefficients, the centre of channel i is its mean plus sum_j<i tanh(coefficient_ij) x_j, x_j in [-1, 1].

    A temperature divides the log-weights and multiplies the scales; at 0 the centre of the heaviest component is left.

    Args:
        raw: [B, H, W, P].
        layout: What the P numbers are.
        family: What is cut into bins.
        num_values: Grey levels.
        link: Turns scales of ``raw`` into log-scales.
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
        link: ScaleLink | None = None,
        log_scale: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        batch, height, width, _ = raw.shape
        super().__init__(batch, (layout.channels, height, width))
        self.layout = layout
        self.family = family
        self.grid = Grid(num_values)
        self.mask = mask
        self._raw = raw
        self._link = link
        self._log_scale = log_scale
        self._parts = layout.split(at_least_float32(raw))
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
        if self._parts.scales is not None:
            assert self._link is not None, "scales of the raw output need a link"
            return self._link.log_scale(self._parts.scales)
        assert self._log_scale is not None, "scales come from the raw output or beside it"
        return self._log_scale.to(self._parts.means.dtype).expand_as(self._parts.means)

    @property
    def _pixels(self) -> tuple[int, int, int]:
        batch, height, width = self._parts.means.shape[:3]
        return batch, height, width

    def log_prob(self, value: Tensor) -> Tensor:
        refuse_other_than_integers(value, "a picture")
        floor = self._floor_of_plain_logistics
        if floor is not None and (self.mask is None or bool((self.mask == self.mask[:, :1]).all())):
            components, autoregressive = self.layout.components, self.layout.autoregressive
            nats = mixture_log_prob(self._raw, value, self.grid.num_values, components, autoregressive, floor)
            if self.mask is not None:
                nats = nats.masked_fill(~self.mask[:, 0], 0.0)
        else:
            observed = None if self.mask is None else self.mask.movedim(1, -1)
            nats = self._log_pixels(value.movedim(1, -1), observed)
        return nats.flatten(1).sum(1)

    @property
    def _floor_of_plain_logistics(self) -> float | None:
        """Smallest log-scale, where the family and its scales are those of which there is a fast log-likelihood."""
        if not (isinstance(self.family, Logistic) and self.layout.scale_per_pixel and self._raw.device.type != "mps"):
            return None
        assert self._link is not None, "scales of the raw output need a link"
        return self._link.floor if self._link.form == "exp" and self._link.floor >= LOWEST_FLOOR else None

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
        shifts = [(slopes[..., coefficients_of(i), :] * scaled[..., :i, :]).sum(-2) for i in range(1, codes.shape[-1])]
        return means + torch.stack([torch.zeros_like(shifts[0]), *shifts], -2)

    def draw(self, decoding: Decoding, noise: Noise) -> Tensor:
        temperature = decoding.temperature_alone
        if temperature == 0:
            return self.centre
        component = choose(temper(self.log_weights, temperature), noise.uniform(self._pixels))
        standard = self.family.draw(noise, (*self._pixels, self.event_shape[0])).to(component.device)

        def level(channel: int, centre: Tensor, log_scale: Tensor) -> Tensor:
            spread = log_scale.clamp(max=WIDEST).to(centre.dtype).exp() * temperature
            return self.grid.nearest(centre + spread * standard[..., channel])

        return self._unroll(component, level)

    @property
    def centre(self) -> Tensor:
        """The grey level nearest to the heaviest component's centre, channel by channel, [B, C, H, W], integer.

        What a draw comes to as the temperature falls to 0.
        """
        return self._unroll(self.log_weights.argmax(-1), lambda _channel, centre, _scale: self.grid.nearest(centre))

    @property
    def mode(self) -> Tensor:
        """The heaviest component's mode, channel by channel, [B, C, H, W], integer.

        Where a scale is wide, this is black or white: an end level holds a whole tail.
        """

        def level(channel: int, centre: Tensor, log_scale: Tensor) -> Tensor:
            return mode(self.family, self.grid, centre, log_scale)

        return self._unroll(self.log_weights.argmax(-1), level)

    @property
    def mean(self) -> Tensor:
        """Expected grey level of each symbol, [B, C, H, W], float.

        Raises:
            NotImplementedError: If the channels form a chain of more than 65536 distinct pixels.
        """
        if self._parts.coefficients is None:
            levels = torch.arange(1, self.grid.num_values, device=self._parts.means.device)
            sharpness = (-self.log_scales).exp().unsqueeze(-1)
            reached = torch.zeros_like(self._parts.means)
            for some in self._pieces(levels):
                start = self.grid.scaled(some) - self.grid.half_bin - self._parts.means.unsqueeze(-1)
                reached = reached + self.family.log_survival(start.to(sharpness.dtype) * sharpness).exp().sum(-1)
            return (self.log_weights.exp().unsqueeze(-2) * reached).sum(-1).movedim(-1, 1)
        total = torch.zeros_like(self._parts.means[..., 0])
        for pixels in self._pieces(self._all_pixels("mean")):
            total = total + self._log_pixels(pixels).exp() @ pixels.to(total.dtype)
        return total.movedim(-1, 1)

    def entropy(self) -> Tensor:
        """Entropy of each example, [B], nats; only symbols under the mask count.

        Raises:
            NotImplementedError: If a pixel's channels depend on one another and it takes more than 65536 values.
        """
        channels, components = self._parts.means.shape[-2:]
        if channels == 1 or (components == 1 and self._parts.coefficients is None):
            return self._entropy_of_symbols()
        observed = None if self.mask is None else self.mask.movedim(1, -1).unsqueeze(3)
        nats = torch.zeros_like(self._parts.means[..., 0, 0])
        for pixels in self._pieces(self._all_pixels("entropy")):
            of_observed = self._log_pixels(pixels, observed)
            nats = nats - (self._log_pixels(pixels).exp() * of_observed).sum(-1)
        return nats.flatten(1).sum(1)

    def _entropy_of_symbols(self) -> Tensor:
        """Entropy of each example whose symbols are independent, [B], nats."""
        nats = torch.zeros_like(self._parts.means[..., 0])
        means, log_scales = self._parts.means.unsqueeze(-1), self.log_scales.unsqueeze(-1)
        for levels in self._pieces(torch.arange(self.grid.num_values, device=means.device)):
            terms = log_mass(self.family, self.grid, levels, means, log_scales)
            log_p = (self.log_weights[..., None, :, None] + terms).logsumexp(-2)
            nats = nats - (log_p.exp() * log_p).sum(-1)
        if self.mask is not None:
            nats = nats.masked_fill(~self.mask.movedim(1, -1), 0.0)
        return nats.flatten(1).sum(1)

    def _all_pixels(self, wanted: str) -> Tensor:
        """Every value a pixel can take, [num_values ** C, C], int64."""
        channels = self.event_shape[0]
        if self.grid.num_values**channels > MOST_PIXELS:
            raise NotImplementedError(
                f"the {wanted} of a pixel of {channels} dependent channels of {self.grid.num_values} levels has no "
                f"closed form: average over sample((n,)), or set model.head.init_args.autoregressive to false and, for "
                f"the entropy, components to 1"
            )
        levels = torch.arange(self.grid.num_values, device=self._parts.means.device)
        return torch.cartesian_prod(*[levels] * channels).view(-1, channels)

    def _pieces(self, rows: Tensor) -> Iterator[Tensor]:
        """Some rows at a time, so that an array of them for every term stays in memory."""
        return iter(rows.split(max(1, 2**22 // self._parts.means.numel())))

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
                shift = (slopes[..., coefficients_of(i)] * self.grid.scaled(torch.stack(codes, -1))).sum(-1)
            codes.append(level(i, means[..., i] + shift, log_scales[..., i]))
        return torch.stack(codes, 1).to(self.grid.dtype)
