"""Pictures by their numbers, and what every data module of pictures is."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from lit_vae.batch import Batch
from lit_vae.data.base import Split, SymbolDataModule
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.images_stores import PictureStore
from lit_vae.data.visits import Visits
from lit_vae.quantization import quantize
from lit_vae.symbols import Pixels


class ImageDataset(SymbolDataset):
    """Pictures in one array, or on disk.

    Args:
        images: Grey levels, [N, C, H, W], uint8.
        flip: Mirror each picture left to right with probability one half every time it is seen.
        bits: Of each grey level that are kept, the upper ones: floor(v / 2^(8 - bits)).
    """

    def __init__(self, images: Tensor | PictureStore, flip: bool = False, bits: int = 8) -> None:
        self.images = images
        self.flip = flip
        self.bits = bits
        self._visits = Visits(b"flip")

    def __len__(self) -> int:
        return len(self.images)

    def set_epoch(self, seed: int, epoch: int) -> None:
        self._visits.set_epoch(seed, epoch)

    def as_evaluated(self) -> SymbolDataset:
        return ImageDataset(self.images, bits=self.bits)

    def __getitems__(self, indices: list[int]) -> Batch:
        index = torch.tensor(indices)
        x = quantize(self.images[index], 2**self.bits, "floor")
        if self.flip:
            mirrored = self._visits.noise(indices).uniform((len(x), 1, 1, 1)) < 0.5
            x = torch.where(mirrored, x.flip(-1), x)
        return Batch(x, None, index)


class ImageDataModule(SymbolDataModule, ABC):
    """Three splits of pictures, each read when it is first asked for.

    Args:
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.
        flip: Mirror training pictures left to right at random.
        bits: Of each grey level that are kept, 1 to 8, the upper ones: floor(v / 2^(8 - bits)).

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(self, batch_size: int, num_workers: int = 0, flip: bool = False, bits: int = 8) -> None:
        super().__init__(batch_size, num_workers)
        if not 1 <= bits <= 8:
            raise ValueError(f"data.init_args.bits goes from 1 to 8, got {bits}")
        self.flip = flip
        self.bits = bits
        self._images: dict[Split, Tensor | PictureStore] = {}

    @property
    @abstractmethod
    def symbols(self) -> Pixels:
        """Name, grey levels and shape."""

    @abstractmethod
    def read(self, split: Split) -> Tensor | PictureStore:
        """The pictures of a split, [N, C, H, W], uint8, or where they are."""

    def images(self, split: Split) -> Tensor | PictureStore:
        """The pictures of a split, [N, C, H, W], uint8, or where they are; read once."""
        if split not in self._images:
            self._images[split] = self.read(split)
        return self._images[split]

    def num_examples(self, split: Split) -> int:
        return len(self._images[split] if split in self._images else self.read(split))

    def dataset(self, split: Split) -> SymbolDataset:
        return ImageDataset(self.images(split), self.flip and split == "train", self.bits)


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
