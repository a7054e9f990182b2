"""What a TIFF file says that it holds: Pillow reads a part of some without a word."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.TiffImagePlugin import ImageFileDirectory_v2

BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Of a TIFF file and of a BigTIFF file, in either byte order."""

BITS, INTERPRETATION, BANDS, PALETTE, EXTRA, FORMAT = 258, 262, 277, 320, 338, 339
"""Tags."""
COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
"""Bands of the colours of each interpretation: grey from white and from black, RGB, a palette, CMYK, YCbCr, Lab."""
UNSIGNED = (1, 4)
"""Formats of numbers that are integers from 0, or are not said to be anything else."""
WITH_ALPHA, ALPHA = (0, 1, 2, 3), ([1], [2])
"""Interpretations that may have an alpha channel beside them, and what marks one extra band as one."""


@dataclass(frozen=True)
class Tiff:
    """What a file holds.

    Args:
        pages: How many pictures.
        bands: Numbers of each pixel of the first picture.
        extra: How many of its bands are neither colour nor marked as an alpha channel.
        bits: Of each number, or of a colour of its palette; the most of any.
        unsigned: Whether its numbers are integers from 0.
    """

    pages: int
    bands: int
    extra: int
    bits: int
    unsigned: bool


def describe(path: Path) -> Tiff | None:
    """What a TIFF file holds; None for a file of another kind, or one that holds nothing.

    Raises:
        EOFError, OSError, struct.error, OverflowError: If the file cannot be read, ends too early, or points outside
            of itself.
    """
    with path.open("rb") as file:
        header = file.read(8)
        if header[:4] not in BEGINNINGS:
            return None
        header += file.read(8) if b"+" in header[:4] else b""
        found: dict[int, ImageFileDirectory_v2] = {}
        start = ImageFileDirectory_v2(header).next
        while start:
            if start in found:
                raise EOFError("its list of pages is cut off or runs in a circle")
            found[start] = page = ImageFileDirectory_v2(header)
            file.seek(start)
            page.load(file)  # leaves ``next`` at the first page where the file ends too early
            start = page.next
    if not found:
        return None
    first = next(iter(found.values()))
    interpretation = first.get(INTERPRETATION, -1)
    (bands,) = values(first, BANDS, 1)
    extra = bands - COLOURS.get(interpretation, 1)
    if extra == 1 and interpretation in WITH_ALPHA and values(first, EXTRA, 0) in ALPHA:
        extra = 0
    bits = max(values(first, BITS, 1))
    if any(level % 257 and level % 256 for level in values(first, PALETTE, 0)):
        bits = 16
    unsigned = all(form in UNSIGNED for form in values(first, FORMAT, 1))
    return Tiff(len(found), bands, extra, bits, unsigned)


def values(directory: ImageFileDirectory_v2, tag: int, default: int) -> list[Any]:
    """What a tag says."""
    found = directory.get(tag, default)
    return list(found) if isinstance(found, tuple) else [found]
