"""Text as the bytes of its UTF-8 form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from lit_vae.tokenizers.base import Tokenizer, TokenizerTrainer


class ByteTokenizer(Tokenizer):
    """The 256 bytes and the end symbol: no text is outside the vocabulary."""

    kind = "bytes"
    num_values = 257

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: list[int]) -> str:
        """The text of ids; bytes that are no UTF-8 show as U+FFFD."""
        return bytes(ids).decode(errors="replace")

    def byte_ends(self, text: str, ids: list[int]) -> np.ndarray:
        return np.arange(1, len(ids) + 1)

    def lossless(self, text: str, ids: list[int]) -> bool:
        return True

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ByteTokenizer:  # noqa: ARG003
        return cls()


class Bytes(TokenizerTrainer):
    """Bytes of the UTF-8 form; there is nothing to train."""

    def train(self, texts: Iterable[str]) -> ByteTokenizer:
        return ByteTokenizer()
