"""Backbones: features to features through latent layers."""

from lit_vae.backbones.base import Backbone

__all__ = ["Backbone"]
