"""Which part of the data a verb looks at, said in one line."""

from __future__ import annotations

from lit_vae.data import AnySplit, SymbolDataModule


def portion(data: SymbolDataModule, split: AnySplit, taken: int | None = None, flag: str = "--num") -> str:
    """Such as ``test split: 10 of 100 pictures of my_pictures; the first 4 are taken (--num)``.

    Args:
        data: Where examples come from.
        split: What is looked at.
        taken: How many of its first examples; None for all, or for some that were named.
        flag: What changes ``taken``.
    """
    count = len(data.evaluated(split))
    others = [] if split == "all" else [other for other in data.split_names if other != split]
    whole = count + sum(map(data.num_examples, others))
    name = "all splits" if split == "all" else f"{split} split"
    line = f"{name}: {count} of {whole} {data.symbols.noun} of {data.symbols.name}"
    return line if taken in (None, count) else f"{line}; the first {taken} are taken ({flag})"
