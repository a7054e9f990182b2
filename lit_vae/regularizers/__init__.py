"""Regularizers: what training adds to the loss that no objective could know of; never part of the bound."""

from lit_vae.regularizers.bag_of_words import BagOfWords
from lit_vae.regularizers.base import Pass, Regularizer, penalties
from lit_vae.regularizers.mmd import MMD
from lit_vae.regularizers.spectral import Spectral

__all__ = ["MMD", "BagOfWords", "Pass", "Regularizer", "Spectral", "penalties"]
