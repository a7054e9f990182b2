"""Checkpoints of the reference systems, as the weights of our models."""

from lit_vae.importing.reading import Which, read
from lit_vae.importing.systems import SYSTEMS, translate

__all__ = ["SYSTEMS", "Which", "read", "translate"]
