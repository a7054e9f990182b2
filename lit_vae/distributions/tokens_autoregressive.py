"""Tokens that depend on those before them."""

from typing import Any, Protocol

import torch
from torch import Tensor

from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.token_scores import TokenScores, choose_token, total_log_prob
from lit_vae.noise import Noise


class CausalNetwork(Protocol):
    """A network whose hidden state at t sees the tokens before t alone; the features are in it."""

    def forced(self, ids: Tensor) -> Tensor:
        """Hidden states of a whole text in one pass, [B, L, hidden], from [B, L]."""

    def start(self) -> Any:
        """The state before the first token."""

    def advance(self, state: Any, position: int, previous: Tensor | None) -> tuple[Tensor, Any]:
        """The hidden state at a position, [B, hidden], and the state after it.

        Args:
            state: The state before it.
            position: From 0.
            previous: The token before it, [B]; None at position 0.
        """


class AutoregressiveTokens(SymbolDistribution):
    """A text scored in one teacher-forced pass and drawn token by token.

    A draw fills all positions, so that it follows the distribution exactly; what comes after the end symbol is the
    reader's to cut.

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
        return total_log_prob(self._scores, self._network.forced(value), value, self._mask)

    def logits(self, value: Tensor) -> Tensor:
        """Scores of each token given those before it, [B, L, num_values], float32 or better.

        Args:
            value: Tokens, [B, L], integer.
        """
        return self._scores.logits(self._network.forced(value))

    def draw(self, decoding: Decoding, noise: Noise) -> Tensor:
        return self._unroll(decoding, noise.uniform([*self.batch_shape, *self.event_shape]))

    @property
    def mode(self) -> Tensor:
        """The best token at each position given those chosen before it, [B, L], int64."""
        return self._unroll(GREEDY, torch.zeros(*self.batch_shape, *self.event_shape))

    def _unroll(self, decoding: Decoding, uniform: Tensor) -> Tensor:
        state, tokens = self._network.start(), list[Tensor]()
        for position, u in enumerate(uniform.unbind(1)):
            hidden, state = self._network.advance(state, position, tokens[-1] if tokens else None)
            tokens.append(choose_token(self._scores.logits(hidden), decoding, u))
        return torch.stack(tokens, 1)
