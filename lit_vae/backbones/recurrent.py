"""An LSTM that reads a text into one latent vector."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_vae.backbones.base import Backbone
from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer


class RecurrentVAE(Backbone):
    """A text read by an LSTM, its last state one latent vector under a standard-normal prior, shown at every position.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (None,).
        width: Channels of the features handed to the head.
        hidden: Width of the LSTM's state.
        latent: Numbers of the latent vector.

    Raises:
        ValueError: If ``shape`` is no text.

    Source:
        Bowman et al., 2016, https://arxiv.org/abs/1511.06349.
    """

    def __init__(
        self, embed_width: int, shape: Sequence[int | None], width: int = 128, hidden: int = 256, latent: int = 32
    ) -> None:
        super().__init__(width)
        if len(shape) != 1:
            raise ValueError(
                f"RecurrentVAE reads text [L], but the head has positions {list(shape)}: change model.backbone "
                f"(for pictures: lit_vae.backbones.ConvVAE) or data"
            )
        self.latent = latent
        self.lstm = nn.LSTM(embed_width, hidden, batch_first=True)
        self.posterior = nn.Linear(hidden, 2 * latent)
        self.decode = nn.Linear(latent, width)

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return [Layer(0, "z", (self.latent,))]

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> Gaussian:
        """The posterior."""
        if mask is None:
            read = self.lstm(features)[0][:, -1]
        else:
            states = self.lstm(features.masked_fill(~mask.unsqueeze(-1), 0.0))[0]
            positions = torch.arange(mask.shape[1], device=mask.device)
            last = positions.mul(mask).amax(1)
            read = states[torch.arange(len(states), device=mask.device), last]
        return Gaussian(*self.posterior(read).chunk(2, -1))

    def top_down(
        self,
        context: Gaussian | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        (layer,) = self.layers(shape[1:])
        zeros = torch.zeros_like(noise[0])
        prior = Gaussian(zeros, zeros)
        z = draw(prior, context, noise[0], layer)
        features = self.decode(z.to(self.decode.weight.dtype)).unsqueeze(1).expand(-1, shape[1], -1)
        return features, [Latent(layer, z, prior, context)]
