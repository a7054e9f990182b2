"""A pretrained causal language model that writes a text, told of a latent variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_vae.distributions import AutoregressiveTokens
from lit_vae.heads.over_features import OverFeatures
from lit_vae.heads.token import TokenHead
from lit_vae.heads.token_reader import TokenReader
from lit_vae.pretrained.causal import select
from lit_vae.pretrained.decoder import decoder_of
from lit_vae.pretrained.loading import check_weights, load
from lit_vae.pretrained.positions import check_length, most_positions
from lit_vae.pretrained.tokens import check_tokens
from lit_vae.symbols import Symbols

KEY = "model.head.init_args.folder"


class HuggingFaceTokenHead(TokenHead):
    """The softmax over the vocabulary of a pretrained causal language model, such as GPT-2, Llama or Gemma.

    At each position it reads the embedding of the token before, plus a linear map of the features, zero at first: it
    starts as the language model that it was. Its logits are then the model's own for the data's tokens; the end symbol,
    a token beside them, starts with the logit of the model's. When the head is made, its log-probabilities are compared
    with the model's own on a few tokens, read at once and step by step, and a model that differs is refused. A token
    that the mask hides is read as zeros. A run reads the folder again when it is loaded.

    Before the first token it reads the model's start symbol; its end symbol where it has none, as GPT-2 was trained;
    and a random vector that is learned where it has neither.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data, whose tokenizer is ``lit_vae.tokenizers.Pretrained`` of the same folder.
        shape: Linked to the data: (None,), or (L,) where all texts are as long.
        folder: What ``save_pretrained`` wrote, with a ``tokenizer.json``.
        word_dropout: Fraction of the tokens that are read as one learned vector in training; all are scored all the
            same.

    Raises:
        ImportError: If transformers is not installed.
        ValueError: If ``shape`` is no text, there is no causal model in ``folder``, some of its weights are missing, it
            is another model when it reads embeddings, the data has tokens that it lacks, or a text is longer than its
            positions.

    Source:
        The latent added to every embedding: Li et al., 2020, Optimus, https://arxiv.org/abs/2004.04092.
    """

    data = "tokens"
    numbers = "V"
    when = "sentences, from a pretrained language model"

    def __init__(
        self,
        width: int,
        num_values: int,
        shape: Sequence[int | None],
        folder: str,
        word_dropout: float = 0.0,
    ) -> None:
        loaded = load(folder, "AutoModelForCausalLM", KEY)
        check_weights(loaded, loaded.model, folder, KEY)
        model = loaded.model.eval()
        tokens = num_values - 1 if None in shape else num_values
        rows = len(model.get_input_embeddings().weight)
        if tokens > rows:
            raise ValueError(
                f"the data has {tokens} tokens{' and an end symbol' if tokens < num_values else ''}, but the model of "
                f"{KEY}, {folder!r}, only {rows} tokens: set data.init_args.tokenizer to "
                f"lit_vae.tokenizers.Pretrained with that folder"
            )
        super().__init__(width, num_values, shape, model.get_input_embeddings().weight.shape[1])
        self.folder = folder
        self.most = most_positions(model)
        decoder = decoder_of(model, tokens, num_values, KEY, folder)
        self.table = decoder.table
        self.decoder, self.projection = decoder.network, decoder.scores
        self.reader = TokenReader(self.table, word_dropout)
        if decoder.start is not None:
            with torch.no_grad():
                self.reader.start.copy_(decoder.start)
        self.added = nn.Linear(width, self.embed_width, bias=False)
        nn.init.zeros_(self.added.weight)

    def check_data(self, symbols: Symbols) -> None:
        """Refuse data whose tokens are another tokenizer's, or whose texts may be longer than the positions."""
        check_tokens(symbols, self.folder, KEY)
        check_length(symbols.fill(symbols.shape)[0], self.most)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> AutoregressiveTokens:
        batch, length, _ = features.shape
        check_length(length, self.most)
        network = PretrainedOverFeatures(self, self.added(features.to(self.added.weight.dtype)), mask)
        return AutoregressiveTokens(network, self.projection, batch, length, mask)


class PretrainedState(NamedTuple):
    """All that the rest of some texts depends on.

    Args:
        added: What is added to the embeddings, [N, L, embed_width].
        mask: Observed tokens, [N, L], bool; None for all.
        caches: What the model keeps of the tokens so far, transformers' own, by the names of its arguments.
    """

    added: Tensor
    mask: Tensor | None
    caches: dict[str, Any]


class PretrainedOverFeatures(OverFeatures[HuggingFaceTokenHead]):
    """The causal network of one batch."""

    def forced(self, ids: Tensor) -> Tensor:
        return self._head.decoder(self._head.reader.before(ids, self._mask) + self._features)

    def start(self) -> PretrainedState:
        return PretrainedState(self._features, self._mask, {})

    def advance(self, state: PretrainedState, position: int, previous: Tensor | None) -> tuple[Tensor, PretrainedState]:
        added, mask, caches = state
        read = self._head.reader.one(previous, mask, position, len(added)) + added[:, position : position + 1]
        states, caches = self._head.decoder.step(read, caches)
        return states, PretrainedState(added, mask, caches)

    def select(self, state: PretrainedState, rows: Tensor) -> PretrainedState:
        mask = None if state.mask is None else state.mask[rows]
        return PretrainedState(state.added[rows], mask, select(state.caches, rows))
