"""Data modules: three splits of integer symbols."""

from lit_vae.data.base import Split, SymbolDataModule, SymbolDataset
from lit_vae.data.sentences import SentencesDataModule
from lit_vae.data.text import TextDataModule, TextDataset

__all__ = ["SentencesDataModule", "Split", "SymbolDataModule", "SymbolDataset", "TextDataModule", "TextDataset"]
