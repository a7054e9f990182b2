"""The bound of a whole split, exact whatever the batches and however many processes share the work."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_vae.batch import Batch
from lit_vae.objectives import Terms


class Likelihood(Metric):
    """Totals of a split's bound and of what it is divided by.

    Keeps one row an example rather than running sums: a distributed sampler repeats examples to even out the
    processes, and only their index tells. Rows are summed in the order of the index, in float64.

    Args:
        layers: Names of the latent layers, top first.
    """

    full_state_update = False
    index: list[Tensor]
    rows: list[Tensor]

    def __init__(self, layers: list[str]) -> None:
        super().__init__()
        self.layers = layers
        self.units: list[str] = []
        self.add_state("index", default=[], dist_reduce_fx="cat")
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, batch: Batch, terms: Terms) -> None:
        """Take in one batch.

        Args:
            batch: Says which examples, how many symbols, and the other denominators.
            terms: Their bound.
        """
        self.units = list(batch.units)
        columns = [terms.distortion, batch.counts, *terms.kls, *batch.units.values()]
        self.index.append(batch.index)
        self.rows.append(torch.stack([column.to(terms.distortion.dtype) for column in columns], 1).detach())

    def compute(self) -> dict[str, Tensor]:
        """Totals over the examples, [] each, float64.

        ``examples``, ``symbols``, ``distortion``, ``rate``, ``nelbo``, then ``kl/NAME`` for each latent layer and
        ``unit/NAME`` for each other denominator. Likelihoods are in nats.
        """
        index = torch.cat(self.index) if isinstance(self.index, list) else self.index
        rows = torch.cat(self.rows) if isinstance(self.rows, list) else self.rows
        index, order = index.cpu().sort(stable=True)
        first = torch.ones_like(index, dtype=torch.bool)
        first[1:] = index[1:] != index[:-1]
        totals = rows.cpu().double()[order[first]].sum(0)
        distortion, symbols = totals[:2]
        kls, units = totals[2 : 2 + len(self.layers)], totals[2 + len(self.layers) :]
        return {
            "examples": first.sum().double(),
            "symbols": symbols,
            "distortion": distortion,
            "rate": kls.sum(),
            "nelbo": distortion + kls.sum(),
            **{f"kl/{name}": kl for name, kl in zip(self.layers, kls, strict=True)},
            **{f"unit/{name}": unit for name, unit in zip(self.units, units, strict=True)},
        }
