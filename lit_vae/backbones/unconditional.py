"""No latent variables at all: what a VAE has to beat."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lit_vae.backbones.base import Backbone
from lit_vae.latents import Draw, Latent, Layer


class Unconditional(Backbone):
    """The same learned features at every position of every example: with an autoregressive head, a language model.

    Its bound is the likelihood itself, under the same code, data and units as a VAE's.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head.
        width: Channels of the features handed to the head.
    """

    def __init__(self, embed_width: int, shape: Sequence[int | None], width: int = 1) -> None:
        super().__init__(width)
        if width < 1:
            raise ValueError(f"model.backbone.init_args.width counts up from 1, got {width}")
        self.features = nn.Parameter(torch.zeros(width))

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return []

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> None:
        """Nothing is read."""

    def top_down(
        self, context: Any | None, shape: Sequence[int], draw: Draw, noise: Sequence[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, list[Latent]]:
        return self.features.expand(*shape, -1), []
