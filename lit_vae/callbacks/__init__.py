"""Callbacks: progress, pictures and texts to the logger, the config and a checkpoint whatever ends the run."""

from lit_vae.callbacks.examples import Examples
from lit_vae.callbacks.keep_last import KeepLast
from lit_vae.callbacks.progress import Progress
from lit_vae.callbacks.save_config import SaveConfig

__all__ = ["Examples", "KeepLast", "Progress", "SaveConfig"]
