"""Text files: one text a line, or one long text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lit_vae.corpora.formats import other_format
from lit_vae.corpora.sources import PART_BYTES, Part, TextSource, file_key, starts

CHANGE = "change data.init_args.root (--data.root)"
LINE_END = re.compile(rb"\n")
WORD_END = re.compile(rb"[ \n]")


@dataclass(frozen=True)
class Lines(TextSource):
    """The lines of a file that are not empty, white space around each taken off.

    Only a line feed, or a carriage return and a line feed, ends a line. A byte-order mark is no part of the text.

    Args:
        path: A file in UTF-8.
        part_bytes: How much of it makes a part.

    Raises:
        ValueError: If the file is empty, has only empty lines, or holds something other than text; when it is read, if
            that is not UTF-8 or has a zero byte.
    """

    path: Path
    part_bytes: int = PART_BYTES

    def __post_init__(self) -> None:
        refuse_other(self.path)
        if next(iter(self), None) is None:
            raise ValueError(f"{self.path} has only empty lines, one text a line was expected: {CHANGE}")

    @property
    def key(self) -> Any:
        return file_key(self.path)

    def parts(self) -> Sequence[Part]:
        spans = starts(self.path.stat().st_size, self.part_bytes)
        return [Span(self.path, start, stop, LINE_END, lines) for start, stop in spans]


@dataclass(frozen=True)
class Stretch(TextSource):
    """A stretch of a file as one long text, given in pieces that end after a space or a line.

    A byte-order mark is no part of the text; line ends are, as they are.

    Args:
        path: A file in UTF-8.
        start: Where to begin, in bytes: at the first word that begins there or later.
        stop: Where to end: after the word that byte ``stop`` - 1 is in.
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
        return [Span(self.path, self.start + start, self.start + stop, WORD_END, whole) for start, stop in spans]


@dataclass(frozen=True)
class Span:
    """The texts of the lines, or words, that begin in a span of a file.

    Args:
        path: The file.
        start: First byte.
        stop: Byte after the last.
        end: The byte that ends each.
        texts: The texts of whole ones.
    """

    path: Path
    start: int
    stop: int
    end: re.Pattern[bytes]
    texts: Callable[[str], Iterator[str]]

    @property
    def size(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[str]:
        return self.texts(read_whole(self.path, self.start, self.stop, self.end))


def lines(content: str) -> Iterator[str]:
    """The lines that are not empty, white space around each taken off."""
    return (line for raw in content.split("\n") if (line := raw.strip()))


def whole(content: str) -> Iterator[str]:
    """One text, unless there is none."""
    return iter([content] if content else [])


def read_whole(path: Path, start: int, stop: int, end: re.Pattern[bytes]) -> str:
    """The whole lines, or words, that begin in a span of a file, bytes ``start`` to ``stop`` - 1.

    Raises:
        ValueError: If they are not UTF-8.
    """
    with path.open("rb") as file:
        if start:
            file.seek(start - 1)
            rest(file, end)  # of the one before
        first = file.tell()
        content = file.read(max(0, stop - first))
        if content and not end.fullmatch(content[-1:]):
            content += rest(file, end)
    return decoded(path, content, first)


def rest(file: BinaryIO, end: re.Pattern[bytes]) -> bytes:
    """What comes up to and with the next end, or to the end of the file."""
    content = b""
    while chunk := file.read(4096):
        if found := end.search(chunk):
            file.seek(found.end() - len(chunk), 1)
            return content + chunk[: found.end()]
        content += chunk
    return content


def decoded(path: Path, content: bytes, offset: int) -> str:
    """The text of some bytes of a file.

    Args:
        path: The file, for the message.
        content: The bytes.
        offset: Where in the file they begin.

    Raises:
        ValueError: If they are not UTF-8, or one is zero.
    """
    zero = content.find(b"\0")
    try:
        text = content.decode("utf-8" if offset else "utf-8-sig")
    except UnicodeDecodeError as error:
        cure = "it is binary data" if zero >= 0 else "convert it (if it is Latin-1: iconv -f latin1 -t utf-8)"
        raise ValueError(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} at {place(path, content, error.start, offset)}; "
            f"{cure}, or {CHANGE}"
        ) from None
    if zero >= 0:
        order = "utf-16be" if (offset + zero) % 2 == 0 else "utf-16le"
        raise ValueError(
            f"{path} has a zero byte at {place(path, content, zero, offset)}, which no text has: remove it "
            f"(tr -d '\\000') or, if every second byte is zero, convert it (iconv -f {order} -t utf-8), or {CHANGE}"
        )
    return text


def place(path: Path, content: bytes, at: int, offset: int) -> str:
    """Where in a file a byte is, a phrase.

    Args:
        path: The file.
        content: Some bytes of it.
        at: Which of them.
        offset: Where in the file they begin.
    """
    number = content.count(b"\n", 0, at) + 1
    with path.open("rb") as file:
        number += sum(file.read(stop - start).count(b"\n") for start, stop in starts(offset, PART_BYTES))
    return f"offset {offset + at}, line {number}"


def refuse_other(path: Path) -> None:
    """Refuse a file that is empty, or holds something other than plain text.

    Raises:
        ValueError: If it is one.
    """
    refuse_empty(path)
    if found := other_format(path):
        raise ValueError(found)


def refuse_empty(path: Path) -> None:
    """Refuse a file of no bytes.

    Raises:
        ValueError: If it is one.
    """
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty, text was expected: {CHANGE}")
