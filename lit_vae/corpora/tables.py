"""Columns of numbers, in memory or mapped from files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

Columns = Mapping[str, np.ndarray]


class Table(Mapping[str, np.ndarray]):
    """Columns by name. One that lies in files travels to another process as the name of its folder.

    Args:
        columns: One-dimensional arrays, not all of one length.
        folder: Where they are mapped from; None for memory.
    """

    def __init__(self, columns: Columns, folder: Path | None = None) -> None:
        self._columns = columns
        self._folder = folder

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __reduce__(self) -> tuple[Callable[..., Table], tuple[Any, ...]]:
        return (Table, (self._columns,)) if self._folder is None else (mapped, (self._folder,))


def gathered(chunks: Iterable[Columns]) -> Table:
    """Chunks put together in memory."""
    chunks = list(chunks)
    return Table({name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]})


def written(chunks: Iterable[Columns], folder: Path) -> Table:
    """Chunks put together in files, one a column, holding one chunk at a time.

    A column has the type of its widest chunk.
    """
    folder.mkdir()
    chunks_of: dict[str, list[tuple[np.dtype, int]]] = {}
    with ExitStack() as stack:
        files = {}
        for chunk in chunks:
            for name, column in chunk.items():
                if name not in files:
                    files[name] = stack.enter_context((folder / f"{name}.bin").open("wb"))
                    chunks_of[name] = []
                column.tofile(files[name])
                chunks_of[name].append((column.dtype, len(column)))
    types = {name: widened(folder / f"{name}.bin", some).str for name, some in chunks_of.items()}
    (folder / "types.json").write_text(json.dumps(types))
    return mapped(folder)


def widened(path: Path, chunks: list[tuple[np.dtype, int]]) -> np.dtype:
    """Give all numbers of a file the type that holds the widest, which is returned.

    Args:
        path: The file.
        chunks: The type, and how many numbers, of each chunk in it.
    """
    widest = np.result_type(*(dtype for dtype, _ in chunks))
    if any(dtype != widest for dtype, _ in chunks):
        wider = path.with_suffix(".wider")
        with path.open("rb") as old, wider.open("wb") as new:
            for dtype, count in chunks:
                np.fromfile(old, dtype, count).astype(widest).tofile(new)
        wider.replace(path)
    return widest


def mapped(folder: Path) -> Table:
    """What :func:`written` wrote."""
    types = json.loads((folder / "types.json").read_text())
    return Table({name: map_file(folder / f"{name}.bin", dtype) for name, dtype in types.items()}, folder)


def map_file(path: Path, dtype: str) -> np.ndarray:
    """A file as an array; nothing can be mapped where there is nothing."""
    return np.memmap(path, dtype, "r") if path.stat().st_size else np.empty(0, dtype)
