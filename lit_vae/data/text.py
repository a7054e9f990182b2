"""Text as integers: what every text data module shares."""

from __future__ import annotations

import dataclasses
import json
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn

from lit_vae.batch import Batch
from lit_vae.corpora.cache import cache_folder, kept
from lit_vae.corpora.encoding import EncodeTexts, Tally, TooLong, encoded, trained
from lit_vae.corpora.sources import Absent, TextSource
from lit_vae.corpora.tables import Columns, Table, gathered, mapped, written
from lit_vae.corpora.workers import Workers
from lit_vae.data.base import Split, SymbolDataModule
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.splits import present
from lit_vae.symbols import Tokens
from lit_vae.tokenizers import Tokenizer, TokenizerTrainer, restore_tokenizer

UNITS = {"character": "characters", "byte": "bytes", "word": "words"}
"""What a likelihood of texts is divided by, and the column that counts it."""


class TextDataset(SymbolDataset):
    """Texts as one flat array of ids, each text followed by the end symbol.

    A batch is padded with the end symbol under a False mask.

    Args:
        columns: ``ids`` of all texts, end symbols included, integer; where each text ``ends`` in them; and, of each
            text, those that ``units`` name.
        units: The name of each of a batch's ``units``, and the column that counts it.
    """

    uneven = True

    def __init__(self, columns: Columns, units: Mapping[str, str] = UNITS) -> None:
        self.columns = columns
        self.units = dict(units)

    def __len__(self) -> int:
        return len(self.columns["ends"])

    def spans(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where texts begin in the ids, and where they end, [N] each."""
        ends = self.columns["ends"]
        return np.where(indices > 0, ends[indices - 1], 0), ends[indices]

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        starts, ends = self.spans(indices)
        return ends - starts

    def __getitems__(self, indices: list[int]) -> Batch:
        index = np.asarray(indices)
        starts, ends = (edge[:, None] for edge in self.spans(index))
        positions = starts + np.arange((ends - starts).max())
        # Past its end a text repeats its last symbol, which is the end symbol.
        x = self.columns["ids"][np.minimum(positions, ends - 1)].astype(np.int64)
        units = {name: self.columns[column][index] for name, column in self.units.items()}
        return Batch(
            torch.from_numpy(x),
            torch.from_numpy(positions < ends),
            torch.from_numpy(index),
            {name: torch.from_numpy(unit.astype(np.int64)) for name, unit in units.items()},
        )


class TextDataModule(SymbolDataModule):
    """Texts in three splits, and a tokenizer trained on the training split.

    Neither the texts nor their ids need fit into memory: texts are tokenized in parts, by several processes, into files
    that are mapped. The files are kept under a key of everything they are made of, and made again when any of it is
    another: the files of the corpus, the tokenizer's settings and code, and the limits below.

    The ``units`` of a batch count what of the source its tokens stand for: ``character``s and UTF-8 ``byte``s, the end
    symbol not among them, although the likelihood that they divide includes the end symbol's; and ``word``s between
    white space with the end symbol as one, which is the denominator of the field's perplexity. Where the tokens of a
    split do not tell all of its texts (``<unk>``, two spaces that become one), the first two are called
    ``character_lossy`` and ``byte_lossy``: the likelihood of such tokens is not that of the texts. Where a split has
    fewer spaces than one in 20 characters it has no ``word``s.

    Args:
        tokenizer: What trains the tokenizer, such as ``lit_vae.tokenizers.Words``.
        max_length: Most tokens of a text, its end symbol included; also what generation runs to.
        batch_size: Texts a batch and device.
        too_long: What becomes of a longer text: ``error`` refuses, ``drop`` leaves it out, ``truncate`` keeps its first
            ``max_length`` - 1 tokens and ends it there. What was done is counted and said.
        num_workers: Processes that load ahead; 0 loads in the main process.
        cache_dir: Where token arrays are kept; null for ``$XDG_CACHE_HOME/lit_vae``, which is ``~/.cache/lit_vae``.
        tokenize_processes: Most processes that tokenize; null for one a core. Small corpora need no second.

    Raises:
        ValueError: If ``max_length`` is less than 2, ``too_long`` none of the three, or ``tokenize_processes`` 0.
    """

    def __init__(
        self,
        tokenizer: TokenizerTrainer,
        max_length: int,
        batch_size: int = 32,
        too_long: TooLong = "error",
        num_workers: int = 0,
        cache_dir: str | None = None,
        tokenize_processes: int | None = None,
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
        self.cache_dir = cache_dir
        self.tokenize_processes = tokenize_processes
        self.workers = Workers(tokenize_processes)

    @property
    @abstractmethod
    def corpus(self) -> str:
        """What the texts are called, in logs and messages."""

    @abstractmethod
    def read(self) -> Mapping[Split, TextSource]:
        """The texts of each split, none of them empty.

        Raises:
            ValueError: If a split has no text.
        """

    @cached_property
    def texts(self) -> Mapping[Split, TextSource]:
        """The texts of each split, whatever their length."""
        return self.read()

    @property
    def symbols(self) -> Tokens:
        """The vocabulary: reads the texts and trains the tokenizer, unless that was done before."""
        return self._prepared[0]

    @property
    def split_names(self) -> tuple[Split, ...]:
        return tuple(self.texts)

    def dataset(self, split: Split) -> TextDataset:
        return present(self._prepared[1], split, f"'{self.corpus}'")

    @cached_property
    def _prepared(self) -> tuple[Tokens, dict[Split, TextDataset]]:
        keys = {split: source.key for split, source in self.texts.items()}
        made_of = {
            "texts": keys,
            "tokenizer": self.tokenizer.key,
            "max_length": self.max_length,
            "too_long": self.too_long,
        }
        with self.workers:
            if None in keys.values():
                tokenizer, tables, tallies = self._make(None)
            else:
                folder = kept(cache_folder(self.cache_dir), made_of, self._make)
                description = json.loads((folder / "description.json").read_text())
                tokenizer = restore_tokenizer(description["tokenizer"])
                tables = {split: mapped(folder / split) for split in keys}
                tallies = {split: Tally(**description["tallies"][split]) for split in keys}
        for split, tally in tallies.items():
            self._say_longer(split, tally)
        datasets = {split: TextDataset(table, tallies[split].units()) for split, table in tables.items()}
        return Tokens(self.corpus, tokenizer, self.max_length), datasets

    def _make(self, folder: Path | None) -> tuple[Tokenizer, dict[Split, Table], dict[Split, Tally]]:
        """Train the tokenizer and encode all splits, into the files of a folder or into memory."""
        nothing = Absent(
            f"'{self.corpus}' has nothing to train a tokenizer on, only the splits {' and '.join(self.texts)}: take "
            f"that of a run, --data.tokenizer lit_vae.tokenizers.OfRun --data.tokenizer.run RUN"
        )
        tokenizer = trained(self.tokenizer, self.texts.get("train", nothing), self.workers)
        encode = EncodeTexts(tokenizer, self.max_length, self.too_long)
        tables: dict[Split, Table] = {}
        tallies: dict[Split, Tally] = {split: Tally() for split in self.texts}
        for split, source in self.texts.items():
            chunks = encoded(encode, source, self.workers, f"tokenizing {split}", tallies[split])
            tables[split] = gathered(chunks) if folder is None else written(chunks, folder / split)
            self._refuse(split, tallies[split])
        if folder is not None:
            counts = {split: dataclasses.asdict(tally) for split, tally in tallies.items()}
            description: dict[str, Any] = {"tokenizer": tokenizer.state(), "tallies": counts}
            (folder / "description.json").write_text(json.dumps(description))
        return tokenizer, tables, tallies

    def _refuse(self, split: Split, tally: Tally) -> None:
        """Refuse a split that has nothing to offer, or more than was allowed."""
        if not tally.texts:
            raise ValueError(f"the {split} split of '{self.corpus}' has no text: change data.init_args.root")
        if tally.longer and self.too_long == "error":
            raise ValueError(
                f"{self._longer(split, tally)}: raise it, or set data.init_args.too_long to drop or truncate"
            )
        if not tally.tokens:
            raise ValueError(
                f"every text of the {split} split of '{self.corpus}' was dropped: "
                f"the longest has {tally.longest} tokens, raise data.init_args.max_length, now {self.max_length}"
            )

    def _say_longer(self, split: Split, tally: Tally) -> None:
        if tally.longer:
            done = {"drop": "dropped", "truncate": "truncated"}[self.too_long]
            rank_zero_warn(f"{self._longer(split, tally)} and were {done}")

    def _longer(self, split: Split, tally: Tally) -> str:
        return (
            f"{tally.longer} of {tally.texts} {split} texts of '{self.corpus}' are longer than "
            f"data.init_args.max_length, {self.max_length} tokens with the end symbol (the longest has {tally.longest})"
        )
