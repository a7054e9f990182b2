"""The aggregate posterior pulled towards the prior, where the KL pulls each example's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from lit_vae.latents import Latent
from lit_vae.processes import extended, gathered, largest
from lit_vae.regularizers.base import Pass, Regularizer

if TYPE_CHECKING:
    from lit_vae.vae import LitVAE

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Of the inverse multiquadratic kernels that are added up."""


class MMD(Regularizer):
    """Maximum mean discrepancy between the z of a batch and as many draws from the prior.

    InfoVAE's loss, reconstruction + (1 - a) KL + (a + l - 1) MMD, has ``kl_weight`` 1 - a and ``weight`` a + l - 1;
    with ``kl_weight`` 0 it is a Wasserstein autoencoder's. The squared discrepancy is estimated without bias, so that
    it may be negative; it is 0 for a batch of one. z is taken relative to its prior, (z - mean) / scale, which should
    be a standard normal where the prior depends on the layers above, too. Positions that an example does not have are
    drawn from the prior. The batch is that of all processes that train together; under gradient accumulation, each by
    itself.

    Args:
        weight: Multiplies the term, which is no nat by itself.
        kernel: ``rbf``: exp(-|x - y|^2 / 2d), d the numbers of z; ``imq``: the sum over s in 0.1, 0.2, 0.5, 1, 2, 5, 10
            of 2ds / (2ds + |x - y|^2), whose tails are heavier.
        layers: ``top`` or ``all``, whose terms are added.

    Raises:
        ValueError: If ``weight`` is negative, or there is no such ``kernel`` or ``layers``.

    Source:
        Zhao et al., 2017, InfoVAE, https://arxiv.org/abs/1706.02262; kernels and estimate: Tolstikhin et al., 2018,
        https://arxiv.org/abs/1711.01558.
    """

    couples_examples = True
    """What one example costs depends on the others of its batch."""

    def __init__(
        self,
        weight: float = 1.0,
        kernel: Literal["rbf", "imq"] = "rbf",
        layers: Literal["top", "all"] = "top",
    ) -> None:
        super().__init__()
        if not weight >= 0:
            raise ValueError(f"of MMD, weight counts up from 0, got {weight}")
        if kernel not in KERNELS:
            raise ValueError(f"of MMD, kernel is 'rbf' or 'imq', got {kernel!r}")
        if layers not in ("top", "all"):
            raise ValueError(f"of MMD, layers is 'top' or 'all', got {layers!r}")
        self.weight = weight
        self.kernel = kernel
        self.layers = layers

    def forward(self, vae: LitVAE, seen: Pass) -> dict[str, Tensor]:
        latents = seen.latents[:1] if self.layers == "top" else seen.latents
        total = seen.terms.loss.new_zeros(())
        # Products of differences would lose too much in what autocast makes of them.
        with torch.autocast(total.device.type, enabled=False):
            for latent in latents:
                shape = (len(latent.z), *largest(latent.z.shape[1:], latent.z.device))
                drawn, given = (seen.noise.normal(shape).to(latent.z) for _ in range(2))
                z, drawn = gathered(relative(latent, given)), gathered(drawn.flatten(1))
                total = total + discrepancy(z, drawn, KERNELS[self.kernel])
        return {"mmd": self.weight * total}


def relative(latent: Latent, instead: Tensor) -> Tensor:
    """z in standard deviations from the mean of its prior, [B, numbers].

    Args:
        latent: The layer.
        instead: Taken at the positions that an example does not have, [B, *S, z]; of more positions than the layer
            has where other processes have longer examples.
    """
    standard = (latent.z - latent.prior.mean) / latent.prior.scale
    if latent.mask is not None:
        exists = latent.mask.unsqueeze(-1).expand_as(standard)
    else:
        exists = torch.ones_like(standard, dtype=torch.bool)
    return torch.where(extended(exists, instead.shape), extended(standard, instead.shape), instead).flatten(1)


def discrepancy(x: Tensor, y: Tensor, kernel: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy of two samples, [].

    Args:
        x: One sample, [B, d].
        y: The other, [B, d].
        kernel: Of squared distances and d.
    """
    count, numbers = x.shape
    if count < 2:
        return 0 * x.sum()
    same = sum(off_diagonal(kernel(squared_distances(a, a), numbers)) for a in (x, y))
    across = kernel(squared_distances(x, y), numbers)
    return same / (count * (count - 1)) - 2 * across.mean()


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Between all pairs of rows, [B, B]."""
    squares = x.square().sum(1).unsqueeze(1) + y.square().sum(1) - 2 * x @ y.T
    return squares.clamp(min=0)


def off_diagonal(pairs: Tensor) -> Tensor:
    """Sum of the entries beside the diagonal, []."""
    return pairs.sum() - pairs.diagonal().sum()


def rbf(squares: Tensor, numbers: int) -> Tensor:
    """Gaussian kernel of squared distances."""
    return torch.exp(-squares / (2 * numbers))


def imq(squares: Tensor, numbers: int) -> Tensor:
    """Inverse multiquadratic kernels of squared distances, added up."""
    return torch.stack([2 * numbers * s / (2 * numbers * s + squares) for s in SCALES]).sum(0)


KERNELS: dict[str, Callable[[Tensor, int], Tensor]] = {"rbf": rbf, "imq": imq}
