"""What a text is measured in: bytes of its UTF-8 form, characters, words between white space."""

import numpy as np

from lit_vae.tokenizers.places import WORD, character_edges


def begun(text: str, ends: np.ndarray) -> dict[str, np.ndarray]:
    """How many ``bytes``, ``characters`` and ``words`` of a text begin before each of some places, [N] each, int64.

    Args:
        text: The text.
        ends: Bytes of its UTF-8 form, [N], int64.
    """
    edges = character_edges(text)
    words = edges[np.fromiter((word.start() for word in WORD.finditer(text)), np.int64)]
    return {"bytes": ends, "characters": np.searchsorted(edges[:-1], ends), "words": np.searchsorted(words, ends)}
