"""What every tokenizer is: text to ids and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Tokenizer(ABC):
    """A finite vocabulary with an end symbol. It has neither a padding nor a start symbol: nothing unscored is in it.

    Attributes:
        num_values: Size of the vocabulary, the end symbol included.
        end: Id of the end symbol.
        kind: The name under which :func:`~lit_vae.tokenizers.restore_tokenizer` finds the class.
    """

    num_values: int
    end: int
    kind: str

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Ids of a text, without the end symbol."""

    @abstractmethod
    def decode(self, ids: list[int]) -> str:
        """The text of ids, none of them the end symbol."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Plain values, ``kind`` among them, from which the tokenizer is made again."""
