"""What was made of a corpus, kept under a key of all that it was made of."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock

from lit_vae.damage import checksum

FORMAT = 3
"""Of what is kept: raise it when the making changes but nothing of the key."""
SUMS = "checksums.json"
"""Beside what is kept: length and CRC32 of each file."""


def cache_folder(cache_dir: str | None) -> Path:
    """Where token arrays are kept: the user's choice, else ``$XDG_CACHE_HOME/lit_vae``, ``~/.cache/lit_vae``."""
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lit_vae"


def kept(folder: Path, key: Any, make: Callable[[Path], object]) -> Path:
    """The folder that holds what is made of a key; it is whole, or not there.

    Lengths and checksums of all files are verified each time, which takes about a second a GB: a date that tells
    that a file was verified before would tell nothing of a disk that has lost a bit of it since. A damaged folder is
    made again, which is said.

    Of several processes that ask, also on several machines that share the folder, one makes it while the others wait.
    What a process that died had begun is removed by the next.

    Args:
        folder: Of the cache.
        key: Plain values; written beside what is made, for a person.
        make: Fills an empty folder.

    Raises:
        OSError: If it cannot be written.
    """
    text = json.dumps({"format": FORMAT, "made of": key}, indent=1)
    name = sha256(text.encode()).hexdigest()[:24]
    place, unfinished = folder / name, folder / f".{name}.unfinished"
    if place.is_dir() and not damage_in(place):
        return place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            if place.is_dir() and (found := damage_in(place)):
                warnings.warn(f"{place} is damaged ({found}): it is made again", stacklevel=2)
                remove(unfinished)
                place.replace(unfinished)
            if not place.is_dir():
                remove(unfinished)
                try:
                    unfinished.mkdir()
                    make(unfinished)
                    (unfinished / "key.json").write_text(text)
                    (unfinished / SUMS).write_text(json.dumps(sums(unfinished)))
                    unfinished.rename(place)
                finally:
                    remove(unfinished)
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(str(folder)):
            raise  # of the corpus, not of the cache
        raise OSError(
            f"token arrays cannot be kept in {folder}: {error.strerror or error}: "
            f"change data.init_args.cache_dir (--data.cache_dir), or free some room"
        ) from error
    return place


def sums(place: Path) -> dict[str, list[int]]:
    """Length and CRC32 of each file in a folder, by its path in it."""
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != SUMS)
    return {path.relative_to(place).as_posix(): [path.stat().st_size, checksum(path)] for path in files}


def damage_in(place: Path) -> str:
    """What of a folder is no longer as it was made, a few words; nothing where all is."""
    try:
        noted: dict[str, list[int]] = json.loads((place / SUMS).read_text())
        for name, (size, crc) in noted.items():
            found = (place / name).stat().st_size
            if found != size:
                return f"{name} has {found:,} bytes, {size:,} were written"
            if checksum(place / name) != crc:
                return f"{name} differs from its checksum"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (ValueError, TypeError, AttributeError):
        return f"{SUMS} cannot be read"
    return ""


def remove(folder: Path) -> None:
    """Remove what was begun and not finished; a link in its place is removed, not followed."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
