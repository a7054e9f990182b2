"""Text as characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from lit_vae.tokenizers.base import CountingTrainer, Tokenizer
from lit_vae.tokenizers.places import character_edges
from lit_vae.tokenizers.vocabulary import Unknown, Vocabulary, kept, unknown_entry

UNKNOWN_CHARACTER = "\ufffd"
"""U+FFFD, Unicode's own replacement character."""


class CharacterTokenizer(Tokenizer):
    """Characters of a list and the end symbol.

    Args:
        characters: Different characters in the order of their ids.
        unknown: The character that stands for all others; None refuses them.
    """

    kind = "characters"

    def __init__(self, characters: Sequence[str], unknown: str | None) -> None:
        self.vocabulary = Vocabulary(characters, unknown, "character")
        self.num_values = len(self.vocabulary) + 1

    def encode(self, text: str) -> list[int]:
        return self.vocabulary.ids(text)

    def unknown_in(self, text: str) -> list[str]:
        return self.vocabulary.missing(text)

    def decode(self, ids: list[int]) -> str:
        return "".join([self.vocabulary.entries[i] for i in ids])

    def byte_ends(self, text: str, ids: list[int]) -> np.ndarray:
        return character_edges(text)[1:]

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind, "characters": self.vocabulary.entries, "unknown": self.vocabulary.unknown}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CharacterTokenizer:
        return cls(state["characters"], state["unknown"])


class Characters(CountingTrainer):
    """Characters of the training split.

    Args:
        unknown: A character that the training split lacks becomes U+FFFD (``symbol``) or is refused (``error``).

    Raises:
        ValueError: If ``unknown`` is neither of the two.
    """

    def __init__(self, unknown: Unknown = "symbol") -> None:
        self.unknown = unknown_entry(unknown, UNKNOWN_CHARACTER)

    def count(self, texts: Iterable[str]) -> Counter[str]:
        return Counter(chain.from_iterable(texts))

    def made_from(self, counts: Counter[str]) -> CharacterTokenizer:
        return CharacterTokenizer(kept(counts, 1, None, "frequency"), self.unknown)
