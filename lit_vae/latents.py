"""Latent layers: what a draw leaves behind, and what a draw is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.distributions import kl_divergence

from lit_vae.distributions import Gaussian, Posterior


@dataclass(frozen=True)
class Layer:
    """Which latent layer is being drawn.

    Args:
        index: Its place in the top-down order, from 0 at the top.
        name: Its name in logs, such as ``4x4.0``.
        shape: Shape of one example's z, [*S, z].
    """

    index: int
    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Latent:
    """One latent layer after its draw.

    Args:
        layer: Which layer this is.
        z: The draw, [B, *S, z].
        prior: p(z | layers above), elements [B, *S, z].
        posterior: q(z | x, layers above); None when nothing was encoded.
        mask: Positions that exist, [B, *S], bool; None for all.
        noise: The standard-normal numbers that the layer was given, [B, *S, z]: where the KL has no closed form, it is
            taken at the posterior's draw from them, whatever z is. None only where the KL has a closed form.
    """

    layer: Layer
    z: Tensor
    prior: Gaussian
    posterior: Posterior | None
    mask: Tensor | None = None
    noise: Tensor | None = None

    def total(self, elements: Tensor) -> Tensor:
        """Sum over all but the batch of per-element nats [B, *S, z], [B]; masked positions count nothing."""
        if self.mask is not None:
            elements = elements.masked_fill(~self.mask.unsqueeze(-1), 0.0)
        return elements.flatten(1).sum(1)

    @property
    def log_q(self) -> Tensor:
        """log q(z | x) at the draw, [B], nats."""
        return self.total(self._encoded.log_prob(self.z))

    @property
    def log_p(self) -> Tensor:
        """log p(z) at the draw, [B], nats."""
        return self.total(self.prior.log_prob(self.z))

    @property
    def log_weight(self) -> Tensor:
        """log p(z) - log q(z | x) at the draw, [B], nats: the layer's part of an importance weight."""
        return self.log_p - self.log_q

    @property
    def kl(self) -> Tensor:
        """KL(q || p) given the layers above, [B], nats: in closed form, or log q - log p at a draw of the posterior.

        Raises:
            ValueError: If nothing was encoded, or there is no closed form and no noise for a draw.
        """
        return self.total(self.kl_elements)

    @property
    def kl_elements(self) -> Tensor:
        """What each element adds to the KL, [B, *S, z], nats."""
        try:
            return kl_divergence(self._encoded, self.prior)
        except NotImplementedError:  # how torch says that there is no closed form
            if self.noise is None:
                raise ValueError(
                    f"the KL of latent layer {self.layer.name} has no closed form and is taken at a draw of the "
                    f"posterior: keep what the draw is made of, Latent(..., noise=noise)"
                ) from None
            z = self._encoded.push(self.noise)
            return self._encoded.log_prob(z) - self.prior.log_prob(z)

    @property
    def _encoded(self) -> Posterior:
        if self.posterior is None:
            raise ValueError(f"latent layer {self.layer.name} was drawn from the prior alone: nothing was encoded")
        return self.posterior


class Draw(Protocol):
    """How z is chosen at each layer: the one seam of a top-down pass."""

    def __call__(self, prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
        """z, [B, *S, z].

        Args:
            prior: p(z | layers above).
            posterior: q(z | x, layers above); None when nothing was encoded.
            noise: Standard-normal numbers, [B, *S, z].
            layer: Which layer this is.
        """
