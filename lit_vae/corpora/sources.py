"""Texts in a fixed order that can be read again and again, in parts that processes share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

PART_BYTES = 16 << 20
"""About how much text makes a part: what a process holds at a time."""


class Part(Protocol):
    """Some neighbouring texts, in order; can be pickled, and says how much there is to do.

    Attributes:
        size: About how many bytes of text.
    """

    @property
    def size(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...


class TextSource(ABC):
    """Texts in a fixed order that can be read again and again, in parts."""

    @property
    @abstractmethod
    def key(self) -> Any:
        """Plain values that are others when the texts are; None for texts in memory, of which nothing is kept."""

    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """All texts, in order."""

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.parts())


@dataclass(frozen=True)
class TextList(TextSource):
    """Texts in memory: a source of one part, and that part.

    Args:
        texts: The texts.
    """

    texts: Sequence[str]
    key = None

    @property
    def size(self) -> int:
        return sum(map(len, self.texts))

    def parts(self) -> Sequence[Part]:
        return [self]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)


@dataclass(frozen=True)
class Absent(TextSource):
    """Texts that are not there: whoever reads them is told what to do.

    Args:
        message: What is wrong, and what to change.
    """

    message: str
    key = None
    size = 0

    def parts(self) -> Sequence[Part]:
        return [self]

    def __iter__(self) -> Iterator[str]:
        raise ValueError(self.message)


@dataclass(frozen=True)
class Joined(TextSource):
    """Sources, one after the other; small ones make a part together.

    Args:
        sources: The sources.
        part_bytes: How much text makes a part.
    """

    sources: Sequence[TextSource]
    part_bytes: int = PART_BYTES

    @property
    def key(self) -> Any:
        keys = [source.key for source in self.sources]
        return None if None in keys else keys

    def parts(self) -> Sequence[Part]:
        groups: list[list[Part]] = []
        room = 0
        for part in chain.from_iterable(source.parts() for source in self.sources):
            room -= part.size
            if room < 0:
                groups.append([])
                room = self.part_bytes - part.size
            groups[-1].append(part)
        return [group[0] if len(group) == 1 else Together(group) for group in groups]


@dataclass(frozen=True)
class Together:
    """Neighbouring parts as one.

    Args:
        parts: The parts.
    """

    parts: Sequence[Part]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.parts)


def file_key(path: Path) -> list[Any]:
    """What tells that a file is still the same, without reading it.

    The time at which the file system last changed anything about the file is among it: unlike the time of writing, no
    copying or unpacking sets it back.
    """
    status = path.stat()
    return [str(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def starts(length: int, step: int) -> Iterable[tuple[int, int]]:
    """Neighbouring spans (start, stop) that cover ``length``."""
    return ((start, min(start + step, length)) for start in range(0, length, step))
