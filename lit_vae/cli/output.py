"""Where a verb's result goes: a file, or the screen, for a person or for a machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lit_vae.files import replacing
from lit_vae.rendering import Rendering, Texts


def target(out: str | None, name: str, suffix: str, overwrite: bool) -> Path | None:
    """Where pictures or texts are written; None for texts that go to the screen.

    Args:
        out: The user's choice; None for the default: a file for pictures, the screen for texts.
        name: Of the default file, without suffix.
        suffix: What the model writes.
        overwrite: Whether an existing file may go.

    Raises:
        FileExistsError: If there is one and it may not.
        ValueError: If the user's choice has another suffix.
    """
    if out is None and suffix == Texts.suffix:
        return None
    return free_path(out, f"{name}{suffix}", overwrite)


def free_path(out: str | None, default: str, overwrite: bool) -> Path:
    """Where to write.

    Args:
        out: The user's choice; None for the default.
        default: A name whose suffix says what the file will hold.
        overwrite: Whether an existing file may go.

    Raises:
        FileExistsError: If there is one and it may not.
        ValueError: If the suffix is another.
    """
    path = Path(out or default)
    if path.suffix != Path(default).suffix:
        raise ValueError(f"--out {path}: this model writes {Path(default).suffix} files")
    if path.exists() and not overwrite:
        raise FileExistsError(f"--out {path} exists: choose another, or say --overwrite; nothing was changed")
    return path


def deliver(rendering: Rendering, path: Path | None, for_machine: bool) -> None:
    """Write a rendering and say where, or print it.

    Args:
        rendering: Pictures or texts.
        path: From :func:`target`.
        for_machine: Print one JSON object instead: the file, null for none, and the examples.
    """
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            rendering.save(file)
    if for_machine:
        say({"file": None if path is None else str(path), "examples": rendering.records()})
        return
    if path is not None:
        print(f"wrote {path}")
    if path is None or rendering.suffix != Texts.suffix:
        print("".join(f"{line}\n" for line in rendering.lines()), end="")


def say(content: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    print(json.dumps(content, ensure_ascii=False))
