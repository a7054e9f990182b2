"""Backbones: features to features through latent layers."""

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.chunks import ChunkAutoencoder
from lit_vae.backbones.conv import ConvVAE
from lit_vae.backbones.efficient_vdvae import EfficientVDVAE
from lit_vae.backbones.ladder import LadderVAE
from lit_vae.backbones.nvae import NVAE
from lit_vae.backbones.posteriors import BatchNormPosterior, DeltaPosterior, GaussianPosterior, PosteriorLayer
from lit_vae.backbones.recurrent import RecurrentVAE
from lit_vae.backbones.text_hierarchy import HierarchicalTextVAE
from lit_vae.backbones.transformer import TransformerVAE
from lit_vae.backbones.unconditional import Unconditional
from lit_vae.backbones.vdvae import VDVAE

__all__ = [
    "NVAE",
    "VDVAE",
    "Backbone",
    "BatchNormPosterior",
    "ChunkAutoencoder",
    "ConvVAE",
    "DeltaPosterior",
    "EfficientVDVAE",
    "GaussianPosterior",
    "HierarchicalTextVAE",
    "LadderVAE",
    "PosteriorLayer",
    "RecurrentVAE",
    "TransformerVAE",
    "Unconditional",
]
