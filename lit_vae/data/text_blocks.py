"""A running text in stretches of one length."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lit_vae.batch import Batch
from lit_vae.corpora.cache import cache_folder, kept
from lit_vae.corpora.encoding import EncodeStream, Tally, encoded, trained
from lit_vae.corpora.files import Stretch, refuse_other
from lit_vae.corpora.tables import Columns, mapped, written
from lit_vae.corpora.workers import Workers
from lit_vae.data.base import Split, SymbolDataModule
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.folders import existing_file
from lit_vae.notices import notice
from lit_vae.symbols import Blocks
from lit_vae.tokenizers import Characters, TokenizerTrainer, restore_tokenizer


class BlockDataset(SymbolDataset):
    """Neighbouring stretches of one flat array of ids, each of as many tokens.

    Args:
        columns: ``ids`` of the whole text, integer, and of each token those that ``units`` name; what is left at the
            end is passed over.
        length: Tokens of a stretch.
        units: The name of each of a batch's ``units``, and the column that counts it.
    """

    def __init__(self, columns: Columns, length: int, units: Mapping[str, str]) -> None:
        self.columns = columns
        self.length = length
        self.units = dict(units)

    def __len__(self) -> int:
        return len(self.columns["ids"]) // self.length

    def __getitems__(self, indices: list[int]) -> Batch:
        index = np.asarray(indices)
        places = index[:, None] * self.length + np.arange(self.length)
        rows = self.columns["ids"][places].astype(np.int64)
        units = {
            name: torch.from_numpy(self.columns[column][places].sum(1, dtype=np.int64))
            for name, column in self.units.items()
        }
        return Batch(torch.from_numpy(rows), None, torch.from_numpy(index), units)


class CharacterBlocksDataModule(SymbolDataModule):
    """A running text, such as a book, in stretches of one length that follow each other without a gap.

    The file's beginning trains, then comes what validates, then what tests; each begins where a word does. Nothing ends
    a stretch, so there is no end symbol, in the alphabet or in the likelihood, and nats are nats of the text alone. The
    tokens at the end of a split that do not fill a stretch are left out; how many is said.

    The ``units`` of a batch count what of the text its tokens stand for: ``byte``s of UTF-8, and the ``character``s and
    ``word``s that begin there, so that what two stretches share counts in the first. Where the tokens of a split do not
    tell all of its text (``<unk>``, line ends between words), the first two are called ``byte_lossy`` and
    ``character_lossy``: the likelihood of such tokens is not that of the text. Where a split has fewer spaces than
    one in 20 characters it has no ``word``s.

    Args:
        root: A plain text file in UTF-8.
        length: Tokens of a stretch.
        tokenizer: What trains the tokenizer; null for ``lit_vae.tokenizers.Characters``.
        batch_size: Stretches a batch and device.
        val_fraction: Part of the text that validates.
        test_fraction: Part of the text that tests.
        num_workers: Processes that load ahead; 0 loads in the main process.
        cache_dir: Where token arrays are kept; null for ``$XDG_CACHE_HOME/lit_vae``, which is ``~/.cache/lit_vae``.
        tokenize_processes: Most processes that tokenize; null for one a core. A small text needs no second.

    Raises:
        ValueError: If ``length`` is less than 1, or a fraction is not between 0 and 1 or nothing is left to train on.
    """

    def __init__(
        self,
        root: str,
        length: int,
        tokenizer: TokenizerTrainer | None = None,
        batch_size: int = 32,
        val_fraction: float = 0.05,
        test_fraction: float = 0.05,
        num_workers: int = 0,
        cache_dir: str | None = None,
        tokenize_processes: int | None = None,
    ) -> None:
        super().__init__(batch_size, num_workers)
        if length < 1:
            raise ValueError(f"data.init_args.length counts tokens, from 1, got {length}")
        if not (val_fraction > 0 and test_fraction > 0 and val_fraction + test_fraction < 1):
            raise ValueError(
                f"val_fraction and test_fraction of data.init_args are above 0 and their sum below 1, "
                f"got {val_fraction} and {test_fraction}"
            )
        self.root = root
        self.length = length
        self.tokenizer = tokenizer or Characters()
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.cache_dir = cache_dir
        self.tokenize_processes = tokenize_processes
        self.workers = Workers(tokenize_processes)

    @property
    def corpus(self) -> str:
        """The name of the file."""
        return existing_file(self.root).name

    @cached_property
    def texts(self) -> dict[Split, Stretch]:
        """The stretch of the file that each split is."""
        path = existing_file(self.root)
        refuse_other(path)
        size = path.stat().st_size
        val, test = (size - round(part * size) for part in (self.val_fraction + self.test_fraction, self.test_fraction))
        return {"train": Stretch(path, 0, val), "val": Stretch(path, val, test), "test": Stretch(path, test, size)}

    @property
    def symbols(self) -> Blocks:
        """The alphabet: reads the text and trains the tokenizer, unless that was done before."""
        return self._prepared[0]

    def dataset(self, split: Split) -> BlockDataset:
        return self._prepared[1][split]

    @cached_property
    def _prepared(self) -> tuple[Blocks, dict[Split, BlockDataset]]:
        made_of = {
            "kind": "blocks",
            "texts": {split: source.key for split, source in self.texts.items()},
            "tokenizer": self.tokenizer.key,
        }
        folder = kept(cache_folder(self.cache_dir), made_of, self._make)
        description = json.loads((folder / "description.json").read_text())
        tokenizer = restore_tokenizer(description["tokenizer"])
        units = {split: Tally(**description["tallies"][split]).units() for split in self.texts}
        datasets = {split: BlockDataset(mapped(folder / split), self.length, units[split]) for split in self.texts}
        for split, dataset in datasets.items():
            tokens = len(dataset.columns["ids"])
            if not tokens:
                raise ValueError(
                    f"no word of '{self.corpus}' begins in the {split} split's part of it, and only there is it cut: "
                    f"put spaces or line ends into it, or change data.init_args.val_fraction and test_fraction"
                )
            if not len(dataset):
                raise ValueError(
                    f"the {split} split of '{self.corpus}' has {tokens} tokens, fewer than data.init_args.length, "
                    f"{self.length}: make that less, or the split's part of the text more"
                )
        counts = ", ".join(f"{len(dataset)} {split}" for split, dataset in datasets.items())
        left = sum(len(dataset.columns["ids"]) % self.length for dataset in datasets.values())
        notice(f"{self.corpus}: {counts} stretches of {self.length} tokens; {left} tokens at their ends fill none")
        return Blocks(self.corpus, tokenizer, self.length), datasets

    def _make(self, folder: Path) -> None:
        """Train the tokenizer and encode all splits into the files of a folder."""
        with self.workers:
            tokenizer = trained(self.tokenizer, self.texts["train"], self.workers)
            tallies: dict[Split, Tally] = {split: Tally() for split in self.texts}
            for split, source in self.texts.items():
                encode = EncodeStream(tokenizer)
                written(encoded(encode, source, self.workers, f"tokenizing {split}", tallies[split]), folder / split)
        counts = {split: dataclasses.asdict(tally) for split, tally in tallies.items()}
        (folder / "description.json").write_text(json.dumps({"tokenizer": tokenizer.state(), "tallies": counts}))
