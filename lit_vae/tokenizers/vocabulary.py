"""A list of entries, looked up by id or by name, with a stated answer to what is not in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

Unknown = Literal["symbol", "error"]
"""What stands for an entry outside the vocabulary: a symbol of its own, or nothing, so that it is refused."""


Order = Literal["frequency", "occurrence"]
"""How a vocabulary numbers its entries: the most frequent first, or in the order in which they first occur."""


def kept(counts: Counter[str], min_count: int, most: int | None, order: Order) -> list[str]:
    """The entries of a vocabulary, in the order of their ids; among equally frequent ones the first to occur is first.

    Args:
        counts: How often each occurs, in the order in which they first do.
        min_count: Fewest occurrences of an entry that is kept.
        most: Most entries kept, the most frequent first; None for all.
        order: What orders them.
    """
    frequent = [entry for entry, count in counts.most_common(most) if count >= min_count]
    if order == "frequency":
        return frequent
    chosen = set(frequent)
    return [entry for entry in counts if entry in chosen]


class Vocabulary:
    """Entries numbered from 0.

    Args:
        entries: Different entries in the order of their ids.
        unknown: The entry that stands for all that are not listed; None refuses them.
        what: What an entry is called in an error: character, word.
    """

    def __init__(self, entries: Sequence[str], unknown: str | None, what: str) -> None:
        self.entries = list(entries)
        if unknown is not None and unknown not in self.entries:
            self.entries.insert(0, unknown)
        self.unknown = unknown
        self._what = what
        self._ids = {entry: number for number, entry in enumerate(self.entries)}

    def __len__(self) -> int:
        """Number of entries."""
        return len(self.entries)

    def missing(self, entries: Iterable[str]) -> list[str]:
        """Those that are not listed, each once, in their order."""
        return [entry for entry in dict.fromkeys(entries) if entry not in self._ids]

    def ids(self, entries: Iterable[str]) -> list[int]:
        """Their ids.

        Raises:
            ValueError: If one is not listed and nothing stands for it.
        """
        look_up = self._ids
        if self.unknown is not None:
            unknown = look_up[self.unknown]
            return [look_up.get(entry, unknown) for entry in entries]
        try:
            return [look_up[entry] for entry in entries]
        except KeyError as error:
            raise ValueError(
                f"the {self._what} {error.args[0]!r} is not among the {len(self)} of the vocabulary: "
                f"set data.init_args.tokenizer.init_args.unknown to 'symbol' to let one symbol stand for all such, "
                f"or choose a tokenizer without unknowns, lit_vae.tokenizers.BPE or lit_vae.tokenizers.Bytes"
            ) from None


def unknown_entry(unknown: Unknown, symbol: str) -> str | None:
    """The entry that stands for what is not listed, None for refusal.

    Args:
        unknown: The user's choice.
        symbol: How that entry is written.

    Raises:
        ValueError: If ``unknown`` is neither of the two.
    """
    if unknown not in ("symbol", "error"):
        raise ValueError(f"data.init_args.tokenizer.init_args.unknown is 'symbol' or 'error', got {unknown!r}")
    return symbol if unknown == "symbol" else None
