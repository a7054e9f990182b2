"""Tokens that depend on those before them through a Transformer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, cast

from torch import Tensor, nn
from torch.nn.functional import dropout

from lit_vae.distributions import AutoregressiveTokens
from lit_vae.heads.over_features import OverFeatures
from lit_vae.heads.token import TokenHead, check_parts
from lit_vae.heads.token_reader import TokenReader
from lit_vae.heads.transformer_block import CausalBlock
from lit_vae.heads.vocabulary import VocabularyProjection

Latent = Literal["both", "memory", "embedding"]


class TransformerTokenHead(TokenHead):
    """A softmax over the vocabulary whose hidden state is a causal Transformer's, for texts of any length.

    At each position it reads the embedding of the token before. The features at the position are added to that, fill a
    memory of a few slots that every layer attends to, or both. A token that the mask hides is read as zeros. Positions
    are rotary, so that none is beyond the last.

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
        slots: Of the memory, among which a token chooses; at least 2.
        tied: Whether the output table is the embedding table that the Transformer reads.
        own_table: Whether the Transformer reads an embedding table of its own rather than the encoder's.
        cutoffs: Of an adaptive softmax: ids at which the vocabulary is cut, rarer tokens above, such as
            ``[2000, 10000]``; null for one softmax over all.
        dropout: Part of the embeddings, of the attention and of what each layer adds that is zeroed in training.
        word_dropout: Part of the tokens that are read as one learned vector in training; all are scored all the same.

    Raises:
        ValueError: If ``shape`` is no text, a dropout is not in [0, 1), ``cutoffs`` do not cut the vocabulary,
            ``latent`` is none of the three, or ``heads`` do not divide ``hidden``.

    Source:
        The latent as memory and as embedding: Li et al., 2020, Optimus, https://arxiv.org/abs/2004.04092; there the
        memory is one slot among those of the tokens, here it has an attention of its own.
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
    ) -> None:
        super().__init__(width, num_values, shape, embed_width)
        check_parts(dropout=dropout, word_dropout=word_dropout)
        if latent not in ("both", "memory", "embedding"):
            raise ValueError(f"model.head.init_args.latent is 'both', 'memory' or 'embedding', got {latent!r}")
        for name, number, least in (("depth", depth, 1), ("heads", heads, 1), ("slots", slots, 2)):
            if number < least:
                raise ValueError(f"model.head.init_args.{name} counts up from {least}, got {number}")
        if hidden % (2 * heads) != 0:
            raise ValueError(
                f"model.head.init_args.hidden, {hidden}, does not divide into heads of an even number of channels: "
                f"change it or model.head.init_args.heads, {heads}"
            )
        self.dropout = dropout
        self.reader = TokenReader(self.new_table() if own_table else self.table, word_dropout)
        self.widen = nn.Identity() if embed_width == hidden else nn.Linear(embed_width, hidden, bias=False)
        self.added = None if latent == "memory" else nn.Linear(width, hidden)
        feature_width = None if latent == "embedding" else width
        shrink = (2 * depth) ** -0.5
        self.blocks = nn.ModuleList(
            CausalBlock(hidden, heads, feature_width, slots, dropout, shrink) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(hidden)
        table = self.reader.table.weight if tied else None
        self.projection = VocabularyProjection(hidden, num_values, table, cutoffs)

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
        kept: Keys and values of each layer, [2, N, heads, L, channels] each, so that a token is read once.
    """

    features: Tensor
    mask: Tensor | None
    kept: list[Tensor]


class TransformerOverFeatures(OverFeatures[TransformerTokenHead]):
    """The causal network of one batch."""

    def forced(self, ids: Tensor) -> Tensor:
        x = self._head.enter(self._head.reader.before(ids, self._mask), self._features)
        for block in self._head.layers():
            x = block(x, self._features)
        return self._head.norm(x)

    def start(self) -> TransformerState:
        texts, length, _ = self._features.shape
        kept = [block.room(texts, length, self._features) for block in self._head.layers()]
        return TransformerState(self._features, self._mask, kept)

    def advance(
        self, state: TransformerState, position: int, previous: Tensor | None
    ) -> tuple[Tensor, TransformerState]:
        read = self._head.reader.one(previous, state.mask, position, len(state.features))
        features = state.features[:, position : position + 1]
        x = self._head.enter(read, features)
        for block, kept in zip(self._head.layers(), state.kept, strict=True):
            x = block.advance(x, features, position, kept)
        return self._head.norm(x).squeeze(1), state

    def select(self, state: TransformerState, rows: Tensor) -> TransformerState:
        mask = None if state.mask is None else state.mask[rows]
        return TransformerState(state.features[rows], mask, [kept[:, rows] for kept in state.kept])
