"""Tokens that depend on those before them through a Transformer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from lit_vae.distributions import AutoregressiveTokens
from lit_vae.heads.token import TokenHead, check_parts
from lit_vae.heads.token_reader import TokenReader
from lit_vae.heads.transformer_block import Cache, CausalBlock
from lit_vae.heads.vocabulary import VocabularyProjection

Latent = Literal["both", "memory", "embedding"]


class TransformerTokenHead(TokenHead):
    """A softmax over the vocabulary whose hidden state is a causal Transformer's, for texts of any length.

    At each position it reads the embedding of the token before. The features enter as vectors added to the embeddings,
    as a memory that every layer asks, or both; a position sees those up to its own. A token that the mask hides is read
    as zeros. Positions are rotary, so that none is beyond the last.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: size of the vocabulary.
        shape: Linked to the data: (None,).
        embed_width: Width of the embedding table.
        hidden: Channels of the Transformer.
        depth: Layers.
        heads: Of the attention; ``hidden`` divides into heads of an even number of channels.
        latent: Where the features go: added to what is read (``embedding``), a ``memory`` for the attention of every
            layer, or ``both``.
        slots: Entries of the memory that the features of a position make: with more than one, a token chooses.
        tied: Whether the output table is the embedding table that the Transformer reads.
        own_table: Whether the Transformer reads an embedding table of its own rather than the encoder's.
        cutoffs: Of an adaptive softmax: ids at which the vocabulary is cut, rarer tokens above, such as
            ``[2000, 10000]``; null for one softmax over all.
        dropout: Part of the embeddings, of the attention and of what each layer adds that is zeroed in training.
        word_dropout: Part of the tokens that are read as one learned vector in training; all are scored all the same.
        bfloat16: Whether training multiplies by the output table in bfloat16; sums are in float32 all the same.

    Raises:
        ValueError: If ``shape`` is no text, a dropout is not in [0, 1), ``cutoffs`` do not cut the vocabulary,
            ``latent`` is none of the three, or ``heads`` do not divide ``hidden``.

    Source:
        The latent as memory and as embedding: Li et al., 2020, Optimus, https://arxiv.org/abs/2004.04092; there the
        memory stands among the keys of the tokens, here it has an attention of its own.
    """

    data = "tokens"
    numbers = "V"
    when = "longer texts, or a GPU: each token given those before it"

    def __init__(
        self,
        width: int,
        num_values: int,
        shape: Sequence[int | None],
        embed_width: int = 256,
        hidden: int = 256,
        depth: int = 4,
        heads: int = 4,
        latent: Latent = "both",
        slots: int = 4,
        tied: bool = True,
        own_table: bool = False,
        cutoffs: list[int] | None = None,
        dropout: float = 0.1,
        word_dropout: float = 0.0,
        bfloat16: bool = False,
    ) -> None:
        super().__init__(width, num_values, shape, embed_width)
        check_parts(dropout=dropout, word_dropout=word_dropout)
        if latent not in ("both", "memory", "embedding"):
            raise ValueError(f"model.head.init_args.latent is 'both', 'memory' or 'embedding', got {latent!r}")
        for name, number in (("depth", depth), ("heads", heads), ("slots", slots)):
            if number < 1:
                raise ValueError(f"model.head.init_args.{name} counts up from 1, got {number}")
        if hidden % (2 * heads) != 0:
            raise ValueError(
                f"model.head.init_args.hidden, {hidden}, does not divide into heads of an even number of channels: "
                f"change it or model.head.init_args.heads, {heads}"
            )
        self.dropout = dropout
        self.reader = TokenReader(self.new_table() if own_table else self.table, word_dropout)
        self.widen = nn.Identity() if embed_width == hidden else nn.Linear(embed_width, hidden, bias=False)
        self.added = None if latent == "memory" else nn.Linear(width, hidden)
        memory_width = None if latent == "embedding" else width
        shrink = (2 * depth) ** -0.5
        self.blocks = nn.ModuleList(
            CausalBlock(hidden, heads, memory_width, slots, dropout, shrink) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(hidden)
        table = self.reader.table.weight if tied else None
        self.projection = VocabularyProjection(hidden, num_values, table, cutoffs, bfloat16)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> AutoregressiveTokens:
        batch, length, _ = features.shape
        network = TransformerOverFeatures(self, features.to(self.table.weight.dtype), mask)
        return AutoregressiveTokens(network, self.projection, batch, length, mask)

    def layers(self) -> Iterator[CausalBlock]:
        """The blocks in turn."""
        return cast(Iterator[CausalBlock], iter(self.blocks))

    def enter(self, read: Tensor, features: Tensor) -> Tensor:
        """What the first layer reads, [B, L, hidden].

        Args:
            read: What comes before each position, [B, L, embed_width].
            features: [B, L, width].
        """
        x = self.widen(read)
        return dropout(x if self.added is None else x + self.added(features), self.dropout, self.training)


class TransformerState(NamedTuple):
    """All that the rest of some texts depends on.

    Args:
        features: [N, L, width].
        mask: Observed tokens, [N, L], bool; None for all.
        caches: Of each layer.
    """

    features: Tensor
    mask: Tensor | None
    caches: list[Cache]


class TransformerOverFeatures:
    """The causal network of one batch.

    Args:
        head: Whose Transformer it is.
        features: [B, L, width].
        mask: Observed tokens, [B, L], bool; None for all.
    """

    def __init__(self, head: TransformerTokenHead, features: Tensor, mask: Tensor | None) -> None:
        self._head = head
        self._features = features
        self._mask = mask

    @property
    def device(self) -> torch.device:
        return self._features.device

    def forced(self, ids: Tensor) -> Tensor:
        x = self._head.enter(self._head.reader.before(ids, self._mask), self._features)
        for block in self._head.layers():
            x = block(x, self._features)
        return self._head.norm(x)

    def start(self) -> TransformerState:
        caches = [block.start(self._features) for block in self._head.layers()]
        return TransformerState(self._features, self._mask, caches)

    def advance(
        self, state: TransformerState, position: int, previous: Tensor | None
    ) -> tuple[Tensor, TransformerState]:
        features, mask, caches = state
        read = self._head.reader.one(previous, mask, position, len(features))
        x = self._head.enter(read, features[:, position : position + 1])
        for block, cache in zip(self._head.layers(), caches, strict=True):
            x = block.advance(x, position, cache)
        return self._head.norm(x).squeeze(1), state

    def select(self, state: TransformerState, rows: Tensor) -> TransformerState:
        mask = None if state.mask is None else state.mask[rows]
        return TransformerState(state.features[rows], mask, [cache.select(rows) for cache in state.caches])
