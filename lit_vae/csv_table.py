"""A CSV file that grows by rows and by columns, and that another process may go on with."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lit_vae.files import replacing


def not_through_links(name: str, flags: int) -> int:
    """Open a file, unless a link has taken its place."""
    return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0))


class CSVTable:
    """A CSV file. It is neither read nor written before its first row comes.

    A new column is added on the right; it is empty in the rows before.

    Args:
        path: The file; it may exist, and then goes on.
        key: A column: values for the key of the last row go into that row. None: each call is a row of its own.
        keep: Which rows stay of those that are there already, by their cells; None for all.
    """

    def __init__(
        self, path: Path, key: str | None = None, keep: Callable[[Mapping[str, str]], bool] | None = None
    ) -> None:
        self.path = path
        self._key = key
        self._keep = keep
        self._columns: list[str] = []
        self._last: dict[str, str] = {}
        self._last_starts_at = 0
        self._opened = False

    def add(self, values: Mapping[str, object]) -> None:
        """Write values, by the name of their column.

        Raises:
            OSError: If the file cannot be written.
        """
        if not self._opened:
            self._open()
        row = {name: str(value) for name, value in values.items()}
        merged = self._key is not None and row[self._key] == self._last.get(self._key)
        if merged:
            row = self._last | row
        unknown = [name for name in row if name not in self._columns]
        if unknown or (merged and len(self._line(row)) < len(self._line(self._last))):
            rows = self.rows()
            self._columns += unknown
            self._write([*(rows[:-1] if merged else rows), row])
        else:
            line = self._line(row)
            # in one write, over what a merged row held: a process that was killed in between would have lost it
            with open(self.path, "r+b", buffering=len(line) + 1, opener=not_through_links) as file:
                self._last_starts_at = file.seek(*((self._last_starts_at,) if merged else (0, io.SEEK_END)))
                file.write(line)
        self._last = row

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())

    def rows(self) -> list[dict[str, str]]:
        """What the file holds, a row that was not written to its end left out; nothing if there is no file.

        Raises:
            ValueError: If it is damaged.
        """
        if not self.path.is_file():
            return []
        try:
            whole, newline, _ = self.path.read_text(encoding="utf-8").rpartition("\n")
            rows = list(csv.DictReader(io.StringIO(whole + newline), restval="", strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise self._damaged(str(error)) from error
        if rows and (None in rows[0] or len(set(rows[0])) < whole.partition("\n")[0].count(",") + 1):
            raise self._damaged("its columns do not have names of their own")
        for number, row in enumerate(rows, 2):
            if None in row:
                raise self._damaged(f"line {number} has more cells than there are columns")
        return rows

    def _damaged(self, how: str) -> ValueError:
        return ValueError(
            f"{self.path} is damaged ({how}): mend it, or move it away, and what is logged from now on goes into a new "
            f"one"
        )

    def _open(self) -> None:
        found = self.rows()
        if found:
            try:
                kept = [row for row in found if self._keep is None or self._keep(row)]
            except (KeyError, ValueError) as error:
                raise self._damaged(f"{type(error).__name__}: {error}") from error
            if self._key is not None and self._key not in found[0]:
                raise self._damaged(f"it has no column {self._key}")
            self._columns = list(found[0])
            self._last = kept[-1] if kept else {}
            self._write(kept)
        self._opened = True

    def _write(self, rows: Sequence[Mapping[str, str]]) -> None:
        lines = [self._line(dict(zip(self._columns, self._columns, strict=True))), *map(self._line, rows)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as file:
            file.write_bytes(b"".join(lines))
        self._last_starts_at = sum(map(len, lines[:-1]))

    def _line(self, row: Mapping[str, str]) -> bytes:
        line = io.StringIO()
        csv.DictWriter(line, self._columns, restval="", lineterminator="\n").writerow(row)
        return line.getvalue().encode()
