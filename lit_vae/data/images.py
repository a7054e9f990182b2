"""Pictures held in memory, and what every data module of pictures is."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from lit_vae.batch import Batch
from lit_vae.data.base import Split, SymbolDataModule
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.visits import Visits
from lit_vae.symbols import Pixels


class ImageDataset(SymbolDataset):
    """Pictures in one array.

    Args:
        images: Grey levels, [N, C, H, W], uint8.
        flip: Mirror each picture left to right with probability one half every time it is seen.
    """

    def __init__(self, images: Tensor, flip: bool = False) -> None:
        self.images = images
        self.flip = flip
        self._visits = Visits(b"flip")

    def __len__(self) -> int:
        return len(self.images)

    def set_epoch(self, seed: int, epoch: int) -> None:
        self._visits.set_epoch(seed, epoch)

    def __getitems__(self, indices: list[int]) -> Batch:
        index = torch.tensor(indices)
        x = self.images[index]
        if self.flip:
            mirrored = self._visits.noise(indices).uniform((len(x), 1, 1, 1)) < 0.5
            x = torch.where(mirrored, x.flip(-1), x)
        return Batch(x, None, index)


class ImageDataModule(SymbolDataModule, ABC):
    """Three splits of pictures, each read into memory when it is first asked for.

    Args:
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.
        flip: Mirror training pictures left to right at random.
    """

    def __init__(self, batch_size: int, num_workers: int = 0, flip: bool = False) -> None:
        super().__init__(batch_size, num_workers)
        self.flip = flip
        self._images: dict[Split, Tensor] = {}

    @property
    @abstractmethod
    def symbols(self) -> Pixels:
        """Name, grey levels and shape."""

    @abstractmethod
    def read(self, split: Split) -> Tensor:
        """The pictures of a split, [N, C, H, W], uint8."""

    def images(self, split: Split) -> Tensor:
        """The pictures of a split, [N, C, H, W], uint8; read once."""
        if split not in self._images:
            self._images[split] = self.read(split)
        return self._images[split]

    def dataset(self, split: Split) -> SymbolDataset:
        return ImageDataset(self.images(split), flip=self.flip and split == "train")


def hold_out_last(images: np.ndarray, split: Split, val_size: int) -> np.ndarray:
    """The part of an official training set that trains, or the part that validates: its last ``val_size`` pictures.

    Raises:
        ValueError: If that leaves one of the two empty.
    """
    if not 0 < val_size < len(images):
        raise ValueError(
            f"data.init_args.val_size holds out some of the {len(images)} training pictures, from 1, got {val_size}"
        )
    return images[:-val_size] if split == "train" else images[-val_size:]
