"""Tokens that depend on those before them through an LSTM."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from lit_vae.distributions import AutoregressiveTokens
from lit_vae.heads.token import TokenHead
from lit_vae.heads.vocabulary import VocabularyProjection

State = tuple[Tensor, Tensor]


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
        tied: Whether the output table is the embedding table.
        dropout_in: Part of what the LSTM reads of the token before that is zeroed in training.
        dropout_out: Part of its output that is zeroed in training.
        word_dropout: Part of the tokens that are read as one learned vector in training; all are scored all the same.

    Raises:
        ValueError: If ``shape`` is no text, or a dropout is not in [0, 1).

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
        tied: bool = True,
        dropout_in: float = 0.0,
        dropout_out: float = 0.0,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__(width, num_values, shape, embed_width)
        for name, part in (("dropout_in", dropout_in), ("dropout_out", dropout_out), ("word_dropout", word_dropout)):
            if not 0 <= part < 1:
                raise ValueError(f"model.head.init_args.{name} is a part, at least 0 and below 1, got {part}")
        self.dropout_in = dropout_in
        self.dropout_out = dropout_out
        self.word_dropout = word_dropout
        self.start = nn.Parameter(torch.randn(embed_width) * embed_width**-0.5)
        self.dropped = nn.Parameter(torch.randn(embed_width) * embed_width**-0.5) if word_dropout > 0 else None
        self.initial = nn.Linear(width, depth * hidden)
        self.lstm = nn.LSTM(embed_width + width, hidden, depth, batch_first=True)
        self.projection = VocabularyProjection(hidden, num_values, self.table.weight if tied else None)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> AutoregressiveTokens:
        batch, length, _ = features.shape
        features = features.to(self.start.dtype)
        return AutoregressiveTokens(LSTMOverFeatures(self, features, mask), self.projection, batch, length, mask)

    def read(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """What the LSTM is told of tokens that come before, [B, L, embed_width].

        Args:
            ids: Tokens, [B, L], integer.
            mask: Those that are observed, [B, L], bool; None for all.
        """
        embedded = self.table(ids)
        if self.dropped is not None and self.training:
            drop = torch.rand(ids.shape, device=ids.device) < self.word_dropout
            embedded = torch.where(drop.unsqueeze(-1), self.dropped, embedded)
        return embedded if mask is None else embedded.masked_fill(~mask.unsqueeze(-1), 0.0)

    def run(self, read: Tensor, features: Tensor, state: State) -> tuple[Tensor, State]:
        """The LSTM over some positions: its output [B, L, hidden] and the state after them.

        Args:
            read: What comes before each position, [B, L, embed_width].
            features: [B, L, width].
            state: The state before the first.
        """
        read = dropout(read, self.dropout_in, self.training)
        hidden, state = self.lstm(torch.cat([read, features], -1), state)
        return dropout(hidden, self.dropout_out, self.training), state


class LSTMOverFeatures:
    """The causal network of one batch.

    Args:
        head: Whose LSTM it is.
        features: [B, L, width].
        mask: Observed tokens, [B, L], bool; None for all.
    """

    def __init__(self, head: LSTMTokenHead, features: Tensor, mask: Tensor | None) -> None:
        self._head = head
        self._features = features
        self._mask = mask

    def forced(self, ids: Tensor) -> Tensor:
        mask = None if self._mask is None else self._mask[:, :-1]
        read = torch.cat([self._first(), self._head.read(ids[:, :-1], mask)], 1)
        return self._head.run(read, self._features, self.start())[0]

    def start(self) -> State:
        cell = self._head.initial(self._features[:, 0]).unflatten(-1, (self._head.lstm.num_layers, -1))
        cell = cell.movedim(1, 0).contiguous()
        return cell.tanh(), cell

    def advance(self, state: State, position: int, previous: Tensor | None) -> tuple[Tensor, State]:
        if previous is None:
            read = self._first()
        else:
            mask = None if self._mask is None else self._mask[:, position - 1 : position]
            read = self._head.read(previous.unsqueeze(1), mask)
        hidden, state = self._head.run(read, self._features[:, position : position + 1], state)
        return hidden.squeeze(1), state

    def _first(self) -> Tensor:
        return self._head.start.expand(len(self._features), 1, -1)
