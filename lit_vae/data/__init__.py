"""Data modules: three splits of integer symbols."""

from lit_vae.data.base import Split, SymbolDataModule, SymbolDataset

__all__ = ["Split", "SymbolDataModule", "SymbolDataset"]
