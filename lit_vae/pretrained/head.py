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
from lit_vae.heads.vocabulary import VocabularyProjection
from lit_vae.pretrained.loading import check_length, load, without_table


class HuggingFaceTokenHead(TokenHead):
    """The softmax over the vocabulary of a pretrained causal language model, such as GPT-2 or Llama.

    At each position it reads the embedding of the token before, plus a linear map of the features, zero at first: it
    starts as the language model that it was. The end symbol starts as that of the model. A token that the mask hides is
    read as zeros. A run reads the folder again when it is loaded.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data, whose tokenizer is ``lit_vae.tokenizers.Pretrained`` of the same folder.
        shape: Linked to the data: (None,).
        folder: What ``save_pretrained`` wrote.
        word_dropout: Part of the tokens that are read as one learned vector in training; all are scored all the same.

    Raises:
        ImportError: If transformers is not installed.
        ValueError: If ``shape`` is no text, there is no causal model in ``folder``, the data has tokens that it lacks,
            or a text is longer than its positions.

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
        key = "model.head.init_args.folder"
        model = load(folder, "AutoModelForCausalLM", key)
        rows = model.get_input_embeddings().weight
        if num_values - 1 > len(rows):
            raise ValueError(
                f"the data has {num_values - 1} tokens and an end symbol, but the model of {key}, {folder!r}, only "
                f"{len(rows)} tokens: set data.init_args.tokenizer to lit_vae.tokenizers.Pretrained with that folder"
            )
        super().__init__(width, num_values, shape, rows.shape[1])
        out = model.get_output_embeddings().weight
        end, start = (first_id(name, model.config) for name in ("eos_token_id", "bos_token_id"))
        tied = out is rows
        self.reader = TokenReader(self.table, word_dropout)
        self.projection = VocabularyProjection(out.shape[1], num_values, self.table.weight if tied else None)
        with torch.no_grad():
            for table, pretrained in ((self.table.weight, rows), (self.projection.table, out)):
                table[:-1] = pretrained[: num_values - 1]
                if end is not None:
                    table[-1] = pretrained[end]
            if start is not None:
                self.reader.start.copy_(rows[start])
        self.added = nn.Linear(width, rows.shape[1], bias=False)
        nn.init.zeros_(self.added.weight)
        self.decoder = without_table(model.base_model)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> AutoregressiveTokens:
        batch, length, _ = features.shape
        check_length(length, self.decoder)
        network = PretrainedOverFeatures(self, self.added(features.to(self.added.weight.dtype)), mask)
        return AutoregressiveTokens(network, self.projection, batch, length, mask)


class PretrainedState(NamedTuple):
    """All that the rest of some texts depends on.

    Args:
        added: What is added to the embeddings, [N, L, embed_width].
        mask: Observed tokens, [N, L], bool; None for all.
        cache: Keys and values of the tokens so far, transformers' own.
    """

    added: Tensor
    mask: Tensor | None
    cache: Any


class PretrainedOverFeatures(OverFeatures[HuggingFaceTokenHead]):
    """The causal network of one batch."""

    def forced(self, ids: Tensor) -> Tensor:
        read = self._head.reader.before(ids, self._mask)
        return self._head.decoder(inputs_embeds=read + self._features, use_cache=False).last_hidden_state

    def start(self) -> PretrainedState:
        from transformers import DynamicCache

        return PretrainedState(self._features, self._mask, DynamicCache(config=self._head.decoder.config))

    def advance(self, state: PretrainedState, position: int, previous: Tensor | None) -> tuple[Tensor, PretrainedState]:
        added, mask, cache = state
        read = self._head.reader.one(previous, mask, position, len(added)) + added[:, position : position + 1]
        states = self._head.decoder(inputs_embeds=read, past_key_values=cache, use_cache=True).last_hidden_state
        return states.squeeze(1), state

    def select(self, state: PretrainedState, rows: Tensor) -> PretrainedState:
        state.cache.batch_select_indices(rows)
        mask = None if state.mask is None else state.mask[rows]
        return PretrainedState(state.added[rows], mask, state.cache)


def first_id(name: str, config: Any) -> int | None:
    """The id of a special token of a model, the first where there are several; None where there is none."""
    found = getattr(config, name, None)
    return found[0] if isinstance(found, list) else found
