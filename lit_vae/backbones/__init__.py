"""Backbones: features to features through latent layers."""

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.conv import ConvVAE
from lit_vae.backbones.ladder import LadderVAE
from lit_vae.backbones.recurrent import RecurrentVAE

__all__ = ["Backbone", "ConvVAE", "LadderVAE", "RecurrentVAE"]
