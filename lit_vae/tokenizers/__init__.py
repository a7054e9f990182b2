"""Tokenizers: text to ids and back."""

from lit_vae.tokenizers.base import Tokenizer

__all__ = ["Tokenizer"]
