"""What every regularizer is: named terms of the training loss beside the objective's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from lit_vae.batch import Batch
from lit_vae.distributions import SymbolDistribution
from lit_vae.latents import Latent
from lit_vae.noise import Noise
from lit_vae.objectives import Terms

if TYPE_CHECKING:
    from lit_vae.vae import LitVAE


@dataclass(frozen=True)
class Pass:
    """What a forward pass of training left behind.

    Args:
        batch: What was encoded.
        distribution: p(x | z).
        latents: The latent layers, top first, z drawn from the posterior.
        terms: The bound and the loss.
        noise: Where more randomness comes from.
        step: Optimizer steps taken so far.
    """

    batch: Batch
    distribution: SymbolDistribution
    latents: list[Latent]
    terms: Terms
    noise: Noise
    step: int


class Regularizer(nn.Module, ABC):
    """Adds named terms to the training loss, each in nats per example.

    They enter the loss under the objective's own ``per``: beside a loss per symbol they are divided by the symbols of
    an example, so that a weight means the same under either. Evaluation leaves them out. Parameters and buffers of its
    own are trained and saved with the model.
    """

    def setup(self, vae: LitVAE) -> None:
        """Make what depends on the sizes of the model: called once, when the model has its backbone and head."""

    @abstractmethod
    def forward(self, vae: LitVAE, seen: Pass) -> dict[str, Tensor]:
        """Terms by their names in the log, each [], nats per example, its weight included."""


def penalties(regularizers: Iterable[nn.Module], vae: LitVAE, seen: Pass) -> dict[str, Tensor]:
    """The terms of all regularizers.

    Raises:
        ValueError: If two have the same name.
    """
    terms: dict[str, Tensor] = {}
    for regularizer in regularizers:
        for name, nats in regularizer(vae, seen).items():
            if name in terms:
                raise ValueError(f"two of model.regularizers have a term '{name}': leave one out, or name it anew")
            terms[name] = nats
    return terms
