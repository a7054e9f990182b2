"""Texts that the ``datasets`` library reads: JSON lines, Parquet, CSV, data sets saved to disk or on the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lit_vae.corpora.arrow import ArrowTexts
from lit_vae.corpora.cache import cache_folder
from lit_vae.corpora.division import divided
from lit_vae.corpora.encoding import TooLong
from lit_vae.corpora.files import refuse_empty
from lit_vae.corpora.formats import other_format
from lit_vae.corpora.sources import TextSource, file_key
from lit_vae.data.base import Split
from lit_vae.data.folders import change, existing
from lit_vae.data.splits import layout
from lit_vae.data.text import TextDataModule
from lit_vae.data.text_files import SPLIT_WORDS, files_of_splits
from lit_vae.tokenizers import TokenizerTrainer

READERS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv"}
"""What of the library reads which files."""
DAMAGE = (OSError, ValueError, AttributeError, LookupError, TypeError, OverflowError, MemoryError, NotImplementedError)
"""What the library, and those that it reads with, raise over a damaged file."""
SAVED = ("dataset_dict.json", "state.json")
"""What ``save_to_disk`` writes into a folder, of several splits or of one."""


class HuggingFaceTextDataModule(TextDataModule):
    """Texts in a field of JSON lines, of Parquet or CSV files, or of a data set of the ``datasets`` library.

    ``root`` is one file, a folder of such files, or what ``save_to_disk`` wrote. Where names of files or splits tell
    train, validation and test, they do; to evaluate, validation or test alone is enough. Where there is one split
    alone that is neither, its texts are divided by a hash of each text and of the seed. The library maps its tables
    from files, and nothing needs to fit into memory.

    Args:
        root: The file or folder; with ``hub``, a name on the Hugging Face Hub.
        tokenizer: What trains the tokenizer, such as ``lit_vae.tokenizers.BPE``.
        max_length: Most tokens of a text, its end symbol included; also what generation runs to.
        field: The column that holds the texts.
        hub: Whether ``root`` names a data set on the Hub, which is fetched unless it was before.
        subset: Of a data set on the Hub that has several, which.
        batch_size: Texts a batch and device.
        too_long: What becomes of a longer text: ``error``, ``drop`` or ``truncate``.
        val_fraction: Part of the different texts that validates, where texts are divided.
        test_fraction: Part of the different texts that tests, where texts are divided.
        split_seed: Another seed, another division.
        num_workers: Processes that load ahead; 0 loads in the main process.
        cache_dir: Where token arrays, and the library's tables, are kept; null for ``~/.cache/lit_vae``.
        tokenize_processes: Most processes that tokenize; null for one a core.
    """

    def __init__(
        self,
        root: str,
        tokenizer: TokenizerTrainer,
        max_length: int,
        field: str = "text",
        hub: bool = False,
        subset: str | None = None,
        batch_size: int = 32,
        too_long: TooLong = "error",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 0,
        num_workers: int = 0,
        cache_dir: str | None = None,
        tokenize_processes: int | None = None,
    ) -> None:
        super().__init__(tokenizer, max_length, batch_size, too_long, num_workers, cache_dir, tokenize_processes)
        self.root = root
        self.field = field
        self.hub = hub
        self.subset = subset
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.split_seed = split_seed

    @property
    def corpus(self) -> str:
        """The name of the file, the folder or the data set."""
        return self.root if self.hub else existing(self.root).name

    def read(self) -> Mapping[Split, TextSource]:
        found, files = self._found()
        sources = {name: ArrowTexts(rows, self.field, files) for name, rows in found.items()}
        named = {split: [name for name in sources if name in words] for split, words in SPLIT_WORDS.items()}
        missing = [split for split, names in named.items() if not names]
        kind = layout([split for split, names in named.items() if names])
        if kind == "divided" and len(sources) == 1:
            (whole,) = sources.values()
            train, val, test = divided(whole, self.split_seed, self.val_fraction, self.test_fraction, self.workers)
            return {"train": train, "val": val, "test": test}
        if kind != "given":
            raise ValueError(
                f"'{self.corpus}' has the splits {', '.join(sources)}, but no {' and no '.join(missing)}: "
                f"save one that has all three, or one split alone to be divided, and change data.init_args.root"
            )
        return {split: sources[names[0]] for split, names in named.items() if names}

    def _found(self) -> tuple[Mapping[str, Any], Any]:
        """The data sets by the names of their splits, and what tells that their files are the same."""
        datasets = library()
        cache = str(cache_folder(self.cache_dir) / "datasets")
        saved, files = [], {}
        if not self.hub:
            root = existing(self.root)
            saved = [root / name for name in SAVED if (root / name).is_file()]
            files = {} if saved else files_of(root)
        paths = [path for some in files.values() for path in some]
        for path in paths:
            refuse_empty(path)
        try:
            if self.hub:
                return datasets.load_dataset(self.root, self.subset, cache_dir=cache), None
            if saved:
                whole = datasets.load_from_disk(str(root))
                return whole if isinstance(whole, datasets.DatasetDict) else {"train": whole}, file_key(saved[0])
            names = {split: list(map(str, some)) for split, some in files.items()}
            tables = datasets.load_dataset(READERS[paths[0].suffix], data_files=names, cache_dir=cache)
            return tables, list(map(file_key, paths))
        except (datasets.exceptions.DatasetsError, *DAMAGE) as error:
            cause = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
            raise ValueError(
                f"the datasets library cannot read {self.root}: {cause}: change data.init_args.root (--data.root)"
            ) from error


def files_of(root: Path) -> dict[Split, list[Path]]:
    """The files of each split; all of them under ``train``, where their names do not tell.

    Raises:
        ValueError: If a file is of no kind that can be read, or files are of several.
    """
    plain = "for plain text: lit_vae.data.TextLinesDataModule"
    files = files_of_splits(root, *READERS, otherwise=plain) if root.is_dir() else [root]
    by_split: dict[Split, list[Path]] = files if isinstance(files, dict) else {"train": files}
    kinds = {path.suffix for paths in by_split.values() for path in paths}
    if len(kinds) > 1 or not kinds <= set(READERS):
        found = None if kinds <= set(READERS) else other_format(root)
        raise ValueError(
            f"{root} has files {' and '.join(sorted(kinds))}, all of one kind of {', '.join(READERS)} were expected: "
            f"{found or change(plain)}"
        )
    return by_split


def library() -> ModuleType:
    """The ``datasets`` library, which is an extra.

    Raises:
        ModuleNotFoundError: If it is not installed.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "HuggingFaceTextDataModule reads with the datasets library, which is not installed: "
            "pip install 'lit_vae[datasets]'"
        ) from error
    return datasets
