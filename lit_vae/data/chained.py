"""Several data sets as one."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from lit_vae.batch import Batch
from lit_vae.data.dataset import SymbolDataset


class Chained(SymbolDataset):
    """Data sets one after the other, their examples numbered through.

    Args:
        parts: The data sets, at least one; all of one alphabet and shape.
    """

    def __init__(self, parts: Sequence[SymbolDataset]) -> None:
        self.parts = parts
        self.uneven = any(part.uneven for part in parts)
        self._starts = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitems__(self, indices: list[int]) -> Batch:
        places = self._places(np.asarray(indices))
        batches = [self.parts[part].__getitems__(within.tolist()) for part, _, within in places]
        order = np.concatenate([where for _, where, _ in places]).argsort()
        return dataclasses.replace(together(batches)[torch.from_numpy(order)], index=torch.tensor(indices))

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        lengths = np.empty(len(indices), np.int64)
        for part, where, within in self._places(indices):
            lengths[where] = self.parts[part].lengths(within)
        return lengths

    def _places(self, indices: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Of each part that is asked for: its number, which of the indices lie in it, and their numbers there."""
        parts = np.searchsorted(self._starts, indices, side="right") - 1
        found = [(int(part), (parts == part).nonzero()[0]) for part in np.unique(parts)]
        return [(part, where, indices[where] - self._starts[part]) for part, where in found]


def together(batches: Sequence[Batch]) -> Batch:
    """The examples of several batches in one; shorter ones repeat their last symbol under a False mask."""
    longest = max(batch.x.shape[-1] for batch in batches)
    masked = any(batch.mask is not None or batch.x.shape[-1] < longest for batch in batches)
    return Batch(
        torch.cat([lengthened(batch.x, longest) for batch in batches]),
        torch.cat([mask_of(batch, longest) for batch in batches]) if masked else None,
        torch.cat([batch.index for batch in batches]),
        {name: torch.cat([batch.units[name] for batch in batches]) for name in batches[0].units},
    )


def lengthened(x: Tensor, length: int) -> Tensor:
    """Symbols whose last axis repeats its last symbol up to a length."""
    return torch.cat([x, x[..., -1:].expand(*x.shape[:-1], length - x.shape[-1])], -1)


def mask_of(batch: Batch, length: int) -> Tensor:
    """What is observed of a batch that was lengthened."""
    mask = torch.ones_like(batch.x, dtype=torch.bool) if batch.mask is None else batch.mask
    return pad(mask, (0, length - mask.shape[-1]))
