"""A user's own text, one example a line."""

from collections.abc import Mapping
from pathlib import Path

from lit_vae.corpora.division import divided
from lit_vae.corpora.encoding import TooLong
from lit_vae.corpora.files import Lines
from lit_vae.corpora.sources import Joined, TextSource
from lit_vae.data.base import Split
from lit_vae.data.folders import existing
from lit_vae.data.text import TextDataModule
from lit_vae.data.text_files import files_of_splits
from lit_vae.tokenizers import TokenizerTrainer


class TextLinesDataModule(TextDataModule):
    """Lines of UTF-8 text, one example each; empty lines, and white space around a line, are passed over.

    ``root`` is one file, or a folder. Where the names of a folder's ``.txt`` files tell the splits (``train.txt``,
    ``valid.txt`` or ``val.txt``, ``test.txt``; ``ptb.train.txt`` as well), they do; to evaluate, ``valid.txt`` or
    ``test.txt`` alone is enough. Otherwise all lines, of the file, of a lone ``train.txt``, or of all ``.txt`` files,
    are divided by a hash of each line and of the seed; equal lines fall into one split. What else is in the folder is
    passed over, and said. Files of rows (JSON lines, CSV, Parquet), compressed files and others that hold no plain text
    are refused with what to do.

    Args:
        root: The file or folder.
        tokenizer: What trains the tokenizer, such as ``lit_vae.tokenizers.Words``.
        max_length: Most tokens of a line, its end symbol included; also what generation runs to.
        batch_size: Lines a batch and device.
        too_long: What becomes of a longer line: ``error``, ``drop`` or ``truncate``.
        val_fraction: Part of the different lines that validates, where lines are divided.
        test_fraction: Part of the different lines that tests, where lines are divided.
        split_seed: Another seed, another division.
        num_workers: Processes that load ahead; 0 loads in the main process.
        cache_dir: Where token arrays are kept; null for ``~/.cache/lit_vae``.
        tokenize_processes: Most processes that tokenize; null for one a core.
    """

    def __init__(
        self,
        root: str,
        tokenizer: TokenizerTrainer,
        max_length: int,
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
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.split_seed = split_seed

    @property
    def corpus(self) -> str:
        """The name of the file or folder."""
        return existing(self.root).name

    def read(self) -> Mapping[Split, TextSource]:
        root = existing(self.root)
        files = files_of_splits(root, ".txt") if root.is_dir() else [root]
        if isinstance(files, dict):
            return {split: lines_of(paths) for split, paths in files.items()}
        whole = lines_of(files)
        train, val, test = divided(whole, self.split_seed, self.val_fraction, self.test_fraction, self.workers)
        return {"train": train, "val": val, "test": test}


def lines_of(paths: list[Path]) -> TextSource:
    """The lines of some files, one after the other."""
    return Joined([Lines(path) for path in paths])
