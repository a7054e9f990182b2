"""What every tokenizer is: text to ids and back; and what makes one from the training texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


class Tokenizer(ABC):
    """A finite vocabulary with an end symbol. It has neither a padding nor a start symbol: nothing unscored is in it.

    Attributes:
        num_values: Size of the vocabulary, the end symbol included.
        kind: The name under which :func:`~lit_vae.tokenizers.restore_tokenizer` finds the class.
    """

    num_values: int
    kind: str

    @property
    def end(self) -> int:
        """Id of the end symbol: the last."""
        return self.num_values - 1

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Ids of a text, without the end symbol.

        Raises:
            ValueError: If the text has a symbol outside the vocabulary, and the vocabulary has none that stands for it.
        """

    def encode_all(self, texts: Iterable[str]) -> Iterator[list[int]]:
        """Ids of each text in turn, without the end symbol."""
        return map(self.encode, texts)

    @abstractmethod
    def decode(self, ids: list[int]) -> str:
        """The text of ids, none of them the end symbol."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Plain values, ``kind`` among them, from which the tokenizer is made again."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Tokenizer:
        """The tokenizer that :meth:`state` described."""


class TokenizerTrainer(ABC):
    """Makes a tokenizer from the training split: what ``data.init_args.tokenizer`` names in a config."""

    @abstractmethod
    def train(self, texts: Sequence[str]) -> Tokenizer:
        """The tokenizer of these texts, the same one whenever they are the same.

        Args:
            texts: The training split, at least one text.
        """
