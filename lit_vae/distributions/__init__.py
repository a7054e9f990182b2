"""Distributions that torch lacks: what heads return and what latents are made of."""

from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.factorized import BernoulliPixels, BetaBinomialPixels, CategoricalPixels, FactorizedPixels
from lit_vae.distributions.flowed import FlowedGaussian, Posterior
from lit_vae.distributions.gaussian import Gaussian
from lit_vae.distributions.l2 import L2Pixels
from lit_vae.distributions.mixture import DiscretizedMixture
from lit_vae.distributions.mixture_layout import MixtureLayout
from lit_vae.distributions.precision import at_least_float32
from lit_vae.distributions.tokens_autoregressive import AutoregressiveTokens
from lit_vae.distributions.tokens_causal import CausalNetwork
from lit_vae.distributions.tokens_factorized import FactorizedTokens

__all__ = [
    "AutoregressiveTokens",
    "BernoulliPixels",
    "BetaBinomialPixels",
    "CategoricalPixels",
    "CausalNetwork",
    "DiscretizedMixture",
    "FactorizedPixels",
    "FactorizedTokens",
    "FlowedGaussian",
    "Gaussian",
    "L2Pixels",
    "MixtureLayout",
    "Posterior",
    "SymbolDistribution",
    "at_least_float32",
]
