"""What a training says once at its start: how much data, how large a model."""

from __future__ import annotations

from lit_vae.data import Split, SymbolDataModule
from lit_vae.vae import LitVAE


def lines(vae: LitVAE, data: SymbolDataModule) -> list[str]:
    """A line on the data, and one on the model.

    Args:
        vae: The model.
        data: The data that it is about to be trained on.
    """
    symbols = data.symbols
    sizes = ", ".join(f"{size_of(split, data)} {split}" for split in data.split_names)
    parameters = sum(weight.numel() for weight in vae.parameters())
    layers = len(vae.layers(symbols.fill(vae.head.positions)))
    return [
        f"data: {symbols.name}, {symbols.noun}: {sizes}",
        f"model: {parameters:,} parameters, {layers} latent layer{'' if layers == 1 else 's'}",
    ]


def size_of(split: Split, data: SymbolDataModule) -> str:
    """How many examples a split has. A training does without a test split: one that cannot be read is ``no``."""
    try:
        return f"{data.num_examples(split):,}"
    except (NotImplementedError, OSError, ValueError):
        if split != "test":
            raise
        return "no"
