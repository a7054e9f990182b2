"""What turns a hidden state into scores of the vocabulary, and what a text's likelihood makes of them."""

from typing import Protocol

import torch
from torch import Tensor


class TokenScores(Protocol):
    """A projection to the vocabulary."""

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of each token, [*, num_values], float32 or better, from [*, hidden]."""

    def nats(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """-log p of each id, [N], float32 or better, from [N, hidden] and [N]."""


def total_log_prob(scores: TokenScores, hidden: Tensor, ids: Tensor, mask: Tensor | None) -> Tensor:
    """Sum of log p over the observed tokens of each text, [B], nats. What the mask hides costs no time.

    Args:
        scores: The projection to the vocabulary.
        hidden: [B, L, hidden].
        ids: Tokens, [B, L], integer.
        mask: True where a token is observed, [B, L]; None for everywhere.
    """
    if mask is None:
        mask = torch.ones_like(ids, dtype=torch.bool)
    nats = scores.nats(hidden[mask], ids[mask].long())
    return -nats.new_zeros(ids.shape).masked_scatter(mask, nats).sum(1)
