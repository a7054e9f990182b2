"""Tokens that depend on those before them through an LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from lit_vae.distributions import AutoregressiveTokens
from lit_vae.heads.over_features import OverFeatures
from lit_vae.heads.token import TokenHead, check_parts
from lit_vae.heads.token_reader import TokenReader
from lit_vae.heads.vocabulary import VocabularyProjection

Latent = Literal["both", "state", "steps"]


class LSTMTokenHead(TokenHead):
    """A softmax over the vocabulary whose hidden state is an LSTM's.

    At each position the LSTM reads the embedding of the token before it beside the features; the features at the first
    position also make its initial state. A token that the mask hides is read as zeros.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: size of the vocabulary.
        shape: Linked to the data: (None,).
        embed_width: Width of the embedding table.
        hidden: Width of the LSTM's state.
        depth: LSTM layers.
        latent: Where the features go: into the initial state (``state``, which reads the first position alone), to
            every step (``steps``), or ``both``.
        tied: Whether the output table is the embedding table that the LSTM reads.
        own_table: Whether the LSTM reads an embedding table of its own rather than the encoder's.
        cutoffs: Of an adaptive softmax: ids at which the vocabulary is cut, rarer tokens above, such as
            ``[2000, 10000]``; null for one softmax over all.
        dropout_in: Part of what the LSTM reads of the token before that is zeroed in training.
        dropout_out: Part of its output that is zeroed in training.
        word_dropout: Part of the tokens that are read as one learned vector in training; all are scored all the same.
        uniform: Every parameter starts uniform in plus and minus this, embeddings in plus and minus ten times this;
            He et al. have 0.01; 0 for the usual sizes.

    Raises:
        ValueError: If ``shape`` is no text, a dropout is not in [0, 1), ``cutoffs`` do not cut the vocabulary, or
            ``latent`` is none of the three.

    Source:
        Bowman et al., 2016, https://arxiv.org/abs/1511.06349; features at every step and in the initial state as He et
        al., 2019, https://arxiv.org/abs/1901.05534.
    """

    data = "tokens"
    numbers = "V"
    when = "sentences: each token given those before it"

    def __init__(
        self,
        width: int,
        num_values: int,
        shape: Sequence[int | None],
        embed_width: int = 128,
        hidden: int = 256,
        depth: int = 1,
        latent: Latent = "both",
        tied: bool = True,
        own_table: bool = False,
        cutoffs: list[int] | None = None,
        dropout_in: float = 0.0,
        dropout_out: float = 0.0,
        word_dropout: float = 0.0,
        uniform: float = 0.0,
    ) -> None:
        super().__init__(width, num_values, shape, embed_width)
        check_parts(dropout_in=dropout_in, dropout_out=dropout_out, word_dropout=word_dropout)
        if latent not in ("both", "state", "steps"):
            raise ValueError(f"model.head.init_args.latent is 'both', 'state' or 'steps', got {latent!r}")
        self.dropout_in = dropout_in
        self.dropout_out = dropout_out
        self.at_steps = latent != "state"
        self.reader = TokenReader(self.new_table() if own_table else self.table, word_dropout)
        self.initial = None if latent == "steps" else nn.Linear(width, depth * hidden)
        self.lstm = nn.LSTM(embed_width + width * self.at_steps, hidden, depth, batch_first=True)
        table = self.reader.table.weight if tied else None
        self.projection = VocabularyProjection(hidden, num_values, table, cutoffs)
        if uniform > 0:
            start_uniformly(self, uniform)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> AutoregressiveTokens:
        batch, length, _ = features.shape
        features = features.to(self.table.weight.dtype)
        return AutoregressiveTokens(LSTMOverFeatures(self, features, mask), self.projection, batch, length, mask)

    def begin(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden and cell state before the first token, [depth, B, hidden] each.

        Args:
            features: [B, L, width].
        """
        layers, width = self.lstm.num_layers, self.lstm.hidden_size
        if self.initial is None:
            zeros = features.new_zeros(layers, len(features), width)
            return zeros, zeros
        cell = self.initial(features[:, 0]).unflatten(-1, (layers, width)).movedim(1, 0).contiguous()
        return cell.tanh(), cell

    def run(self, read: Tensor, features: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The LSTM over some positions: its output [B, L, hidden] and the state after them.

        Args:
            read: What comes before each position, [B, L, embed_width].
            features: [B, L, width].
            state: Hidden and cell state before the first.
        """
        read = dropout(read, self.dropout_in, self.training)
        hidden, state = self.lstm(torch.cat([read, features], -1) if self.at_steps else read, state)
        return dropout(hidden, self.dropout_out, self.training), state


class LSTMState(NamedTuple):
    """All that the rest of some texts depends on.

    Args:
        features: [N, L, width].
        mask: Observed tokens, [N, L], bool; None for all.
        hidden: [depth, N, hidden].
        cell: [depth, N, hidden].
    """

    features: Tensor
    mask: Tensor | None
    hidden: Tensor
    cell: Tensor


class LSTMOverFeatures(OverFeatures[LSTMTokenHead]):
    """The causal network of one batch."""

    def forced(self, ids: Tensor) -> Tensor:
        read = self._head.reader.before(ids, self._mask)
        return self._head.run(read, self._features, self._head.begin(self._features))[0]

    def start(self) -> LSTMState:
        return LSTMState(self._features, self._mask, *self._head.begin(self._features))

    def advance(self, state: LSTMState, position: int, previous: Tensor | None) -> tuple[Tensor, LSTMState]:
        features, mask, *before = state
        read = self._head.reader.one(previous, mask, position, len(features))
        hidden, after = self._head.run(read, features[:, position : position + 1], (before[0], before[1]))
        return hidden.squeeze(1), LSTMState(features, mask, *after)

    def select(self, state: LSTMState, rows: Tensor) -> LSTMState:
        mask = None if state.mask is None else state.mask[rows]
        return LSTMState(state.features[rows], mask, state.hidden[:, rows], state.cell[:, rows])


@torch.no_grad()
def start_uniformly(head: LSTMTokenHead, bound: float) -> None:
    """Draw every parameter within a bound, what is read of a token within ten times it, as He et al. (2019) do."""
    read = {id(parameter) for parameter in [head.table.weight, *head.reader.parameters()]}
    for parameter in head.parameters():
        reach = 10 * bound if id(parameter) in read else bound
        parameter.uniform_(-reach, reach)
