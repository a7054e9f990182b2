"""What an autoregressive head is told of the tokens before."""

import torch
from torch import Tensor, nn


class TokenReader(nn.Module):
    """The embedding of each token before; a learned vector stands before the first.

    A token that the mask hides is read as zeros. Start and dropped token are vectors beside the vocabulary: neither is
    ever scored or drawn.

    Args:
        table: The embedding table that is read.
        word_dropout: Part of the tokens that are read as one learned vector in training.

    Source:
        Word dropout: Bowman et al., 2016, https://arxiv.org/abs/1511.06349, who read ``<unk>`` instead.
    """

    def __init__(self, table: nn.Embedding, word_dropout: float) -> None:
        super().__init__()
        width = table.embedding_dim
        self.table = table
        self.word_dropout = word_dropout
        self.start = nn.Parameter(torch.randn(width) * width**-0.5)
        self.dropped = nn.Parameter(torch.randn(width) * width**-0.5) if word_dropout > 0 else None

    def forward(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """What is read of tokens, [B, L, embed_width].

        Args:
            ids: [B, L], integer.
            mask: Those that are observed, [B, L], bool; None for all.
        """
        embedded = self.table(ids)
        if self.dropped is not None and self.training:
            drop = torch.rand(ids.shape, device=ids.device) < self.word_dropout
            embedded = torch.where(drop.unsqueeze(-1), self.dropped, embedded)
        return embedded if mask is None else embedded.masked_fill(~mask.unsqueeze(-1), 0.0)

    def before(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """What is read before each token of a text, [B, L, embed_width]; the last token is not."""
        return torch.cat([self.first(len(ids)), self(ids[:, :-1], None if mask is None else mask[:, :-1])], 1)

    def one(self, previous: Tensor | None, mask: Tensor | None, position: int, texts: int) -> Tensor:
        """What is read at one position, [N, 1, embed_width].

        Args:
            previous: The token before it, [N]; None at position 0.
            mask: Observed tokens, [N, L], bool; None for all.
            position: From 0.
            texts: N.
        """
        if previous is None:
            return self.first(texts)
        return self(previous.unsqueeze(1), None if mask is None else mask[:, position - 1 : position])

    def first(self, texts: int) -> Tensor:
        """What is read before the first token, [texts, 1, embed_width]."""
        return self.start.expand(texts, 1, -1)
