"""Reading a user's own text: one example a line, from one file or from a folder of them."""

import re
from pathlib import Path

from lit_vae.data.base import Split

SPLIT_WORDS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test",),
}
"""What names the files of a split, between dots, dashes and underscores: ``valid.txt``, ``ptb.valid.txt``."""


def files_of_splits(folder: Path) -> dict[Split, list[Path]] | list[Path]:
    """The files of each split where their names tell the splits, else all ``.txt`` files, in order of their names.

    Raises:
        FileNotFoundError: If the folder has no such file.
        ValueError: If the names tell some splits and not all.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix == ".txt" and path.is_file())
    if not files:
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise FileNotFoundError(f"no .txt file in {folder} (it holds {held}): change data.init_args.root (--data.root)")
    parts = {path: set(re.split(r"[._-]", path.stem.lower())) for path in files}
    named = {split: [path for path in files if parts[path] & set(words)] for split, words in SPLIT_WORDS.items()}
    missing = [split for split, paths in named.items() if not paths]
    if len(missing) == len(SPLIT_WORDS):
        return files
    if missing:
        found = ", ".join(path.name for paths in named.values() for path in paths)
        raise ValueError(
            f"{folder} has {found}, but no {' and no '.join(f'{split}.txt' for split in missing)}: add it, "
            f"or name one file as data.init_args.root (--data.root) to have its lines divided"
        )
    return named


def read_lines(path: Path) -> list[str]:
    """The lines of a file that are not empty, white space around each taken off.

    Only a line feed, or a carriage return and a line feed, ends a line. A byte-order mark is no part of the text.

    Raises:
        ValueError: If the file is not UTF-8, is empty, or has empty lines alone.
    """
    content = path.read_bytes()
    change = "change data.init_args.root (--data.root)"
    if not content:
        raise ValueError(f"{path} is empty, one text a line was expected: {change}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}, line {number}; convert "
            f"it (if it is Latin-1: iconv -f latin1 -t utf-8), or {change}"
        ) from None
    lines = [line for raw in text.split("\n") if (line := raw.strip())]
    if not lines:
        raise ValueError(f"{path} has only empty lines, one text a line was expected: {change}")
    return lines
