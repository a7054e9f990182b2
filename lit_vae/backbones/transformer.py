"""A Transformer that reads a text into one latent vector."""

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.pooling import check_pool, pooled
from lit_vae.backbones.posteriors import GaussianPosterior, MakePosterior
from lit_vae.backbones.text_encoder import TextEncoder
from lit_vae.backbones.vectors import ShownVector, at_least_one, text_only
from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer

Pool = Literal["first", "max", "mean"]


class TransformerVAE(Backbone):
    """A text read by a Transformer into one latent vector under a standard-normal prior, shown at every position.

    How the vector enters the decoder is the head's: ``TransformerTokenHead`` takes it as a memory, adds it to the
    embeddings, or both.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (None,).
        width: Channels of the features handed to the head.
        hidden: Channels of the Transformer.
        latent: Numbers of the latent vector.
        depth: Layers.
        heads: Of the attention; ``hidden`` divides into heads of an even number of channels.
        pool: What is taken of the states: that of a learned ``first`` vector, or each channel's ``max`` or ``mean``
            over the tokens.
        dropout: Part of what is read, of the attention and of what each layer adds that is zeroed in training.
        posterior: What makes the posterior of that: ``GaussianPosterior``, ``BatchNormPosterior``, ``DeltaPosterior``.

    Raises:
        ValueError: If ``shape`` is no text, or a number out of range.

    Source:
        Li et al., 2020, Optimus, https://arxiv.org/abs/2004.04092, there from pretrained BERT and GPT-2; here the
        positions are rotary, so that no text is too long.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        width: int = 128,
        hidden: int = 256,
        latent: int = 32,
        depth: int = 4,
        heads: int = 4,
        pool: Pool = "first",
        dropout: float = 0.1,
        posterior: MakePosterior = GaussianPosterior,
    ) -> None:
        super().__init__(width)
        text_only(shape, "TransformerVAE")
        at_least_one(width=width, hidden=hidden, latent=latent, depth=depth, heads=heads)
        check_pool(pool, get_args(Pool))
        self.pool: Pool = pool
        self.encoder = TextEncoder(embed_width, hidden, depth, heads, dropout)
        self.posterior = posterior(hidden, latent)
        self.show = ShownVector(latent, width)

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return [self.show.layer]

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> Gaussian:
        """The posterior."""
        whole, tokens = self.encoder(features, mask)
        return self.posterior(whole if self.pool == "first" else pooled(tokens, mask, self.pool))

    def top_down(
        self,
        context: Gaussian | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        return self.show(context, shape, draw, noise[0], self.encoder.norm.weight.dtype)
