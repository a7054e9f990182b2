"""Dividing texts into three splits, equal texts into one, without holding them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from lit_vae.corpora.sources import Part, TextSource
from lit_vae.corpora.workers import Workers

TRAIN, VAL, TEST = range(3)


def divided(
    source: TextSource, seed: int, val_fraction: float, test_fraction: float, workers: Workers
) -> tuple[TextSource, TextSource, TextSource]:
    """The texts that train, validate and test, each in the order given. Equal texts fall into one split.

    Where a text falls depends on the text, the seed, and its rank among the others by a hash of both: neither on the
    order of the texts nor on a library's random numbers. Costs 8 bytes of memory a text while the ranks are found.

    Args:
        source: At least three different texts.
        seed: Another seed, another division.
        val_fraction: Part of the different texts that validates.
        test_fraction: Part of the different texts that tests.
        workers: Share the first reading.

    Raises:
        ValueError: If a fraction is not between 0 and 1; when the texts are read, if nothing is left to train on.
    """
    if not (val_fraction > 0 and test_fraction > 0 and val_fraction + test_fraction < 1):
        raise ValueError(
            f"val_fraction and test_fraction of data.init_args are above 0 and their sum below 1, "
            f"got {val_fraction} and {test_fraction}"
        )
    division = Division(source, seed, val_fraction, test_fraction, workers)
    return Share(division, TRAIN), Share(division, VAL), Share(division, TEST)


@dataclass(frozen=True)
class Division:
    """Which hashes belong to which split; found when it is first asked for.

    Args:
        source: All texts.
        seed: Another seed, another division.
        val_fraction: Part of the different texts that validates.
        test_fraction: Part of the different texts that tests.
        workers: Share the reading.
    """

    source: TextSource
    seed: int
    val_fraction: float
    test_fraction: float
    workers: Workers

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """The greatest hash that tests, and the greatest that validates.

        Raises:
            ValueError: If nothing is left to train on.
        """
        hashes = self.workers.map(Hashes(self.seed), self.source.parts(), "dividing")
        different = np.unique(np.concatenate(list(hashes)))
        tests = max(1, round(self.test_fraction * len(different)))
        vals = max(1, round(self.val_fraction * len(different)))
        if len(different) <= tests + vals:
            raise ValueError(
                f"{len(different)} different texts cannot be divided into {vals} to validate, {tests} to test and some "
                f"to train: give data.init_args.root more, or change data.init_args.val_fraction and test_fraction"
            )
        return int(different[tests - 1]), int(different[tests + vals - 1])


@dataclass(frozen=True)
class Share(TextSource):
    """The texts of one split.

    Args:
        division: Of the whole.
        split: TRAIN, VAL or TEST.
    """

    division: Division
    split: int

    @property
    def key(self) -> Any:
        whole = self.division
        if whole.source.key is None:
            return None
        return [whole.source.key, whole.seed, whole.val_fraction, whole.test_fraction, self.split]

    def parts(self) -> Sequence[Part]:
        last_test, last_val = self.division.bounds
        low, high = {TEST: (0, last_test), VAL: (last_test + 1, last_val), TRAIN: (last_val + 1, 2**64)}[self.split]
        return [SharePart(part, self.division.seed, low, high) for part in self.division.source.parts()]


@dataclass(frozen=True)
class SharePart:
    """The texts of a part whose hash is in a range.

    Args:
        part: The part.
        seed: Of the hash.
        low: First hash of the range.
        high: Last.
    """

    part: Part
    seed: int
    low: int
    high: int

    @property
    def size(self) -> int:
        return self.part.size

    def __iter__(self) -> Iterator[str]:
        salt = str(self.seed).encode()
        return (text for text in self.part if self.low <= hash_of(text, salt) <= self.high)


@dataclass(frozen=True)
class Hashes:
    """The hashes of the texts of a part, [N], uint64.

    Args:
        seed: Another seed, other hashes.
    """

    seed: int

    def __call__(self, part: Part) -> np.ndarray:
        salt = str(self.seed).encode()
        return np.unique(np.fromiter((hash_of(text, salt) for text in part), np.uint64))


def hash_of(text: str, salt: bytes) -> int:
    """A number below 2 ** 64 that only the text and the salt decide."""
    return int.from_bytes(blake2b(text.encode(), key=salt).digest()[:8])
