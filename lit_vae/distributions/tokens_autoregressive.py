"""Tokens that depend on those before them."""

import torch
from torch import Tensor

from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.token_scores import TokenScores, total_log_prob
from lit_vae.distributions.tokens_causal import CausalNetwork
from lit_vae.distributions.tokens_writing import search, write
from lit_vae.integers import refuse_other_than_integers
from lit_vae.noise import Noise


class AutoregressiveTokens(SymbolDistribution):
    """A text scored in one teacher-forced pass and drawn token by token.

    A draw fills all positions, so that it follows the distribution exactly, unless its decoding names the token that
    ends a text: then all that follows is that token.

    Args:
        network: The causal network.
        scores: The projection to the vocabulary.
        batch: Number of texts, B.
        length: Tokens of a text, L.
        mask: Observed tokens, [B, L], bool; None for all.
    """

    def __init__(
        self, network: CausalNetwork, scores: TokenScores, batch: int, length: int, mask: Tensor | None
    ) -> None:
        super().__init__(batch, (length,))
        self._network = network
        self._scores = scores
        self._mask = mask

    def log_prob(self, value: Tensor) -> Tensor:
        refuse_other_than_integers(value, "a text")
        return total_log_prob(self._scores, self._network.forced(value), value, self._mask)

    def logits(self, value: Tensor) -> Tensor:
        """Scores of each token given those before it, [B, L, num_values], float32 or better.

        Args:
            value: Tokens, [B, L], integer.
        """
        return self._scores.logits(self._network.forced(value))

    def draw(self, decoding: Decoding, noise: Noise) -> Tensor:
        return write(self._network, self._scores, decoding, noise.uniform([*self.batch_shape, *self.event_shape]))

    def search(self, beams: int, end: int | None = None) -> tuple[Tensor, Tensor]:
        """The most probable texts that a beam search finds, [B, K, L], int64, and their log p, [B, K], nats, falling.

        Args:
            beams: Most texts kept at each length, K.
            end: The token after which a text is over; None for none.
        """
        (batch,), (length,) = self.batch_shape, self.event_shape
        return search(self._network, self._scores, batch, length, beams, end)

    @property
    def mode(self) -> Tensor:
        """The best token at each position given those chosen before it, [B, L], int64."""
        return write(self._network, self._scores, GREEDY, torch.zeros(*self.batch_shape, *self.event_shape))
