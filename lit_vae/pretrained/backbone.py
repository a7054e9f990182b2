"""A pretrained language model that reads a text into one latent vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, get_args

import torch
from torch import Tensor, nn

from lit_vae.backbones import Backbone
from lit_vae.backbones.pooling import Pool, check_pool, pooled
from lit_vae.backbones.posteriors import GaussianPosterior, MakePosterior
from lit_vae.backbones.text_blocks import hide
from lit_vae.backbones.vectors import ShownVector, at_least_one, text_only
from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer
from lit_vae.pretrained.encoder import encoder_of
from lit_vae.pretrained.loading import load
from lit_vae.pretrained.positions import check_length, most_positions
from lit_vae.pretrained.tokens import check_tokens
from lit_vae.symbols import Symbols

KEY = "model.backbone.init_args.folder"


class HuggingFaceVAE(Backbone):
    """A text read by a pretrained language model into one latent vector under a standard-normal prior.

    The model is handed the head's embeddings, with no symbols of its own before or after the text. They are the ones
    that it was trained on where the head is ``HuggingFaceTokenHead`` of the same folder and the tokenizer is
    ``lit_vae.tokenizers.Pretrained`` of the same. A run reads the folder again when it is loaded.

    Args:
        embed_width: Linked to the head; where the model reads another width, a linear map leads there.
        shape: Linked to the head: (None,).
        folder: What ``save_pretrained`` wrote: BERT, GPT-2, T5 (its encoder), or any other of transformers' AutoModel.
        width: Channels of the features handed to the head.
        latent: Numbers of the latent vector.
        pool: What is taken of the model's states: each channel's ``mean`` or ``max`` over the text, or the ``last``
            state, which in a model that reads from left to right is the one that saw the text.
        frozen: Whether the model stays as it is.
        posterior: What makes the posterior of that: ``GaussianPosterior``, ``BatchNormPosterior``, ``DeltaPosterior``.

    Raises:
        ImportError: If transformers is not installed.
        ValueError: If ``shape`` is no text, there is no model in ``folder``, or a text is longer than its positions.

    Source:
        Li et al., 2020, Optimus, https://arxiv.org/abs/2004.04092; there encoder and decoder have tokens of their own.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        folder: str,
        width: int = 128,
        latent: int = 32,
        pool: Pool = "mean",
        frozen: bool = False,
        posterior: MakePosterior = GaussianPosterior,
    ) -> None:
        super().__init__(width)
        text_only(shape, "HuggingFaceVAE")
        at_least_one(width=width, latent=latent)
        check_pool(pool, get_args(Pool))
        encoder = encoder_of(load(folder, "AutoModel", KEY), KEY, folder)
        self.folder = folder
        self.encoder = encoder.network
        self.most = most_positions(self.encoder)
        self.frozen = frozen
        if frozen:
            self.encoder.requires_grad_(False).eval()
        self.pool: Pool = pool
        same = embed_width == encoder.reads
        self.enter = nn.Identity() if same else nn.Linear(embed_width, encoder.reads)
        self.posterior = posterior(encoder.hidden, latent)
        self.show = ShownVector(latent, width)

    def train(self, mode: bool = True) -> Self:
        """As torch's; a frozen model stays in evaluation."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def check_data(self, symbols: Symbols) -> None:
        """Refuse data whose tokens are another tokenizer's, or whose texts may be longer than the positions."""
        check_tokens(symbols, self.folder, KEY)
        check_length(symbols.fill(symbols.shape)[0], self.most)

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return [self.show.layer]

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> Gaussian:
        """The posterior."""
        check_length(features.shape[1], self.most)
        read = self.enter(hide(features, mask))
        exists = torch.ones(features.shape[:2], device=features.device) if mask is None else mask
        states = self.encoder(inputs_embeds=read, attention_mask=exists.long()).last_hidden_state
        return self.posterior(pooled(states, mask, self.pool))

    def top_down(
        self,
        context: Gaussian | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        assert isinstance(self.show.decode, nn.Linear)
        return self.show(context, shape, draw, noise[0], self.show.decode.weight.dtype)
