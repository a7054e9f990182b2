"""A new run that begins with the weights of another: --init_from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import interpolate

from lit_vae import checkpoints
from lit_vae.backbones.hierarchy import LearnedBias
from lit_vae.data import SymbolDataModule
from lit_vae.heads.vocabulary import Clusters, VocabularyProjection
from lit_vae.symbols import Blocks, Symbols, Tokens, restore
from lit_vae.vae import LitVAE

PARTS = ("backbone.", "head.")
LEAST = 0.1
"""Fraction of a model's numbers that must come from a checkpoint; less fits by chance."""
SHOWN = 20
"""Names in a line."""


def take_weights(vae: LitVAE, data: SymbolDataModule, origin: Path) -> list[str]:
    """Give a model the weights of a checkpoint: those of backbone and head, averaged where the run averaged them.

    What fits is taken. Where the alphabet is another, the rows of the tokens that both have are; a learned map of
    positions is resized, bilinearly. Everything else begins as the model was made.

    Args:
        vae: The model, as its config makes it.
        data: What it is about to be trained on.
        origin: The checkpoint.

    Returns:
        Lines that say what was taken, and what was not.

    Raises:
        ValueError: If next to nothing fits.
    """
    content = checkpoints.read(origin)
    theirs = {name: value for name, value in content["state_dict"].items() if name.startswith(PARTS)}
    own = {name: value for name, value in vae.state_dict().items() if name.startswith(PARTS)}
    found = None if content["symbols"] is None else restore(content["symbols"])
    others = found is not None and not same_alphabet(found, data.symbols)
    shared = shared_tokens(found, data.symbols) if others else []
    tables, maps = tables_of(vae), maps_of(vae)
    taken: dict[str, Tensor] = {}
    rows, resized, anew = [], [], []
    for name, weight in own.items():
        other = theirs.get(name)
        if other is None or other.shape[1:2] != weight.shape[1:2] or other.dim() != weight.dim():
            anew.append(name)
        elif others and name in tables:
            if not shared or not tables[name]:
                anew.append(name)
                continue
            taken[name] = weight.clone()
            taken[name][[new for _, new in shared]] = other[[old for old, _ in shared]].to(weight)
            rows.append(name)
        elif other.shape == weight.shape:
            taken[name] = other
        elif name in maps and 1 not in (*other.shape[2:], *weight.shape[2:]):
            taken[name] = interpolate(other.float(), weight.shape[2:], mode="bilinear").to(weight)
            resized.append(name)
        else:
            anew.append(name)
    fraction = sum(own[name].numel() for name in taken) / sum(weight.numel() for weight in own.values())
    if fraction < LEAST:
        raise ValueError(
            f"--init_from {origin}: its weights are of another model, {len(taken)} of {len(own)} tensors fit "
            f"({fraction:.0%} of the numbers): take model.backbone and model.head from its config"
        )
    vae.load_state_dict(taken, strict=False)
    unused = [name for name in theirs if name not in own]
    said = {
        f"rows of {len(shared)} of {data.num_values} tokens": rows,
        "resized": resized,
        "begin anew": anew,
        "left out": unused,
    }
    first = f"weights: from {origin}, step {content['global_step']}"
    first += "" if len(taken) == len(own) else f": {len(taken)} of {len(own)} tensors, {fraction:.0%} of the numbers"
    return [first, *(f"  {what}: {listed(names)}" for what, names in said.items() if names)]


def listed(names: list[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def same_alphabet(one: Symbols, other: Symbols) -> bool:
    """Whether integers stand for the same, whatever the shape of an example."""
    passed_over = {"name", "max_length", "length", "shape", "rule"}
    mine, others = one.state(), other.state()
    return all(mine.get(key) == others.get(key) for key in (mine | others).keys() - passed_over)


def shared_tokens(one: Symbols | None, other: Symbols) -> list[tuple[int, int]]:
    """The ids of the tokens that two vocabularies share, in the one and in the other; none of pictures."""
    if not (isinstance(one, Tokens | Blocks) and isinstance(other, Tokens | Blocks)):
        return []
    old, new = spelled(one), spelled(other)
    return [(number, new[token]) for token, number in old.items() if token in new]


def spelled(symbols: Tokens | Blocks) -> dict[str | None, int]:
    """The ids of tokens by what they stand for, the end symbol's by None; those that are not told apart left out."""
    tokenizer = symbols.tokenizer
    texts: list[Any] = [tokenizer.decode([number]) for number in range(min(tokenizer.end, symbols.num_values))]
    if symbols.num_values > tokenizer.end:
        texts.append(None)
    counts = Counter(texts)
    return {text: number for number, text in enumerate(texts) if counts[text] == 1}


def tables_of(vae: LitVAE) -> dict[str, bool]:
    """Names of the weights that depend on what the symbols are, and whether each symbol has a row in them."""
    found = {}
    for prefix, module in vae.named_modules(remove_duplicate=False):
        if isinstance(module, nn.Embedding) and module.num_embeddings == vae.head.num_values:
            found[f"{prefix}.weight"] = True
        elif isinstance(module, VocabularyProjection):
            found |= {f"{prefix}.table": True, f"{prefix}.bias": True}
        elif isinstance(module, Clusters):
            found |= {f"{prefix}.rows": False, f"{prefix}.bias": False}
    return found


def maps_of(vae: LitVAE) -> set[str]:
    """Names of the learned maps of positions."""
    return {f"{prefix}.map" for prefix, module in vae.named_modules() if isinstance(module, LearnedBias)}
