"""Backbones: features to features through latent layers."""

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.recurrent import RecurrentVAE

__all__ = ["Backbone", "RecurrentVAE"]
