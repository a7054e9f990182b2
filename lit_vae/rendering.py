"""Symbols as a person sees them: pictures or texts, saved to a file or sent to a logger."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from PIL import Image
from torch import Tensor

LINE_BREAKS = str.maketrans({mark: repr(mark)[1:-1] for mark in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"})
"""Escapes all that some program takes for the end of a line."""

Label = str | int | float
"""One thing that tells examples apart: a number, a step on the way."""


class Rendering(ABC):
    """Examples made visible."""

    suffix: str
    """Of the file that :meth:`save` writes: ``.png`` or ``.txt``."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abstractmethod
    def __add__(self, other: Self) -> Self:
        """The examples of both."""

    @abstractmethod
    def __getitem__(self, examples: Sequence[int]) -> Self:
        """Some of the examples, in this order."""

    @abstractmethod
    def beside(self, other: Rendering) -> Rendering:
        """Each example next to its counterpart: originals beside reconstructions."""

    @abstractmethod
    def in_rows(self, columns: int, labels: Sequence[Mapping[str, Label]]) -> Self:
        """The examples in rows of so many, each with its labels, which all have the same names."""

    @abstractmethod
    def lines(self) -> list[str]:
        """What a terminal shows: the texts; of pictures, what their rows and columns are."""

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """Each example in plain values, for a machine."""

    @abstractmethod
    def save(self, path: str | Path) -> None:
        """Write one file with all examples."""

    @abstractmethod
    def log(self, logger: Logger, key: str, step: int) -> None:
        """Send to a logger that can show it; others are passed over."""


@dataclass(frozen=True)
class Pictures(Rendering):
    """Pictures.

    Args:
        images: [N, C, H, W], uint8; shown in colour where C is 3, else the channels side by side in grey.
        columns: Pictures in a row of the grid; None for a square grid.
        labels: Of each picture, by name; None for none.
    """

    images: Tensor
    columns: int | None = None
    labels: Sequence[Mapping[str, Label]] | None = None

    suffix = ".png"

    def __len__(self) -> int:
        return len(self.images)

    def __add__(self, other: Pictures) -> Pictures:
        return Pictures(torch.cat([self.images, other.images]))

    def __getitem__(self, examples: Sequence[int]) -> Pictures:
        return Pictures(self.images[list(examples)])

    def beside(self, other: Rendering) -> Pictures:
        """Originals and their counterparts in turn, an even number to a row."""
        assert isinstance(other, Pictures)
        pairs = torch.stack([self.images, other.images], 1).flatten(0, 1)
        return Pictures(pairs, columns=2 * max(1, math.ceil(math.sqrt(len(self) / 2))))

    def in_rows(self, columns: int, labels: Sequence[Mapping[str, Label]]) -> Pictures:
        return dataclasses.replace(self, columns=columns, labels=labels)

    @property
    def breadth(self) -> int:
        """Pictures in a row."""
        return self.columns or math.ceil(math.sqrt(len(self)))

    def lines(self) -> list[str]:
        """What all show, each row, and each column, as far as labels tell."""
        if self.labels is None:
            return []
        rows = [self.labels[start : start + self.breadth] for start in range(0, len(self), self.breadth)]
        telling = varying(self.labels)
        of_all = [name for name in self.labels[0] if name not in telling]
        of_rows = [name for name in telling if not any(name in varying(row) for row in rows)]
        shown = [f"row {number + 1}: {spelled(row[0], of_rows)}" for number, row in enumerate(rows) if of_rows]
        of_columns = [name for name in telling if name not in of_rows]
        shown[:0] = [f"all: {spelled(self.labels[0], of_all)}"] * bool(of_all)
        return shown + [f"columns: {name} {', '.join(said(label[name]) for label in rows[0])}" for name in of_columns]

    def records(self) -> list[dict[str, Any]]:
        """Row and column of each picture in the grid, from 0, and its labels."""
        labels = self.labels or [{}] * len(self)
        return [
            {"row": place // self.breadth, "column": place % self.breadth, **label}
            for place, label in enumerate(labels)
        ]

    def grid(self) -> Tensor:
        """One picture of all, [3, height, width], uint8."""
        from torchvision.utils import make_grid

        images = self.images
        if images.shape[1] not in (1, 3):
            images = torch.cat(images.unbind(1), dim=-1).unsqueeze(1)
        zoom = max(1, 48 // max(images.shape[-2:]))
        images = images.repeat_interleave(zoom, -2).repeat_interleave(zoom, -1)
        return make_grid(images, nrow=self.breadth, padding=2, pad_value=128)

    def save(self, path: str | Path) -> None:
        Image.fromarray(self.grid().permute(1, 2, 0).numpy()).save(path, format="PNG")

    def log(self, logger: Logger, key: str, step: int) -> None:
        if isinstance(logger, WandbLogger):
            logger.log_image(key, [self.grid().permute(1, 2, 0).numpy()], step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(key, self.grid(), step)


@dataclass(frozen=True)
class Texts(Rendering):
    """Texts.

    Args:
        texts: One string an example.
        counterparts: For each, the text it belongs beside; None where there is none.
        columns: Texts that belong together, one after the other; None for all.
        labels: Of each text, by name; None for none.
    """

    texts: list[str]
    counterparts: list[str] | None = None
    columns: int | None = None
    labels: Sequence[Mapping[str, Label]] | None = None

    suffix = ".txt"

    def __len__(self) -> int:
        return len(self.texts)

    def __add__(self, other: Texts) -> Texts:
        return Texts(self.texts + other.texts)

    def __getitem__(self, examples: Sequence[int]) -> Texts:
        return Texts([self.texts[example] for example in examples])

    def beside(self, other: Rendering) -> Texts:
        """Each text with its counterpart."""
        assert isinstance(other, Texts)
        return Texts(self.texts, other.texts)

    def in_rows(self, columns: int, labels: Sequence[Mapping[str, Label]]) -> Texts:
        return dataclasses.replace(self, columns=columns, labels=labels)

    def lines(self) -> list[str]:
        """One line an example, line breaks escaped; a counterpart follows on a line of its own, marked ``->``.

        Labels that tell examples apart come first; an empty line parts those that do not belong together.
        """
        lines = [text.translate(LINE_BREAKS) for text in self.texts]
        if self.counterparts is not None:
            others = [text.translate(LINE_BREAKS) for text in self.counterparts]
            return [line for pair in zip(lines, others, strict=True) for line in (pair[0], f"-> {pair[1]}")]
        for name in reversed(varying(self.labels or [])):
            labels = [said(label[name]) for label in self.labels or []]
            breadth = max(map(len, labels))
            lines = [f"{label:<{breadth}}  {line}" for label, line in zip(labels, lines, strict=True)]
        together = self.columns or len(lines)
        parted = [[""] * (start > 0) + lines[start : start + together] for start in range(0, len(lines), together)]
        return [line for part in parted for line in part]

    def records(self) -> list[dict[str, Any]]:
        """The text of each example, its counterpart where it has one, and its labels."""
        if self.counterparts is not None:
            pairs = zip(self.texts, self.counterparts, strict=True)
            return [{"original": text, "reconstruction": other} for text, other in pairs]
        return [
            {**label, "text": text} for label, text in zip(self.labels or [{}] * len(self), self.texts, strict=True)
        ]

    def save(self, path: str | Path) -> None:
        Path(path).write_text("\n".join(self.lines()) + "\n", encoding="utf-8")

    def log(self, logger: Logger, key: str, step: int) -> None:
        if self.counterparts is None:
            columns, rows = ["text"], [[text] for text in self.texts]
        else:
            columns = ["original", "reconstruction"]
            rows = [list(pair) for pair in zip(self.texts, self.counterparts, strict=True)]
        if isinstance(logger, WandbLogger):
            logger.log_table(key, columns=columns, data=rows, step=step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text(key, "  \n".join(self.lines()), step)


def varying(labels: Sequence[Mapping[str, Label]]) -> list[str]:
    """Names of the labels that are not the same for all."""
    return [name for name in (labels[0] if labels else {}) if len({label[name] for label in labels}) > 1]


def said(label: Label) -> str:
    """A label as a person reads it."""
    return f"{label:.2f}" if isinstance(label, float) else str(label)


def spelled(label: Mapping[str, Label], names: Sequence[str]) -> str:
    """Some labels of one example with their names."""
    return ", ".join(f"{name} {said(label[name])}" for name in names)
