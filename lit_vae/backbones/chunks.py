"""A few tokens to one latent vector, and back at once."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import dropout

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.gated import RMSNorm, gated_blocks
from lit_vae.backbones.posteriors import GaussianPosterior, MakePosterior
from lit_vae.backbones.text_blocks import begun, drop_positions, hide, in_runs, runs_of
from lit_vae.backbones.vectors import at_least_one, check_parts, draw_standard, text_only
from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer


class ChunkAutoencoder(Backbone):
    """Each run of ``chunk`` tokens by itself to one latent vector, decoded in parallel.

    Made for ``SoftmaxTokenHead`` with a tied table, for a KL weight of about 1e-3, and for another model to learn how
    the latent vectors follow each other: its own prior, standard normal and independent, makes no readable samples. No
    token is seen beyond its chunk, so text may be cut anywhere between chunks.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (None,).
        width: Channels of every part, and of the features handed to the head.
        chunk: Tokens to one latent vector.
        latent: Numbers of a latent vector.
        depth: Gated blocks at each of the four stages: tokens in, chunks in, chunks out, tokens out.
        token_dropout: Part of the tokens that are not read in training; all are scored.
        latent_dropout: Part of the numbers of z that are zeroed in training before they are decoded.
        posterior: What makes the posterior of a chunk: ``GaussianPosterior``, ``BatchNormPosterior``,
            ``DeltaPosterior``.

    Raises:
        ValueError: If ``shape`` is no text, a number is too small, or a dropout not in [0, 1).

    Source:
        The autoencoder of CALM, Shao et al., 2025, https://arxiv.org/abs/2510.27688: width 512, 4 tokens to 128
        numbers, dropouts 0.15, KL weight 1e-3, 0.5 free nats a dimension. Here the output has a norm of its own.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        width: int = 256,
        chunk: int = 4,
        latent: int = 128,
        depth: int = 1,
        token_dropout: float = 0.15,
        latent_dropout: float = 0.15,
        posterior: MakePosterior = GaussianPosterior,
    ) -> None:
        super().__init__(width)
        text_only(shape, "ChunkAutoencoder")
        at_least_one(width=width, chunk=chunk, latent=latent, depth=depth)
        check_parts(token_dropout=token_dropout, latent_dropout=latent_dropout)
        self.chunk = chunk
        self.latent = latent
        self.token_dropout = token_dropout
        self.latent_dropout = latent_dropout
        same = embed_width == width
        self.enter = nn.Identity() if same else nn.Linear(embed_width, width, bias=False)
        self.tokens_in = gated_blocks(width, depth)
        self.gather = nn.Linear(chunk * width, width, bias=False)
        self.chunks_in = nn.Sequential(*gated_blocks(width, depth), RMSNorm(width))
        self.posterior = posterior(width, latent)
        self.from_latent = nn.Linear(latent, width)
        self.chunks_out = gated_blocks(width, depth)
        self.spread = nn.Linear(width, chunk * width, bias=False)
        self.tokens_out = nn.Sequential(*gated_blocks(width, depth), RMSNorm(width))

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return [Layer(0, "chunks", (runs_of(shape[0], self.chunk), self.latent))]

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> Gaussian:
        """The posterior of each chunk, [B, chunks, latent]."""
        read = drop_positions(hide(features, mask), self.token_dropout, self.training)
        tokens = in_runs(self.tokens_in(self.enter(read)), self.chunk)  # what is zero stays zero
        return self.posterior(self.chunks_in(self.gather(tokens.flatten(-2))), begun(mask, self.chunk))

    def top_down(
        self,
        context: Gaussian | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        (layer,) = self.layers(shape[1:])
        latent = draw_standard(layer, context, draw, noise[0], begun(mask, self.chunk))
        z = dropout(latent.z.to(self.from_latent.weight.dtype), self.latent_dropout, self.training)
        tokens = self.spread(self.chunks_out(self.from_latent(z))).unflatten(-1, (self.chunk, -1)).flatten(1, 2)
        return self.tokens_out(tokens)[:, : shape[1]], [latent]
