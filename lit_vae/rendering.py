"""Symbols as a person sees them: pictures or texts, saved to a file or sent to a logger."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from PIL import Image
from torch import Tensor

LINE_BREAKS = str.maketrans({mark: repr(mark)[1:-1] for mark in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"})
"""Escapes all that some program takes for the end of a line."""


class Rendering(ABC):
    """Examples made visible."""

    suffix: str
    """Of the file that :meth:`save` writes: ``.png`` or ``.txt``."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abstractmethod
    def beside(self, other: Rendering) -> Rendering:
        """Each example next to its counterpart: originals beside reconstructions."""

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
    """

    images: Tensor
    columns: int | None = None

    suffix = ".png"

    def __len__(self) -> int:
        return len(self.images)

    def beside(self, other: Rendering) -> Pictures:
        """Originals and their counterparts in turn, an even number to a row."""
        assert isinstance(other, Pictures)
        pairs = torch.stack([self.images, other.images], 1).flatten(0, 1)
        return Pictures(pairs, columns=2 * max(1, math.ceil(math.sqrt(len(self) / 2))))

    def grid(self) -> Tensor:
        """One picture of all, [3, height, width], uint8."""
        from torchvision.utils import make_grid

        images = self.images
        if images.shape[1] not in (1, 3):
            images = torch.cat(images.unbind(1), dim=-1).unsqueeze(1)
        columns = self.columns or math.ceil(math.sqrt(len(images)))
        zoom = max(1, 48 // max(images.shape[-2:]))
        images = images.repeat_interleave(zoom, -2).repeat_interleave(zoom, -1)
        return make_grid(images, nrow=columns, padding=2, pad_value=128)

    def save(self, path: str | Path) -> None:
        Image.fromarray(self.grid().permute(1, 2, 0).numpy()).save(path, format="PNG")

    def log(self, logger: Logger, key: str, step: int) -> None:
        if isinstance(logger, WandbLogger):
            logger.log_image(key, [self.grid().permute(1, 2, 0).numpy()])
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(key, self.grid(), step)


@dataclass(frozen=True)
class Texts(Rendering):
    """Texts.

    Args:
        texts: One string an example.
        counterparts: For each, the text it belongs beside; None where there is none.
    """

    texts: list[str]
    counterparts: list[str] | None = None

    suffix = ".txt"

    def __len__(self) -> int:
        return len(self.texts)

    def beside(self, other: Rendering) -> Texts:
        """Each text with its counterpart."""
        assert isinstance(other, Texts)
        return Texts(self.texts, other.texts)

    def lines(self) -> list[str]:
        """One line an example, line breaks escaped; a counterpart follows on a line of its own, marked ``->``."""
        escaped = [text.translate(LINE_BREAKS) for text in self.texts]
        if self.counterparts is None:
            return escaped
        others = [text.translate(LINE_BREAKS) for text in self.counterparts]
        return [line for pair in zip(escaped, others, strict=True) for line in (pair[0], f"-> {pair[1]}")]

    def save(self, path: str | Path) -> None:
        Path(path).write_text("\n".join(self.lines()) + "\n", encoding="utf-8")

    def log(self, logger: Logger, key: str, step: int) -> None:
        if self.counterparts is None:
            columns, rows = ["text"], [[text] for text in self.texts]
        else:
            columns = ["original", "reconstruction"]
            rows = [list(pair) for pair in zip(self.texts, self.counterparts, strict=True)]
        if isinstance(logger, WandbLogger):
            logger.log_table(key, columns=columns, data=rows)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text(key, "  \n".join(self.lines()), step)
