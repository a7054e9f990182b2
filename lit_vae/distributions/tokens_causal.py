"""Networks that write a text from left to right."""

from typing import Any, Protocol

import torch
from torch import Tensor


class CausalNetwork(Protocol):
    """A network whose hidden state at t sees the tokens before t alone; the features are in it."""

    @property
    def device(self) -> torch.device:
        """Where its tensors lie."""

    def forced(self, ids: Tensor) -> Tensor:
        """Hidden states of a whole text in one pass, [B, L, hidden], from [B, L]."""

    def start(self) -> Any:
        """The state of each text before its first token."""

    def advance(self, state: Any, position: int, previous: Tensor | None) -> tuple[Tensor, Any]:
        """The hidden state of each text at a position, [N, hidden], and the state after it.

        Args:
            state: The state before it, which is spent: it may be changed in place.
            position: From 0.
            previous: The token before it, [N]; None at position 0.
        """

    def select(self, state: Any, rows: Tensor) -> Any:
        """The state of some texts, in a given order, and more than once where one is named so.

        Args:
            state: The state of N texts.
            rows: Numbers of texts in [0, N), int64.
        """


class IndependentPositions:
    """The network of tokens that do not see one another: the features are the hidden states.

    Args:
        features: [B, L, width].
    """

    def __init__(self, features: Tensor) -> None:
        self._features = features

    @property
    def device(self) -> torch.device:
        return self._features.device

    def forced(self, ids: Tensor) -> Tensor:
        return self._features

    def start(self) -> Tensor:
        return self._features

    def advance(self, state: Tensor, position: int, previous: Tensor | None) -> tuple[Tensor, Tensor]:
        return state[:, position], state

    def select(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]
