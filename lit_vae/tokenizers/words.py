"""Text as words between white space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lit_vae.tokenizers.base import CountingTrainer, Tokenizer
from lit_vae.tokenizers.places import WORD, character_edges
from lit_vae.tokenizers.vocabulary import Order, Unknown, Vocabulary, kept, unknown_entry

UNKNOWN_WORD = "<unk>"
"""Also what prepared corpora, such as the Penn Treebank's, write themselves: it is the same symbol."""


class WordTokenizer(Tokenizer):
    """Words of a list and the end symbol. Decoding joins words by one space each.

    Args:
        words: Different words in the order of their ids.
        unknown: The word that stands for all others; None refuses them.
    """

    kind = "words"

    def __init__(self, words: Sequence[str], unknown: str | None) -> None:
        self.vocabulary = Vocabulary(words, unknown, "word")
        self.num_values = len(self.vocabulary) + 1

    def encode(self, text: str) -> list[int]:
        return self.vocabulary.ids(text.split())

    def unknown_in(self, text: str) -> list[str]:
        return self.vocabulary.missing(text.split())

    def decode(self, ids: list[int]) -> str:
        return " ".join([self.vocabulary.entries[i] for i in ids])

    def byte_ends(self, text: str, ids: list[int]) -> np.ndarray:
        ends = np.fromiter((word.end() for word in WORD.finditer(text)), np.int64, len(ids))
        return character_edges(text)[ends]

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind, "words": self.vocabulary.entries, "unknown": self.vocabulary.unknown}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> WordTokenizer:
        return cls(state["words"], state["unknown"])


class Words(CountingTrainer):
    """Words of the training split, cut at white space, the most frequent kept.

    Args:
        min_count: Fewest occurrences of a word that is kept.
        max_words: Most words kept, the most frequent first; null for all.
        unknown: Any other word becomes ``<unk>`` (``symbol``) or is refused (``error``).
        order: How words are numbered: by ``frequency``, or by their first ``occurrence``.
        reserved: Words that come first in the vocabulary whether a text has them or not; a protocol may count such.

    Raises:
        ValueError: If ``min_count`` or ``max_words`` is less than 1, or ``unknown`` or ``order`` none of its two.
    """

    def __init__(
        self,
        min_count: int = 1,
        max_words: int | None = None,
        unknown: Unknown = "symbol",
        order: Order = "frequency",
        reserved: Sequence[str] = (),
    ) -> None:
        if min_count < 1 or (max_words is not None and max_words < 1):
            raise ValueError(
                f"min_count and max_words of data.init_args.tokenizer.init_args count up from 1, "
                f"got {min_count} and {max_words}"
            )
        if order not in ("frequency", "occurrence"):
            raise ValueError(f"data.init_args.tokenizer.init_args.order is 'frequency' or 'occurrence', got {order!r}")
        self.min_count = min_count
        self.max_words = max_words
        self.unknown = unknown_entry(unknown, UNKNOWN_WORD)
        self.order = order
        self.reserved = list(reserved)

    def count(self, texts: Iterable[str]) -> Counter[str]:
        return Counter(word for text in texts for word in text.split())

    def made_from(self, counts: Counter[str]) -> WordTokenizer:
        words = kept(counts, self.min_count, self.max_words, self.order)
        return WordTokenizer(list(dict.fromkeys([*self.reserved, *words])), self.unknown)
