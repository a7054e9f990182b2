"""Texts as arrays of token ids."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lit_vae.corpora.sources import Part, TextSource
from lit_vae.corpora.tables import Columns
from lit_vae.corpora.units import begun
from lit_vae.corpora.workers import Workers
from lit_vae.tokenizers import Tokenizer, TokenizerTrainer

TooLong = Literal["error", "drop", "truncate"]
"""What becomes of a text with more tokens than ``max_length``."""
MOST_A_SPACE = 20
"""Most characters for each space of a text whose words are told apart by spaces.

Chinese, Japanese, Thai and DNA have few spaces or none; in no language that writes them are words as long as that.
"""


@dataclass
class Tally:
    """What was read of a split.

    Attributes:
        texts: How many texts; of a running text, pieces.
        longer: How many of them had more than ``max_length`` tokens.
        longest: Tokens of the longest, its end symbol included.
        tokens: How many tokens were kept.
        characters: How many characters of the source they stand for.
        spaces: How many of those are spaces.
        lossy: How many texts are not told in full by their tokens, so that a likelihood of the tokens is not the
            text's.
        rest: What of a running text comes after the last token.
        rest_words: How many words begin there.
    """

    texts: int = 0
    longer: int = 0
    longest: int = 0
    tokens: int = 0
    characters: int = 0
    spaces: int = 0
    lossy: int = 0
    rest: str = ""
    rest_words: int = 0

    def add(self, other: Tally) -> None:
        """Count other texts in."""
        self.texts += other.texts
        self.longer += other.longer
        self.longest = max(self.longest, other.longest)
        self.tokens += other.tokens
        self.characters += other.characters
        self.spaces += other.spaces
        self.lossy += other.lossy
        if other.tokens:
            self.rest, self.rest_words = "", 0
        self.rest += other.rest
        self.rest_words += other.rest_words

    def units(self) -> dict[str, str]:
        """What a likelihood of the split can be divided by, and which column counts it.

        The names of characters and bytes end in ``_lossy`` where tokens do not tell all of the text. Words are left out
        where spaces are too rare to tell them apart.
        """
        told = "_lossy" if self.lossy else ""
        found = {f"character{told}": "characters", f"byte{told}": "bytes"}
        if self.spaces * MOST_A_SPACE >= self.characters:
            found["word"] = "words"
        return found


@dataclass(frozen=True)
class EncodeTexts:
    """Each text of a part as ids, followed by the end symbol.

    Columns: ``ids`` of all texts, end symbols included; of each text ``lengths``, and what its tokens stand for:
    ``characters``, ``bytes`` of UTF-8, and ``words`` between white space, the end symbol as one.

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
            size, character_count, word_count = len(text.encode()), len(text), len(text.split())
            if len(row) > most:
                tally.longer += 1
                if self.too_long != "truncate":
                    continue
                ends = self.tokenizer.byte_ends(text, row)[most - 1 : most]
                size, character_count, word_count = (int(count[0]) for count in begun(text, ends).values())
                row, text = row[:most], text.encode()[:size].decode(errors="replace")
            tally.characters += character_count
            tally.spaces += text.count(" ")
            tally.lossy += not self.tokenizer.lossless(text, row)
            ids.extend(row)
            ids.append(end)
            lengths.append(len(row) + 1)
            characters.append(character_count)
            sizes.append(size)
            words.append(word_count + 1)
        tally.texts, tally.tokens = len(texts), len(ids)
        counts = {"lengths": lengths, "characters": characters, "bytes": sizes, "words": words}
        columns = {name: np.frombuffer(count, "i") for name, count in counts.items()}
        return {"ids": narrow(np.frombuffer(ids, "i"), end), **columns}, tally

    def after(self, before: Tally, columns: Columns, _: Tally) -> Columns:
        """The columns of a part that follows others: ``ends``, where each text ends among all ids, for ``lengths``."""
        rest = {name: column for name, column in columns.items() if name != "lengths"}
        return rest | {"ends": before.tokens + columns["lengths"].cumsum(dtype=np.int64)}


@dataclass(frozen=True)
class EncodeStream:
    """A part of a running text as ids, without end symbols.

    Columns: ``ids``; of each token, how many ``characters`` and ``words`` of the text begin in what it stands for, and
    the ``bytes`` of UTF-8 of that.

    Args:
        tokenizer: Text to ids.
    """

    tokenizer: Tokenizer

    def __call__(self, part: Part) -> tuple[Columns, Tally]:
        text = "".join(part)
        (row,) = self.tokenizer.encode_all([text])
        ends = np.append(self.tokenizer.byte_ends(text, row), len(text.encode()))
        counts = {name: np.diff(count, prepend=0) for name, count in begun(text, ends).items()}
        of_rest = {name: int(count[-1]) for name, count in counts.items()}
        counts = {name: count[:-1] for name, count in counts.items()}
        covered = len(text) - of_rest["characters"]
        tally = Tally(
            texts=1,
            tokens=len(row),
            characters=covered,
            spaces=text.count(" ", 0, covered),
            lossy=int(not self.tokenizer.lossless(text[:covered], row)),
            rest=text[covered:],
            rest_words=of_rest["words"],
        )
        columns = {name: narrow(count, count.max(initial=0)) for name, count in counts.items()}
        return {"ids": narrow(row, self.tokenizer.end), **columns}, tally

    def after(self, before: Tally, columns: Columns, counted: Tally) -> Columns:
        """The columns of a part that follows others: what no token of those stands for belongs to its first token.

        Args:
            before: What came before it.
            columns: Of the part.
            counted: Of the part; told where that makes its tokens tell less than all.
        """
        rest = before.rest
        if not rest or not counted.tokens:
            return columns
        # Tokenizers that pass over white space write one space between tokens.
        counted.lossy += rest != " " or not before.tokens
        counted.characters += len(rest)
        counted.spaces += rest.count(" ")
        more = {"bytes": len(rest.encode()), "characters": len(rest), "words": before.rest_words}
        firsts = {name: int(columns[name][0]) + count for name, count in more.items()}
        wider = {name: np.append(narrow([first], first), columns[name][1:]) for name, first in firsts.items()}
        return {**columns, **wider}


def narrow(numbers: ArrayLike, largest: int) -> np.ndarray:
    """Numbers, none negative, in the smallest integers that hold the largest."""
    return np.asarray(numbers, np.min_scalar_type(largest))


def trained(trainer: TokenizerTrainer, source: TextSource, workers: Workers) -> Tokenizer:
    """The tokenizer of a training split."""

    def share(function, parts):  # type: ignore[no-untyped-def] # as tokenizers.base.Share
        return workers.map(function, parts, "training the tokenizer")

    return trainer.train_in_parts(source.parts(), share)


def encoded(
    encode: EncodeTexts | EncodeStream, source: TextSource, workers: Workers, doing: str, tally: Tally
) -> Iterator[Columns]:
    """A split, a part at a time.

    Args:
        encode: What is made of a part.
        source: The split.
        workers: Share its parts.
        doing: Said beside the bar.
        tally: Counts what was read.
    """
    for columns, counted in workers.map(encode, source.parts(), doing):
        following = encode.after(tally, columns, counted)
        tally.add(counted)
        yield following
