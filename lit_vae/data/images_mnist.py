"""MNIST, in grey or dynamically binarized."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lit_vae.data.base import Split
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.fetching import fetching
from lit_vae.data.folders import existing_folder
from lit_vae.data.images import ImageDataModule, hold_out_last
from lit_vae.data.images_binarized import BinarizedDataset
from lit_vae.symbols import Pixels

TRAIN_FILE = "train-images-idx3-ubyte"
TEST_FILE = "t10k-images-idx3-ubyte"
MAGIC = 2051
MOST_BYTES = 1 << 30
"""Twenty times what MNIST has: a file that announces more is damaged, or made to fill the memory."""


class MNISTDataModule(ImageDataModule):
    """MNIST, 28x28: the first 50,000 of the training pictures to train, the last 10,000 to validate; 10,000 to test.

    Args:
        root: Folder that holds ``MNIST/raw``, torchvision's layout, compressed or not; only read from.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.
        download: Fetch what is missing into ``root``, through torchvision.
        binarize: Black and white instead of 256 grey levels, the grey level being the probability of white: drawn anew
            each time a training picture is seen, and once and for all for those that validate and test.
        val_size: Training pictures held out at the end.

    Source:
        LeCun et al., 1998, https://doi.org/10.1109/5.726791.
    """

    def __init__(
        self,
        root: str = "data",
        batch_size: int = 128,
        num_workers: int = 0,
        download: bool = False,
        binarize: bool = False,
        val_size: int = 10000,
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.root = root
        self.download = download
        self.binarize = binarize
        self.val_size = val_size

    @property
    def symbols(self) -> Pixels:
        if self.binarize:
            return Pixels("MNIST, binarized", 2, (1, 28, 28), "coin")
        return Pixels("MNIST", 256, (1, 28, 28))

    def prepare_data(self) -> None:
        """Download if asked to, and refuse a folder without the pictures before anything is built on it."""
        if self.download:
            from torchvision.datasets import MNIST

            with fetching("MNIST", self.root):
                MNIST(self.root, download=True)
        for name in (TRAIN_FILE, TEST_FILE):
            self._find(name)

    def read(self, split: Split) -> Tensor:
        if split == "test":
            images = read_idx(self._find(TEST_FILE))
        else:
            images = hold_out_last(read_idx(self._find(TRAIN_FILE)), split, self.val_size)
        return torch.from_numpy(images.copy()).unsqueeze(1)

    def dataset(self, split: Split) -> SymbolDataset:
        grey = super().dataset(split)
        return BinarizedDataset(grey, fresh=split == "train") if self.binarize else grey

    def _find(self, name: str) -> Path:
        folder = existing_folder(self.root, "or add --data.download true") / "MNIST" / "raw"
        for path in (folder / f"{name}.gz", folder / name):
            if path.is_file():
                return path
        raise FileNotFoundError(
            f"{folder} has no {name}.gz: name the folder that holds MNIST/raw with data.init_args.root (--data.root), "
            f"or add --data.download true"
        )


def read_idx(path: Path) -> np.ndarray:
    """Pictures of an IDX file, [N, H, W], uint8, not writable.

    Args:
        path: The file, compressed if its name ends in ``.gz``; no more of it is unpacked than it announces.

    Raises:
        ValueError: If it holds anything else, or more or less than it announces.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = np.frombuffer(file.read(16), ">u4", count=4).tolist()
            if header[0] == MAGIC and math.prod(header[1:]) > MOST_BYTES:
                raise ValueError(f"it announces {header[1]:,} pictures of {header[2]} by {header[3]}")
            content = file.read(math.prod(header[1:]) + 1) if header[0] == MAGIC else b""
    except (EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise damaged(path, str(error)) from error
    if header[0] != MAGIC:
        raise ValueError(f"{path} holds no pictures (it starts with {header[0]}, not {MAGIC}): fetch it again")
    if len(content) != math.prod(header[1:]):
        raise damaged(path, f"it holds {'more' if len(content) > math.prod(header[1:]) else 'less'} than it announces")
    return np.frombuffer(content, np.uint8).reshape(header[1:])


def damaged(path: Path, how: str) -> ValueError:
    """The error of a file that is not what was published."""
    return ValueError(f"{path} is damaged ({how}): fetch it again, or change data.init_args.root")
