"""What turns a hidden state into scores of the vocabulary, and what is done with the scores."""

from typing import Protocol

import torch
from torch import Tensor

from lit_vae.decoding import Decoding
from lit_vae.distributions.choice import choose, temper


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


def choose_token(logits: Tensor, decoding: Decoding, uniform: Tensor) -> Tensor:
    """One token for each row, [N], int64; in float64, since a vocabulary is long.

    Args:
        logits: Scores of each token, [N, num_values].
        decoding: Temperature and the like.
        uniform: Strictly between 0 and 1, [N].
    """
    if decoding.temperature == 0:
        return logits.argmax(-1)
    return choose(temper(logits.double(), decoding.temperature), uniform.to(logits.device))
