"""The bound of a whole split, exact whatever the batches and however many processes share the work."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_vae.batch import Batch
from lit_vae.metrics.rows import once
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
        self.others: list[str] = []
        self.add_state("index", default=[], dist_reduce_fx="cat")
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, batch: Batch, terms: Terms, weighted: Tensor | None = None) -> None:
        """Take in one batch.

        Args:
            batch: Says which examples, how many symbols, and the other denominators.
            terms: Their bound.
            weighted: Their importance-weighted bound, [B], nats, where it is asked for.
        """
        others = {f"unit/{name}": unit for name, unit in batch.units.items()}
        if weighted is not None:
            others["importance_weighted"] = weighted
        self.others = list(others)
        columns = [terms.distortion, batch.counts, *terms.kls, *others.values()]
        self.index.append(batch.index)
        self.rows.append(torch.stack([column.to(terms.distortion.dtype) for column in columns], 1).detach())

    def compute(self) -> dict[str, Tensor]:
        """Totals over the examples, [] each, float64.

        ``examples``, ``symbols``, ``distortion``, ``rate``, ``nelbo``, then ``kl/NAME`` for each latent layer,
        ``unit/NAME`` for each other denominator and, where it was asked for, ``importance_weighted``. Likelihoods are
        in nats.
        """
        index, rows = once(self.index, self.rows)
        totals = rows.double().sum(0)
        distortion, symbols = totals[:2]
        kls, others = totals[2 : 2 + len(self.layers)], totals[2 + len(self.layers) :]
        return {
            "examples": torch.tensor(float(len(index)), dtype=torch.float64),
            "symbols": symbols,
            "distortion": distortion,
            "rate": kls.sum(),
            "nelbo": distortion + kls.sum(),
            **{f"kl/{name}": kl for name, kl in zip(self.layers, kls, strict=True)},
            **dict(zip(self.others, others, strict=True)),
        }
