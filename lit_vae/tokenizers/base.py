"""What every tokenizer is: text to ids and back; and what makes one from the training texts."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

Share = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""What a function makes of each of some arguments, in their order: ``map``, or many processes that do the same."""


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

    def unknown_in(self, text: str) -> list[str]:
        """The symbols of a text that are outside the vocabulary and share one that stands for them; each once."""
        return []

    @abstractmethod
    def decode(self, ids: list[int]) -> str:
        """The text of ids, none of them the end symbol."""

    @abstractmethod
    def byte_ends(self, text: str, ids: list[int]) -> np.ndarray:
        """Where the part of a text that each token stands for ends, in bytes of its UTF-8 form, [tokens], int64.

        The part of a token begins where that of the token before ends, so that no byte belongs to two tokens; white
        space that is no token itself belongs to the token after it, and at the end of the text to none.

        Args:
            text: The text.
            ids: What :meth:`encode` makes of it.
        """

    def lossless(self, text: str, ids: list[int]) -> bool:
        """Whether the ids of a text tell all of it, so that their likelihood is the text's, too."""
        return self.decode(ids) == text

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
    def train(self, texts: Iterable[str]) -> Tokenizer:
        """The tokenizer of these texts, the same one whenever they are the same.

        Args:
            texts: The training split, at least one text, to be gone through once.
        """

    def train_in_parts(self, parts: Sequence[Iterable[str]], share: Share) -> Tokenizer:
        """As :meth:`train`, from texts in parts; where parts can be worked on each alone, ``share`` does it."""
        return self.train(chain.from_iterable(parts))

    @property
    def key(self) -> Any:
        """Plain values that are others when training would make another tokenizer: settings and code."""
        cls = type(self)
        try:
            code = sha256(Path(inspect.getfile(cls)).read_bytes()).hexdigest()
        except (OSError, TypeError):  # typed in at a prompt: what this process makes is used by it alone
            code = f"process {os.getpid()}"
        return [cls.__qualname__, code, sorted((name, repr(value)) for name, value in vars(self).items())]


class CountingTrainer(TokenizerTrainer):
    """A trainer that needs to know no more than how often each symbol occurs."""

    @abstractmethod
    def count(self, texts: Iterable[str]) -> Counter[str]:
        """How often each symbol occurs, in the order in which they first do."""

    @abstractmethod
    def made_from(self, counts: Counter[str]) -> Tokenizer:
        """The tokenizer of what was counted."""

    def train(self, texts: Iterable[str]) -> Tokenizer:
        return self.made_from(self.count(texts))

    def train_in_parts(self, parts: Sequence[Iterable[str]], share: Share) -> Tokenizer:
        counts: Counter[str] = Counter()
        for counted in share(self.count, parts):
            counts.update(counted)
        return self.made_from(counts)
