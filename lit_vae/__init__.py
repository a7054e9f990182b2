"""Variational autoencoders on PyTorch Lightning whose output distribution is a plug-in."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lit_vae.version import __version__

if TYPE_CHECKING:
    from lit_vae.batch import Batch
    from lit_vae.decoding import Decoding
    from lit_vae.latent_stack import LatentStack
    from lit_vae.vae import LitVAE

__all__ = ["Batch", "Decoding", "LatentStack", "LitVAE", "__version__"]

HOMES = {"Batch": "batch", "Decoding": "decoding", "LatentStack": "latent_stack", "LitVAE": "vae"}
"""Where the public names live. Imported when they are first asked for: torch takes seconds, --help does not need it."""


def __getattr__(name: str) -> Any:
    """A public name."""
    if name not in HOMES:
        raise AttributeError(f"module 'lit_vae' has no attribute '{name}'")
    return getattr(import_module(f"lit_vae.{HOMES[name]}"), name)
