"""A column of texts as the ``datasets`` library maps it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lit_vae.corpora.sources import PART_BYTES, Part, TextSource, starts

ROWS = 1024
"""Rows fetched at a time."""


@dataclass(frozen=True)
class ArrowTexts(TextSource):
    """The texts of one column of a ``datasets.Dataset``; texts of nothing but white space are passed over.

    Args:
        rows: The data set.
        field: The column.
        files: Plain values that tell which files it was read from.
        part_bytes: How much text makes a part.

    Raises:
        ValueError: If there is no such column of texts; when the texts are read, if a row has none.
    """

    rows: Any
    field: str
    files: Any
    part_bytes: int = PART_BYTES

    def __post_init__(self) -> None:
        columns = {name: getattr(value, "dtype", type(value).__name__) for name, value in self.rows.features.items()}
        if columns.get(self.field) not in ("string", "large_string"):
            held = ", ".join(f"{name} ({kind})" for name, kind in columns.items())
            raise ValueError(f"no texts in a field '{self.field}': there is {held}; change data.init_args.field")

    @property
    def key(self) -> Any:
        return [self.files, self.rows._fingerprint, self.field]

    def parts(self) -> Sequence[Part]:
        column = self.rows.select_columns([self.field])
        refuse_damaged_texts(column, self.field, self.files)
        average = max(1, column.data.nbytes // max(1, len(column)))
        spans = starts(len(column), max(1, self.part_bytes // average))
        return [ArrowPart(column, self.field, start, stop, (stop - start) * average) for start, stop in spans]


def refuse_damaged_texts(column: Any, field: str, files: Any) -> None:
    """Refuse texts that are not UTF-8, or lie outside of their table: reading those could end the process.

    Args:
        column: The data set, of one column.
        field: The column.
        files: As in :class:`ArrowTexts`; the name of each is its first value.

    Raises:
        ValueError: If there are such.
    """
    try:
        column.data.validate(full=True)
    except (ValueError, OSError, LookupError) as error:
        several = files if files and not isinstance(files[0], str) else [files] if files else []
        names = ", ".join(file[0] for file in several) or "the data set"
        tables = ", ".join(file["filename"] for file in column.cache_files)
        raise ValueError(
            f"{names}: the field '{field}' is damaged, or not UTF-8 ({error}): mend or replace it, and delete the "
            f"table that the datasets library made of it ({tables})"
        ) from error


@dataclass(frozen=True)
class ArrowPart:
    """Some neighbouring rows.

    Args:
        rows: The data set, of one column.
        field: The column.
        start: First row.
        stop: Row after the last.
        size: About how many bytes of text.
    """

    rows: Any
    field: str
    start: int
    stop: int
    size: int

    def __iter__(self) -> Iterator[str]:
        for start, stop in starts(self.stop - self.start, ROWS):
            texts = self.rows[self.start + start : self.start + stop][self.field]
            for number, text in enumerate(texts, self.start + start):
                if text is None:
                    raise ValueError(
                        f"row {number} has no text in the field '{self.field}' but null: take it out of the data, or "
                        f"change data.init_args.field"
                    )
                if stripped := text.strip():
                    yield stripped
