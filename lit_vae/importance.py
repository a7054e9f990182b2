"""The importance-weighted bound: the closer to the likelihood the more samples it is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lit_vae.batch import Batch
from lit_vae.draws import from_posterior
from lit_vae.noise import IndexedNoise, Noise

if TYPE_CHECKING:
    from lit_vae.vae import LitVAE

SYMBOLS_AT_ONCE = 16384
"""Samples of a batch go through the model together up to so many symbols: small texts fill it with many."""


class SideBySide(Noise):
    """Several sources, each for as many examples as the others, one after the other along the first axis.

    Args:
        sources: At least one.
    """

    def __init__(self, sources: Sequence[Noise]) -> None:
        self.sources = sources

    def normal(self, shape: Sequence[int]) -> Tensor:
        return torch.cat([source.normal(self._share(shape)) for source in self.sources])

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return torch.cat([source.uniform(self._share(shape)) for source in self.sources])

    def _share(self, shape: Sequence[int]) -> list[int]:
        return [shape[0] // len(self.sources), *shape[1:]]


@torch.no_grad()
def importance_weighted_nll(vae: LitVAE, batch: Batch, samples: int) -> Tensor:
    """-log of the mean of p(x | z) p(z) / q(z | x) over samples of z, [B], nats: a bound on -log p(x).

    Sample k draws from the stream of seed k, so that the number depends on neither the batch nor how many samples go
    through the model at a time.

    Args:
        vae: In evaluation mode.
        batch: The examples.
        samples: K, from 1.

    Source:
        Burda et al., 2016, Importance weighted autoencoders, https://arxiv.org/abs/1509.00519.
    """
    at_once = max(1, SYMBOLS_AT_ONCE // batch.x.numel())
    parts = []
    for start in range(0, samples, at_once):
        seeds = range(start, min(start + at_once, samples))
        rows = repeat(batch, len(seeds))
        noise = SideBySide([IndexedNoise(batch.index, seed) for seed in seeds])
        distribution, latents = vae(rows, from_posterior, noise)
        weights = distribution.log_prob(rows.x).double()
        for latent in latents:
            weights = weights + latent.log_weight.double()
        parts.append(weights.view(len(seeds), len(batch)).logsumexp(0))
    return math.log(samples) - torch.stack(parts).logsumexp(0)


def repeat(batch: Batch, times: int) -> Batch:
    """The examples of a batch, as a whole, several times over."""
    return batch.map(lambda tensor: torch.cat([tensor] * times))
