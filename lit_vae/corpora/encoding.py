"""Texts as arrays of token ids."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lit_vae.corpora.sources import Part, TextSource
from lit_vae.corpora.tables import Columns
from lit_vae.corpora.workers import Workers
from lit_vae.tokenizers import Tokenizer, TokenizerTrainer

TooLong = Literal["error", "drop", "truncate"]
"""What becomes of a text with more tokens than ``max_length``."""


@dataclass
class Tally:
    """What was read of a split.

    Attributes:
        texts: How many texts.
        longer: How many of them had more than ``max_length`` tokens.
        longest: Tokens of the longest, its end symbol included.
        tokens: How many tokens were kept.
    """

    texts: int = 0
    longer: int = 0
    longest: int = 0
    tokens: int = 0

    def add(self, other: Tally) -> None:
        """Count other texts in."""
        self.texts += other.texts
        self.longer += other.longer
        self.longest = max(self.longest, other.longest)
        self.tokens += other.tokens


@dataclass(frozen=True)
class EncodeTexts:
    """Each text of a part as ids, followed by the end symbol.

    Columns: ``ids`` of all texts, end symbols included; of each text ``lengths``, its ``characters``, its ``bytes`` in
    UTF-8, and its ``words`` between white space.

    Args:
        tokenizer: Text to ids.
        max_length: Most tokens of a text, its end symbol included.
        too_long: What becomes of a longer text; ``error`` leaves it out and counts it.
    """

    tokenizer: Tokenizer
    max_length: int
    too_long: TooLong

    def __call__(self, part: Part) -> tuple[Columns, Tally]:
        ids, lengths, characters, sizes, words = (array(code) for code in "iiiii")
        tally, end, most = Tally(), self.tokenizer.end, self.max_length - 1
        texts = list(part)
        for text, row in zip(texts, self.tokenizer.encode_all(texts), strict=True):
            tally.longest = max(tally.longest, len(row) + 1)
            if len(row) > most:
                tally.longer += 1
                if self.too_long != "truncate":
                    continue
                row = row[:most]
                text = self.tokenizer.decode(row)
            ids.extend(row)
            ids.append(end)
            lengths.append(len(row) + 1)
            characters.append(len(text))
            sizes.append(len(text.encode()))
            words.append(len(text.split()))
        tally.texts, tally.tokens = len(texts), len(ids)
        columns = {"lengths": lengths, "characters": characters, "bytes": sizes, "words": words}
        return {"ids": narrow(ids, end)} | {name: np.frombuffer(each, "i") for name, each in columns.items()}, tally


@dataclass(frozen=True)
class EncodeStream:
    """The ids of a part, without end symbols: one column, ``ids``.

    Args:
        tokenizer: Text to ids.
    """

    tokenizer: Tokenizer

    def __call__(self, part: Part) -> tuple[Columns, Tally]:
        ids = array("i")
        texts = list(part)
        for row in self.tokenizer.encode_all(texts):
            ids.extend(row)
        return {"ids": narrow(ids, self.tokenizer.end)}, Tally(len(texts), tokens=len(ids))


def narrow(ids: array[int], largest: int) -> np.ndarray:
    """Ids in the smallest integers that hold the largest."""
    return np.frombuffer(ids, "i").astype(np.min_scalar_type(largest))


def trained(trainer: TokenizerTrainer, source: TextSource, workers: Workers) -> Tokenizer:
    """The tokenizer of a training split."""

    def share(function, parts):  # type: ignore[no-untyped-def] # as tokenizers.base.Share
        return workers.map(function, parts, "training the tokenizer")

    return trainer.train_in_parts(source.parts(), share)


def encoded(
    encode: EncodeTexts | EncodeStream, source: TextSource, workers: Workers, doing: str, tally: Tally
) -> Iterator[Columns]:
    """A split, a part at a time; ``ends``, where each text ends among all ids, in the place of ``lengths``.

    Args:
        encode: What is made of a part.
        source: The split.
        workers: Share its parts.
        doing: Said beside the bar.
        tally: Counts what was read.
    """
    for columns, counted in workers.map(encode, source.parts(), doing):
        before = tally.tokens
        tally.add(counted)
        if "lengths" in columns:
            rest = {name: column for name, column in columns.items() if name != "lengths"}
            yield rest | {"ends": before + columns["lengths"].cumsum(dtype=np.int64)}
        else:
            yield columns
