"""The tokenizer of a pretrained language model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from lit_vae.tokenizers.base import TokenizerTrainer
from lit_vae.tokenizers.bpe import BPETokenizer

KEY = "data.init_args.tokenizer.init_args.folder"


class Pretrained(TokenizerTrainer):
    """The pieces of a pretrained language model, as its ``tokenizer.json`` cuts them; nothing is learned.

    Ids are those of the model, which is read without symbols around a text; the end symbol is one of our own, after its
    last. A run keeps the tokenizer, and needs the folder no more.

    Args:
        folder: Has a ``tokenizer.json``, which ``save_pretrained`` of a fast tokenizer writes.

    Raises:
        ValueError: If there is none, or its ids have gaps.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._json = read_tokenizer(folder, KEY)

    def train(self, texts: Iterable[str]) -> BPETokenizer:
        tokenizer = BPETokenizer(self._json)
        ids = tokenizer.pieces().values()
        if len(ids) != max(ids) + 1:
            raise ValueError(f"the tokenizer of {KEY}, {self.folder!r}, has {len(ids)} ids that go to {max(ids)}")
        return tokenizer

    @property
    def key(self) -> Any:
        return ["Pretrained", sha256(self._json.encode()).hexdigest()]


def read_tokenizer(folder: str, key: str) -> str:
    """The tokenizer of a model, as the ``tokenizers`` library writes it, for a text without symbols around it.

    Args:
        folder: Has a ``tokenizer.json``.
        key: The argument that names the folder, for messages.

    Raises:
        ValueError: If it has none.
    """
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise ValueError(
            f"{key} has no tokenizer.json: {path}; save a fast tokenizer there, "
            f"AutoTokenizer.from_pretrained(...).save_pretrained({folder!r})"
        )
    # A length to cut or fill up to, and symbols around a text, are the data module's.
    settings = json.loads(path.read_text(encoding="utf-8")) | dict.fromkeys(("truncation", "padding", "post_processor"))
    return json.dumps(settings, ensure_ascii=False)
