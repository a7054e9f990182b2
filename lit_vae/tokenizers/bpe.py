"""Text as pieces of words: byte-level byte-pair encoding."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from lit_vae.tokenizers.base import Tokenizer, TokenizerTrainer
from lit_vae.tokenizers.places import character_edges

TEXTS_AT_A_TIME = 4096


class BPETokenizer(Tokenizer):
    """Pieces as the ``tokenizers`` library cuts a text into, and the end symbol.

    Those that :class:`BPE` learns are over an alphabet of the 256 bytes: no text is outside the vocabulary, and
    decoding gives back exactly what was encoded. One of a pretrained model has its own unknown symbol, and spaces.

    Args:
        written: The tokenizer as the ``tokenizers`` library writes it.
    """

    kind = "bpe"

    def __init__(self, written: str) -> None:
        from tokenizers import Tokenizer as Library

        self._json = written
        self._library = Library.from_str(written)
        self.num_values = self._library.get_vocab_size() + 1

    def encode(self, text: str) -> list[int]:
        return self._library.encode(text).ids

    def encode_all(self, texts: Iterable[str]) -> Iterator[list[int]]:
        texts = iter(texts)
        while some := list(islice(texts, TEXTS_AT_A_TIME)):
            for encoding in self._library.encode_batch_fast(some):
                yield encoding.ids

    def unknown_in(self, text: str) -> list[str]:
        """What the tokenizer of a pretrained model has its unknown symbol for; each once."""
        model = json.loads(self._json)["model"]
        unknown = model.get("unk_token")
        if unknown is None and model.get("unk_id") is not None:
            unknown = model["vocab"][model["unk_id"]][0]
        number = None if unknown is None else self._library.token_to_id(unknown)
        encoding = self._library.encode(text)
        spans = [span for span, each in zip(encoding.offsets, encoding.ids, strict=True) if each == number]
        return list(dict.fromkeys(text[start:stop] for start, stop in spans))

    def decode(self, ids: list[int]) -> str:
        return self._library.decode(ids, skip_special_tokens=False)

    def byte_ends(self, text: str, ids: list[int]) -> np.ndarray:
        """Where the part of a text that each token stands for ends, in bytes of its UTF-8 form, [tokens], int64.

        Pieces that are not made of bytes end where a character does: of several that share one, the first has it.
        """
        edges = character_edges(text)
        if self._bytes is not None:
            ends = self._bytes[ids].cumsum()
            if len(ids) and ends[-1] == edges[-1]:
                return ends
        offsets = [stop for _, stop in self._library.encode(text).offsets]
        return edges[np.maximum.accumulate(np.array(offsets, np.int64))]

    @cached_property
    def _bytes(self) -> np.ndarray | None:
        """The bytes of each piece, [num_values - 1], int64; None where pieces are not made of bytes."""
        from tokenizers.pre_tokenizers import ByteLevel

        if (json.loads(self._json)["decoder"] or {}).get("type") != "ByteLevel":
            return None
        alphabet = set(ByteLevel.alphabet())
        sizes = np.empty(self.num_values - 1, np.int64)
        for piece, number in self._library.get_vocab().items():
            # A special piece is written as it stands, any other in one letter a byte.
            sizes[number] = len(piece) if alphabet.issuperset(piece) else len(piece.encode())
        return sizes

    def pieces(self) -> dict[str, int]:
        """The id of each piece; the end symbol is none."""
        return self._library.get_vocab()

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind, "json": self._json}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> BPETokenizer:
        return cls(state["json"])


class BPE(TokenizerTrainer):
    """Byte-level byte-pair encoding, its merges learned from the training split.

    Args:
        vocabulary: Most entries, end symbol included; at least the 256 bytes and the end symbol.
        min_count: Fewest occurrences of a pair that is merged.

    Raises:
        ValueError: If ``vocabulary`` is less than 257 or ``min_count`` less than 1.

    Source:
        Sennrich, Haddow & Birch, 2016, https://arxiv.org/abs/1508.07909; over bytes: Radford et al., 2019, Language
        models are unsupervised multitask learners.
    """

    def __init__(self, vocabulary: int = 4000, min_count: int = 2) -> None:
        if vocabulary < 257:
            raise ValueError(
                f"data.init_args.tokenizer.init_args.vocabulary is at least 257, the bytes and the end symbol, "
                f"got {vocabulary}"
            )
        if min_count < 1:
            raise ValueError(f"data.init_args.tokenizer.init_args.min_count counts up from 1, got {min_count}")
        self.vocabulary = vocabulary
        self.min_count = min_count

    def train(self, texts: Iterable[str]) -> BPETokenizer:
        from tokenizers import Tokenizer as Library
        from tokenizers import decoders, models, pre_tokenizers, trainers

        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary - 1,
            min_frequency=self.min_count,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        library.train_from_iterator(texts, trainer)
        return BPETokenizer(library.to_str())
