"""Text files: one text a line, or one long text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_vae.corpora.sources import PART_BYTES, Part, TextSource, file_key, starts

CHANGE = "change data.init_args.root (--data.root)"


@dataclass(frozen=True)
class Lines(TextSource):
    """The lines of a file that are not empty, white space around each taken off.

    Only a line feed, or a carriage return and a line feed, ends a line. A byte-order mark is no part of the text.

    Args:
        path: A file in UTF-8.
        part_bytes: How much of it makes a part.

    Raises:
        ValueError: If the file is empty, has empty lines alone, or, when read so far, is not UTF-8.
    """

    path: Path
    part_bytes: int = PART_BYTES

    def __post_init__(self) -> None:
        refuse_empty(self.path)
        if next(iter(self), None) is None:
            raise ValueError(f"{self.path} has only empty lines, one text a line was expected: {CHANGE}")

    @property
    def key(self) -> Any:
        return file_key(self.path)

    def parts(self) -> Sequence[Part]:
        spans = starts(self.path.stat().st_size, self.part_bytes)
        return [Span(self.path, start, stop, lines) for start, stop in spans]


@dataclass(frozen=True)
class Stretch(TextSource):
    """A stretch of a file as one long text, given in pieces that end where a line does.

    A byte-order mark is no part of the text; line ends are, as they are.

    Args:
        path: A file in UTF-8.
        start: Where to begin, in bytes: at the first line that begins there or later.
        stop: Where to end: after the line that byte ``stop`` - 1 is in.
        part_bytes: How much of it makes a part.
    """

    path: Path
    start: int
    stop: int
    part_bytes: int = PART_BYTES

    @property
    def key(self) -> Any:
        return [*file_key(self.path), self.start, self.stop]

    def parts(self) -> Sequence[Part]:
        spans = starts(self.stop - self.start, self.part_bytes)
        return [Span(self.path, self.start + start, self.start + stop, whole) for start, stop in spans]


@dataclass(frozen=True)
class Span:
    """The texts of the lines that begin in a span of a file.

    Args:
        path: The file.
        start: First byte.
        stop: Byte after the last.
        texts: The texts of whole lines.
    """

    path: Path
    start: int
    stop: int
    texts: Callable[[str], Iterator[str]]

    @property
    def size(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[str]:
        return self.texts(read_lines(self.path, self.start, self.stop))


def lines(content: str) -> Iterator[str]:
    """The lines that are not empty, white space around each taken off."""
    return (line for raw in content.split("\n") if (line := raw.strip()))


def whole(content: str) -> Iterator[str]:
    """One text, unless there is none."""
    return iter([content] if content else [])


def read_lines(path: Path, start: int, stop: int) -> str:
    """The whole lines that begin in a span of a file, bytes ``start`` to ``stop`` - 1.

    Raises:
        ValueError: If they are not UTF-8.
    """
    with path.open("rb") as file:
        if start:
            file.seek(start - 1)
            file.readline()  # the rest of the line before
        first = file.tell()
        content = file.read(max(0, stop - first))
        if content and not content.endswith(b"\n"):
            content += file.readline()
    return decoded(path, content, first)


def decoded(path: Path, content: bytes, offset: int) -> str:
    """The text of some bytes of a file.

    Args:
        path: The file, for the message.
        content: The bytes.
        offset: Where in the file they begin.

    Raises:
        ValueError: If they are not UTF-8.
    """
    try:
        return content.decode("utf-8" if offset else "utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        with path.open("rb") as file:
            number += sum(file.read(stop - start).count(b"\n") for start, stop in starts(offset, PART_BYTES))
        raise ValueError(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} at offset {offset + error.start}, line {number}; "
            f"convert it (if it is Latin-1: iconv -f latin1 -t utf-8), or {CHANGE}"
        ) from None


def refuse_empty(path: Path) -> None:
    """Refuse a file of no bytes.

    Raises:
        ValueError: If it is one.
    """
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty, text was expected: {CHANGE}")
