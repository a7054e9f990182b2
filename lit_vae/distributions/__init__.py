"""Distributions that torch lacks: what heads return and what latents are made of."""

from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.gaussian import Gaussian
from lit_vae.distributions.precision import at_least_float32

__all__ = ["Gaussian", "SymbolDistribution", "at_least_float32"]
