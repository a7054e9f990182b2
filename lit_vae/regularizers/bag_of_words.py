"""A latent that must tell which symbols an example has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from lit_vae.distributions import at_least_float32
from lit_vae.latents import Latent
from lit_vae.regularizers.base import Pass, Regularizer

if TYPE_CHECKING:
    from lit_vae.vae import LitVAE


class BagOfWords(Regularizer):
    """The negative log-probability of an example's symbols, each predicted from the top latent layer alone.

    -sum_t log softmax(f(z))[x_t], f with one hidden layer: against the collapse of text models, which have no other
    way to lower it than to use z. Where the layer has positions, f reads their mean. Every observed symbol counts, the
    end symbol too.

    Args:
        weight: Multiplies the term.
        hidden: Width of f.

    Raises:
        ValueError: If a number is out of its range, or the model has no latent layers.

    Source:
        Zhao et al., 2017, https://arxiv.org/abs/1703.10960.
    """

    predict: nn.Sequential

    def __init__(self, weight: float = 1.0, hidden: int = 256) -> None:
        super().__init__()
        if not weight >= 0 or hidden < 1:
            raise ValueError(f"of BagOfWords, weight counts up from 0 and hidden from 1, got {weight} and {hidden}")
        self.weight = weight
        self.hidden = hidden

    def setup(self, vae: LitVAE) -> None:
        layers = vae.backbone.layers([1 if n is None else n for n in vae.head.positions])
        if not layers:
            raise ValueError("BagOfWords of model.regularizers reads a latent layer, and model.backbone has none")
        width = layers[0].shape[-1]
        self.predict = nn.Sequential(
            nn.Linear(width, self.hidden), nn.Tanh(), nn.Linear(self.hidden, vae.head.num_values)
        )

    def forward(self, vae: LitVAE, seen: Pass) -> dict[str, Tensor]:
        z = mean_position(seen.latents[0])
        logits = self.predict(z.to(next(self.predict.parameters()).dtype))
        symbols = seen.batch.x.flatten(1).long()
        nats = -at_least_float32(logits).log_softmax(1).gather(1, symbols)
        if seen.batch.mask is not None:
            nats = nats * seen.batch.mask.flatten(1)
        return {"bag_of_words": self.weight * nats.sum(1).mean()}


def mean_position(latent: Latent) -> Tensor:
    """The mean of z over the positions that a layer has, [B, z]."""
    z = latent.z.reshape(len(latent.z), -1, latent.z.shape[-1])
    if latent.mask is None:
        return z.mean(1)
    there = latent.mask.flatten(1).unsqueeze(-1).to(z.dtype)
    return (z * there).sum(1) / there.sum(1).clamp(min=1)
