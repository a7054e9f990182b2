"""Decoder heads: how features become a distribution over symbols."""

from lit_vae.heads.base import DecoderHead
from lit_vae.heads.pixel import PixelHead
from lit_vae.heads.token import TokenHead

__all__ = ["DecoderHead", "PixelHead", "TokenHead"]
