"""Pictures that stay where they are until a batch asks for them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_vae.data.arrays import mapped_array
from lit_vae.data.images_decoding import UnsuitablePicture, as_array, read_picture

Resample = Literal["box", "bilinear", "bicubic", "lanczos"]


class PictureStore(ABC):
    """Pictures that are fetched by their positions."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of pictures."""

    @abstractmethod
    def __getitem__(self, index: Tensor) -> Tensor:
        """The pictures at these positions, [len(index), C, H, W], uint8."""


class ArrayStore(PictureStore):
    """Pictures of an array file, [N, size, size, 3], uint8, of which only what is fetched is read.

    Args:
        path: The ``.npy`` file.
        size: Of each side.

    Raises:
        ValueError: If it holds anything else, or less than it announces.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        pictures = self._mapped()
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (size, size, 3):
            raise ValueError(
                f"{path} should hold uint8 pictures [N, {size}, {size}, 3], got {pictures.dtype} "
                f"{list(pictures.shape)}: change data.init_args.size or data.init_args.root"
            )
        self.count = len(pictures)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: Tensor) -> Tensor:
        return torch.from_numpy(np.array(self._mapped()[index.numpy()])).permute(0, 3, 1, 2).contiguous()

    def _mapped(self) -> np.ndarray:
        return mapped_array(self.path)


class FileStore(PictureStore):
    """Pictures of files in colour, each decoded when it is fetched.

    Args:
        folder: What the names are relative to.
        names: Of the files.
        size: Of each side.
        crop: Left, upper, right and lower edge of the square that is kept, of pictures of ``crop_from``; None for all.
        crop_from: Width and height of every file that is cropped.
        resample: Pillow's filter where a square has another size; None refuses it.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        size: int,
        resample: Resample | None = None,
        crop: tuple[int, int, int, int] | None = None,
        crop_from: tuple[int, int] | None = None,
    ) -> None:
        self.folder = folder
        self.names = names
        self.size = size
        self.resample = resample
        self.crop = crop
        self.crop_from = crop_from

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Tensor) -> Tensor:
        return torch.stack([torch.from_numpy(as_array(self._read(self.names[i]))) for i in index.tolist()])

    def _read(self, name: str) -> Image.Image:
        path = self.folder / name
        try:
            picture = read_picture(path, "rgb", None)
        except UnsuitablePicture as error:
            raise ValueError(f"{error.fault}: {error.cure}, or fetch it again") from error
        if self.crop is not None:
            if picture.size != self.crop_from:
                raise ValueError(
                    f"{path} is {picture.width} wide and {picture.height} high, the crop is for pictures of "
                    f"{self.crop_from}: replace it, or change data.init_args.root (--data.root)"
                )
            picture = picture.crop(self.crop)
        if picture.size == (self.size, self.size):
            return picture
        if self.resample is None or picture.width != picture.height or picture.width < self.size:
            least = "" if self.resample is None else ", or larger squares"
            raise ValueError(
                f"{path} is {picture.width} wide and {picture.height} high, expected pictures of {self.size} by "
                f"{self.size}{least}: change data.init_args.size or data.init_args.root"
            )
        return picture.resize((self.size, self.size), Image.Resampling[self.resample.upper()])


class MemoryStore(PictureStore):
    """Pictures of several tensors in memory, one after the other.

    Args:
        parts: Each [N_i, C, H, W], uint8.
    """

    def __init__(self, parts: Sequence[Tensor]) -> None:
        self.parts = parts
        self.ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: Tensor) -> Tensor:
        which = torch.searchsorted(self.ends, index, right=True)
        within = index - torch.cat([torch.zeros(1, dtype=torch.int64), self.ends])[which]
        rows = [self.parts[part][row] for part, row in zip(which.tolist(), within.tolist(), strict=True)]
        return torch.stack(rows)


class Selection(PictureStore):
    """Some pictures of a store.

    Args:
        store: All of them.
        positions: Of those that are meant, in order.
    """

    def __init__(self, store: PictureStore, positions: np.ndarray) -> None:
        self.store = store
        self.positions = torch.from_numpy(positions)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.store[self.positions[index]]
