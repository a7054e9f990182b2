"""Variational autoencoders on PyTorch Lightning whose output distribution is a plug-in."""

from lit_vae.batch import Batch
from lit_vae.decoding import Decoding
from lit_vae.vae import LitVAE
from lit_vae.version import __version__

__all__ = ["Batch", "Decoding", "LitVAE", "__version__"]
