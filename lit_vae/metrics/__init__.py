"""Metrics: totals of a split's bound."""

from lit_vae.metrics.likelihood import Likelihood

__all__ = ["Likelihood"]
