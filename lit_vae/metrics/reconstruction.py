"""How much of an example comes back through its latent variables."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_vae.batch import Batch
from lit_vae.metrics.rows import once


class Reconstruction(Metric):
    """The part of the observed symbols, and of the examples, that is reconstructed exactly.

    As :class:`Likelihood`, it counts an example once however many processes saw it.
    """

    full_state_update = False
    index: list[Tensor]
    rows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("index", default=[], dist_reduce_fx="cat")
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, batch: Batch, reconstruction: Tensor) -> None:
        """Take in one batch.

        Args:
            batch: The examples.
            reconstruction: What came back, [B, *E], integer.
        """
        same = reconstruction == batch.x
        right = (same if batch.mask is None else same & batch.mask).flatten(1).sum(1)
        self.index.append(batch.index)
        self.rows.append(torch.stack([right, batch.counts], 1))

    def compute(self) -> dict[str, Tensor]:
        """``token_accuracy`` and ``exact_match``, parts of one, [] each, float64."""
        _, rows = once(self.index, self.rows)
        right, observed = rows.unbind(1)
        return {
            "token_accuracy": right.sum().double() / observed.sum(),
            "exact_match": (right == observed).double().mean(),
        }
