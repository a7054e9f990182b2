"""Tokens that are independent given the features."""

import torch
from torch import Tensor

from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.token_scores import TokenScores, total_log_prob
from lit_vae.distributions.tokens_causal import IndependentPositions
from lit_vae.distributions.tokens_writing import write
from lit_vae.integers import refuse_other_than_integers
from lit_vae.noise import Noise


class FactorizedTokens(SymbolDistribution):
    """A categorical distribution at each position.

    Args:
        features: [B, L, width].
        scores: The projection to the vocabulary.
        mask: Observed tokens, [B, L], bool; None for all.
    """

    def __init__(self, features: Tensor, scores: TokenScores, mask: Tensor | None) -> None:
        super().__init__(len(features), tuple(features.shape[1:2]))
        self._features = features
        self._scores = scores
        self._mask = mask

    def log_prob(self, value: Tensor) -> Tensor:
        refuse_other_than_integers(value, "a text")
        return total_log_prob(self._scores, self._features, value, self._mask)

    def draw(self, decoding: Decoding, noise: Noise) -> Tensor:
        return self._write(decoding, noise.uniform([*self.batch_shape, *self.event_shape]))

    @property
    def mode(self) -> Tensor:
        return self._write(GREEDY, torch.zeros(*self.batch_shape, *self.event_shape))

    def _write(self, decoding: Decoding, uniform: Tensor) -> Tensor:
        # One position at a time: all logits at once would be the largest tensor of the model.
        return write(IndependentPositions(self._features), self._scores, decoding, uniform)
