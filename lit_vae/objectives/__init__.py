"""Objectives: what is minimised, with the true bound beside it."""

from lit_vae.objectives.base import Objective, Terms, stack_kls
from lit_vae.objectives.elbo import ELBO

__all__ = ["ELBO", "Objective", "Terms", "stack_kls"]
