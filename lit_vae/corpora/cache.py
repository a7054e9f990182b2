"""What was made of a corpus, kept under a key of all that it was made of."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock

FORMAT = 2
"""Of what is kept: raise it when the making changes but nothing of the key."""


def cache_folder(cache_dir: str | None) -> Path:
    """Where token arrays are kept: the user's choice, else ``$XDG_CACHE_HOME/lit_vae``, ``~/.cache/lit_vae``."""
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lit_vae"


def kept(folder: Path, key: Any, make: Callable[[Path], object]) -> Path:
    """The folder that holds what is made of a key; it is whole, or not there.

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
    if place.is_dir():
        return place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            if not place.is_dir():
                shutil.rmtree(unfinished, ignore_errors=True)
                try:
                    unfinished.mkdir()
                    make(unfinished)
                    (unfinished / "key.json").write_text(text)
                    unfinished.rename(place)
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(str(folder)):
            raise  # of the corpus, not of the cache
        raise OSError(
            f"token arrays cannot be kept in {folder}: {error.strerror or error}: "
            f"change data.init_args.cache_dir (--data.cache_dir), or free some room"
        ) from error
    return place
