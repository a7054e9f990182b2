"""Which files of a folder make which split."""

import re
from pathlib import Path

from lit_vae.corpora.formats import other_format
from lit_vae.data.base import Split
from lit_vae.data.folders import change
from lit_vae.data.splits import layout
from lit_vae.notices import notice

SPLIT_WORDS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test",),
}
"""What names the files of a split, between dots, dashes and underscores: ``valid.txt``, ``ptb.valid.txt``."""


def files_of_splits(folder: Path, *suffixes: str, otherwise: str = "") -> dict[Split, list[Path]] | list[Path]:
    """The files of each split where their names tell the splits, else those to be divided, in order of their names.

    Those to be divided are the ones named train, or all such files where no name tells a split.

    What else is in the folder is passed over, and said.

    Args:
        folder: Where they are.
        suffixes: What their names may end in, such as ``.txt``.
        otherwise: What else would help where there is no such file, for the message.

    Raises:
        FileNotFoundError: If the folder has no such file.
        ValueError: If the names tell train and one other split, or one name tells several.
    """
    held = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    files = [path for path in held if path.suffix in suffixes]
    if not files:
        names = few(sorted(path for path in folder.iterdir())) or "nothing"
        found = next(filter(None, map(other_format, held)), None) or change(otherwise)
        raise FileNotFoundError(f"no {' or '.join(suffixes)} file in {folder} (it holds {names}): {found}")
    parts = {path: set(re.split(r"[._-]", path.stem.lower())) for path in files}
    named = {split: [path for path in files if parts[path] & set(words)] for split, words in SPLIT_WORDS.items()}
    told = {split: paths for split, paths in named.items() if paths}
    missing = [split for split in named if split not in told]
    kind = layout(told)
    if kind == "divided":
        chosen = told.get("train", files)
        say_passed_over(folder, chosen, held)
        return chosen
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
    say_passed_over(folder, [path for paths in told.values() for path in paths], held)
    return told


def say_passed_over(folder: Path, files: list[Path], held: list[Path]) -> None:
    """Say which of the files that a folder holds are not read, if there are any."""
    others = [path for path in held if path not in files]
    if others:
        notice(f"{folder.name}: reads {few(files)}, passes over {few(others)}")


def few(paths: list[Path]) -> str:
    """The names of the first five of some files, and how many more there are."""
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(path.name for path in paths[:5]) + more
