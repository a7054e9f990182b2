"""A list of entries, looked up by id or by name, with a stated answer to what is not in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

Unknown = Literal["symbol", "error"]
"""What stands for an entry outside the vocabulary: a symbol of its own, or nothing, so that it is refused."""


def most_frequent(entries: Iterable[str], min_count: int, most: int | None) -> list[str]:
    """Different entries, the most frequent first; among equals the one that occurs first.

    Args:
        entries: All occurrences.
        min_count: Fewest occurrences of an entry that is kept.
        most: Most entries kept; None for all.
    """
    return [entry for entry, count in Counter(entries).most_common(most) if count >= min_count]


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
