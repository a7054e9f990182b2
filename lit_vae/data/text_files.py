"""Which files of a folder make which split."""

import re
from pathlib import Path

from lit_vae.data.base import Split
from lit_vae.data.splits import layout

SPLIT_WORDS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test",),
}
"""What names the files of a split, between dots, dashes and underscores: ``valid.txt``, ``ptb.valid.txt``."""


def files_of_splits(folder: Path, *suffixes: str) -> dict[Split, list[Path]] | list[Path]:
    """The files of each split where their names tell the splits, else those to be divided, in order of their names.

    Those to be divided are the ones named train, or all such files where no name tells a split.

    Args:
        folder: Where they are.
        suffixes: What their names may end in, such as ``.txt``.

    Raises:
        FileNotFoundError: If the folder has no such file.
        ValueError: If the names tell train and one other split, or one name tells several.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in suffixes and path.is_file())
    if not files:
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        wanted = " or ".join(suffixes)
        raise FileNotFoundError(
            f"no {wanted} file in {folder} (it holds {held}): change data.init_args.root (--data.root)"
        )
    parts = {path: set(re.split(r"[._-]", path.stem.lower())) for path in files}
    named = {split: [path for path in files if parts[path] & set(words)] for split, words in SPLIT_WORDS.items()}
    told = {split: paths for split, paths in named.items() if paths}
    missing = [split for split in named if split not in told]
    kind = layout(told)
    if kind == "divided":
        return told.get("train", files)
    if kind == "incomplete":
        found = ", ".join(path.name for paths in named.values() for path in paths)
        lacking = " and no ".join(f"{split}{suffixes[0]}" for split in missing)
        raise ValueError(
            f"{folder} has {found}, but no {lacking}: add it, "
            f"or name one file as data.init_args.root (--data.root) to have its texts divided"
        )
    both = [path.name for path in files if sum(path in paths for paths in named.values()) > 1]
    if both:
        raise ValueError(
            f"{folder}: {both[0]} is named after more than one split: rename it, as train.txt or my-test.txt"
        )
    return told
