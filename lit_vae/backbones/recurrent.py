"""An LSTM that reads a text into one latent vector."""

from collections.abc import Sequence
from typing import get_args

from torch import Tensor, nn

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.pooling import Pool, check_pool, pooled
from lit_vae.backbones.posteriors import GaussianPosterior, MakePosterior
from lit_vae.backbones.vectors import ShownVector, at_least_one, text_only
from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer


class RecurrentVAE(Backbone):
    """A text read by an LSTM into one latent vector under a standard-normal prior, shown at every position.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (None,).
        width: Channels of the features handed to the head.
        hidden: Width of the LSTM's state.
        latent: Numbers of the latent vector.
        depth: LSTM layers.
        pool: What is taken of the LSTM's states: the ``last``, or each channel's ``max`` or ``mean`` over the text.
        posterior: What makes the posterior of that: ``GaussianPosterior``, ``BatchNormPosterior``, ``DeltaPosterior``.
        project: Whether a linear map makes the features of z. Without, they are z itself, and ``width`` is ``latent``.
        uniform: Every parameter starts uniform in plus and minus this; 0 for the usual sizes.

    Raises:
        ValueError: If ``shape`` is no text, a number is too small, or ``width`` is not ``latent`` where it must be.

    Source:
        Bowman et al., 2016, https://arxiv.org/abs/1511.06349. With ``project`` false, ``uniform`` 0.01 and a posterior
        without bias: He et al., 2019, https://arxiv.org/abs/1901.05534; there the encoder reads a start symbol, too.
        Pooling: Long et al., 2019, https://arxiv.org/abs/1911.03976.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        width: int = 128,
        hidden: int = 256,
        latent: int = 32,
        depth: int = 1,
        pool: Pool = "last",
        posterior: MakePosterior = GaussianPosterior,
        project: bool = True,
        uniform: float = 0.0,
    ) -> None:
        super().__init__(width)
        text_only(shape, "RecurrentVAE")
        at_least_one(width=width, hidden=hidden, latent=latent, depth=depth)
        check_pool(pool, get_args(Pool))
        self.pool: Pool = pool
        self.lstm = nn.LSTM(embed_width, hidden, depth, batch_first=True)
        self.posterior = posterior(hidden, latent)
        self.show = ShownVector(latent, width, project)
        if uniform > 0:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -uniform, uniform)

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return [self.show.layer]

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> Gaussian:
        """The posterior."""
        if mask is not None:
            features = features.masked_fill(~mask.unsqueeze(-1), 0.0)
        return self.posterior(pooled(self.lstm(features)[0], mask, self.pool))

    def top_down(
        self,
        context: Gaussian | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        return self.show(context, shape, draw, noise[0], self.lstm.get_parameter("weight_hh_l0").dtype)
