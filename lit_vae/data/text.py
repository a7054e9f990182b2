"""Text as integers: what every text data module shares."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_vae.batch import Batch
from lit_vae.data.base import Split, SymbolDataModule
from lit_vae.data.dataset import SymbolDataset
from lit_vae.symbols import Tokens
from lit_vae.tokenizers import TokenizerTrainer

TooLong = Literal["error", "drop", "truncate"]
"""What becomes of a text with more tokens than ``max_length``."""


class TextDataset(SymbolDataset):
    """Texts as one flat array of ids, each text followed by the end symbol.

    A batch is padded with the end symbol under a False mask. Its ``units`` count the characters and UTF-8 bytes of each
    text, the end symbol not among them, although the likelihood that they divide includes the end symbol's.

    Args:
        ids: Token ids of all texts, end symbols included, [tokens], int32.
        ends: Where each text ends in ``ids``, [N], int64.
        characters: Of each text, [N], int64.
        bytes: Of each text in UTF-8, [N], int64.
    """

    def __init__(self, ids: Tensor, ends: Tensor, characters: Tensor, bytes: Tensor) -> None:
        self.ids = ids
        self.ends = ends
        self.lengths = ends.diff(prepend=ends.new_zeros(1))
        self._units = {"character": characters, "byte": bytes}

    def __len__(self) -> int:
        return len(self.ends)

    def __getitems__(self, indices: list[int]) -> Batch:
        index = torch.tensor(indices)
        lengths = self.lengths[index].unsqueeze(1)
        ends = self.ends[index].unsqueeze(1)
        positions = torch.arange(int(lengths.max()))
        mask = positions < lengths
        # Past its end a text repeats its last symbol, which is the end symbol.
        x = self.ids[torch.minimum(ends - lengths + positions, ends - 1)].long()
        return Batch(x, mask, index, {name: unit[index] for name, unit in self._units.items()})


class TextDataModule(SymbolDataModule):
    """Texts in three splits, and a tokenizer trained on the training split.

    Args:
        tokenizer: What trains the tokenizer, such as ``lit_vae.tokenizers.Words``.
        max_length: Most tokens of a text, its end symbol included; also what generation runs to.
        batch_size: Texts a batch and device.
        too_long: What becomes of a longer text: ``error`` refuses, ``drop`` leaves it out, ``truncate`` keeps its first
            ``max_length`` - 1 tokens and ends it there. What was done is counted and said.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If ``max_length`` is less than 2 or ``too_long`` none of the three.
    """

    def __init__(
        self,
        tokenizer: TokenizerTrainer,
        max_length: int,
        batch_size: int = 32,
        too_long: TooLong = "error",
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        if max_length < 2:
            raise ValueError(
                f"data.init_args.max_length counts a token and the end symbol, so from 2, got {max_length}"
            )
        if too_long not in ("error", "drop", "truncate"):
            raise ValueError(f"data.init_args.too_long is 'error', 'drop' or 'truncate', got {too_long!r}")
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.too_long = too_long
        self._datasets: dict[Split, TextDataset] = {}

    @property
    @abstractmethod
    def corpus(self) -> str:
        """What the texts are called, in logs and messages."""

    @abstractmethod
    def read(self) -> dict[Split, list[str]]:
        """The texts of each split, none of them empty.

        Raises:
            ValueError: If a split has no text.
        """

    @cached_property
    def texts(self) -> dict[Split, list[str]]:
        """The texts of each split as they were read, whatever their length."""
        return self.read()

    @cached_property
    def symbols(self) -> Tokens:
        """The vocabulary: reads the texts and trains the tokenizer."""
        return Tokens(self.corpus, self.tokenizer.train(self.texts["train"]), self.max_length)

    def dataset(self, split: Split) -> TextDataset:
        if split not in self._datasets:
            self._datasets[split] = self._encode(split)
        return self._datasets[split]

    def _encode(self, split: Split) -> TextDataset:
        tokenizer = self.symbols.tokenizer
        ids, ends, characters, sizes = array("i"), array("q"), array("q"), array("q")
        texts = self.texts[split]
        longer, longest = 0, 0
        for text, row in zip(texts, tokenizer.encode_all(texts), strict=True):
            longest = max(longest, len(row) + 1)
            if len(row) >= self.max_length:
                longer += 1
                if self.too_long != "truncate":
                    continue
                row = row[: self.max_length - 1]
                text = tokenizer.decode(row)
            ids.extend(row)
            ids.append(tokenizer.end)
            ends.append(len(ids))
            characters.append(len(text))
            sizes.append(len(text.encode()))
        if longer:
            self._say_longer(split, longer, longest)
        if not ends:
            raise ValueError(
                f"every text of the {split} split of '{self.corpus}' was dropped: "
                f"the longest has {longest} tokens, raise data.init_args.max_length, now {self.max_length}"
            )
        return TextDataset(*(torch.from_numpy(np.frombuffer(n, n.typecode)) for n in (ids, ends, characters, sizes)))

    def _say_longer(self, split: Split, longer: int, longest: int) -> None:
        count = f"{longer} of {len(self.texts[split])} {split} texts of '{self.corpus}'"
        limit = f"data.init_args.max_length, {self.max_length} tokens with the end symbol (the longest has {longest})"
        if self.too_long == "error":
            raise ValueError(
                f"{count} are longer than {limit}: raise it, or set data.init_args.too_long to drop or truncate"
            )
        done = {"drop": "dropped", "truncate": "truncated"}[self.too_long]
        rank_zero_warn(f"{count} are longer than {limit} and were {done}")
