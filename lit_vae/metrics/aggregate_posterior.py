"""What the posteriors of a whole split know together: mutual information and active units."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_vae.distributions import Gaussian
from lit_vae.metrics.rows import once

MOST_EXAMPLES = 10_000
"""The first examples of a split are enough: comparing all pairs costs the square of their number."""

STATES = ("index", "loc", "log_scale", "z")

ACTIVE = 0.01
"""Variance over the split from which the posterior mean of a unit counts as active."""


class AggregatePosterior(Metric):
    """Mutual information of example and latent vector under q, and active units, over an evaluation's first examples.

    The first are the 10,000 of the lowest indices, so that neither batches nor processes matter. They need not be the
    first of the split, of which an evaluation may take another part.

    The mutual information is that of z and the number of the example, each of N examples equally likely: the mean of
    log q(z | x) - log q(z) at one z drawn for each, where q(z) is the mean of all their posteriors. Both terms are at
    the same z, so that what the draw adds to one it adds to the other. It lies between 0, where all posteriors are the
    same, and log N, where no two overlap, and is at most the mean KL to any prior; the estimate obeys this up to its
    standard error. Because of log N, estimates over different N are not comparable: N is reported, too.

    Source:
        Mutual information: Hoffman & Johnson, 2016, http://approximateinference.org/accepted/HoffmanJohnson2016.pdf.
        Active units: Burda et al., 2016, https://arxiv.org/abs/1509.00519; the unbiased variance, at least 0.01.
    """

    full_state_update = False
    index: list[Tensor]
    loc: list[Tensor]
    log_scale: list[Tensor]
    z: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in STATES:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, index: Tensor, posterior: Gaussian, z: Tensor) -> None:
        """Take in one batch.

        Args:
            index: Each example's number, [B].
            posterior: Of a latent layer that depends on the example alone, elements [B, *S, z].
            z: Drawn from it, same shape.
        """
        self.index.append(index)
        for name, value in (("loc", posterior.loc), ("log_scale", posterior.log_scale), ("z", z)):
            getattr(self, name).append(value.expand_as(z).flatten(1).detach().float())
        if sum(map(len, self.index)) > 2 * MOST_EXAMPLES:
            first = torch.cat(self.index).argsort(stable=True)[:MOST_EXAMPLES]
            for name in STATES:
                setattr(self, name, [torch.cat(getattr(self, name))[first]])

    def compute(self) -> dict[str, Tensor]:
        """What the split's posteriors tell, [] each, float64.

        ``mutual_information`` and ``mutual_information_std_error`` in nats, ``active_units``, ``units`` and
        ``examples`` (N).
        """
        rows = once(self.index, self.loc, self.log_scale, self.z)
        index, loc, log_scale, z = (row[:MOST_EXAMPLES] for row in rows)
        loc, log_scale, z = loc.double(), log_scale.double(), z.double()
        several = len(index) > 1
        told = Gaussian(loc, log_scale).log_prob(z).sum(1) - log_aggregate(z, loc, log_scale)
        return {
            "mutual_information": told.mean(),
            "mutual_information_std_error": told.std() / math.sqrt(len(index)) if several else told.new_zeros(()),
            "active_units": (loc.var(0) >= ACTIVE).sum().double() if several else told.new_zeros(()),
            "units": torch.tensor(float(z.shape[1]), dtype=torch.float64),
            "examples": torch.tensor(float(len(index)), dtype=torch.float64),
        }


def log_aggregate(z: Tensor, loc: Tensor, log_scale: Tensor, rows: int = 1024) -> Tensor:
    """log of the mean of all posteriors' densities at each z, [N], nats.

    Args:
        z: Where, [N, D].
        loc: Means of the posteriors, [M, D].
        log_scale: Logs of their standard deviations, [M, D].
        rows: How many z at a time.
    """
    centre = loc.mean(0)  # what all share would only cost digits
    loc, z = loc - centre, z - centre
    precision = (-2 * log_scale).exp()
    # The square of a difference as three products: one matrix multiplication instead of N M D numbers.
    constant = (loc.square() * precision / 2 + log_scale).sum(1) + 0.5 * z.shape[1] * math.log(2 * math.pi)
    parts = [
        (part @ (loc * precision).T - part.square() @ precision.T / 2 - constant).logsumexp(1) for part in z.split(rows)
    ]
    return torch.cat(parts) - math.log(len(loc))
