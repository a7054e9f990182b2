"""Metrics: totals of a split's bound, and what its posteriors know together."""

from lit_vae.metrics.aggregate_posterior import AggregatePosterior
from lit_vae.metrics.likelihood import Likelihood
from lit_vae.metrics.reconstruction import Reconstruction

__all__ = ["AggregatePosterior", "Likelihood", "Reconstruction"]
