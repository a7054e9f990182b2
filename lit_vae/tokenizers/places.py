"""Places in the UTF-8 form of a text."""

import re

import numpy as np

WORD = re.compile(r"\S+")
"""What lies between white space: what ``str.split`` gives, and where."""
WIDER = (0x7F, 0x7FF, 0xFFFF)
"""The last characters that take one byte, two, and three."""


def character_edges(text: str) -> np.ndarray:
    """The byte at which each character of a text begins, and the end of the last, [characters + 1], int64.

    >>> character_edges("aé猫")
    array([0, 1, 3, 6])
    """
    points = np.frombuffer(text.encode("utf-32-le"), "<u4")
    widths = np.ones(len(points), np.uint8)
    for last in WIDER:
        widths += points > last
    edges = np.zeros(len(points) + 1, np.int64)
    np.cumsum(widths, out=edges[1:])
    return edges
