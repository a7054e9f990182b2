"""The ways to draw z at a latent layer, all on the one seam of a top-down pass."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lit_vae.distributions import Gaussian, Posterior
from lit_vae.latents import Layer


def from_posterior(prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
    """z ~ q(z | x): training, and every estimate of the bound."""
    assert posterior is not None, "a draw from the posterior follows a bottom-up pass"
    return posterior.push(noise)


def posterior_mean(prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
    """The mean of q(z | x): reconstruction."""
    assert posterior is not None, "a draw from the posterior follows a bottom-up pass"
    return posterior.mean


@dataclass(frozen=True)
class FromPrior:
    """z ~ p(z) with its standard deviation multiplied by a temperature: generation.

    Args:
        temperature: 1 samples the model; below 1 trades variety for typical examples; 0 is the mean.

    Raises:
        ValueError: If ``temperature`` is negative.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise ValueError(f"a prior's temperature counts up from 0, got {self.temperature}: change --temperature")

    def __call__(self, prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
        """z, [B, *S, z]."""
        return prior.tempered(self.temperature).push(noise)
