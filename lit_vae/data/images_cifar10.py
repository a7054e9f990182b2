"""CIFAR-10, from plain arrays or through torchvision."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lit_vae.data.arrays import mapped_array
from lit_vae.data.base import Split
from lit_vae.data.fetching import fetching
from lit_vae.data.folders import existing_folder
from lit_vae.data.images import ImageDataModule, hold_out_last
from lit_vae.symbols import Pixels

TRAIN_ARRAY = "cifar10_train.npy"
TEST_ARRAY = "cifar10_test1017.npy"
TORCHVISION_FOLDER = "cifar-10-batches-py"


class CIFAR10DataModule(ImageDataModule):
    """CIFAR-10, 32x32 in colour: the first 45,000 of the training pictures to train, the last 5,000 to validate.

    The test set is the official 10,000 where ``root`` has torchvision's ``cifar-10-batches-py``. Where it has arrays
    instead, ``cifar10_train.npy`` and ``cifar10_test1017.npy``, it is the first 1,017 of them, as the data's name says.

    Args:
        root: Folder that holds either layout; only read from.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.
        download: Fetch what is missing into ``root``, through torchvision.
        flip: Mirror training pictures left to right at random.
        val_size: Training pictures held out at the end.

    Source:
        Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf.
    """

    def __init__(
        self,
        root: str = "data",
        batch_size: int = 64,
        num_workers: int = 0,
        download: bool = False,
        flip: bool = False,
        val_size: int = 5000,
    ) -> None:
        super().__init__(batch_size, num_workers, flip)
        self.root = root
        self.download = download
        self.val_size = val_size

    @property
    def symbols(self) -> Pixels:
        official = self.download or self._torchvision.is_dir() or not self._torchvision.with_name(TRAIN_ARRAY).is_file()
        return Pixels("CIFAR-10" if official else "CIFAR-10, first 1,017 test pictures", 256, (3, 32, 32))

    def prepare_data(self) -> None:
        """Download if asked to, and refuse a folder without the pictures before anything is built on it."""
        if self.download:
            from torchvision.datasets import CIFAR10

            with fetching("CIFAR-10", self.root):
                CIFAR10(self.root, download=True)
        elif not self._torchvision.is_dir():
            for name in (TRAIN_ARRAY, TEST_ARRAY):
                self._find(name)

    def read(self, split: Split) -> Tensor:
        images = self._official(split) if self._torchvision.is_dir() else self._array(split)
        chosen = images if split == "test" else hold_out_last(images, split, self.val_size)
        return torch.from_numpy(chosen.transpose(0, 3, 1, 2).copy())

    @property
    def _torchvision(self) -> Path:
        return Path(self.root).expanduser() / TORCHVISION_FOLDER

    def _official(self, split: Split) -> np.ndarray:
        from torchvision.datasets import CIFAR10

        try:
            return np.asarray(CIFAR10(self.root, train=split != "test").data)
        except RuntimeError as error:
            raise ValueError(
                f"{self._torchvision} is incomplete or damaged: change data.init_args.root (--data.root), "
                f"or add --data.download true"
            ) from error

    def _array(self, split: Split) -> np.ndarray:
        path = self._find(TEST_ARRAY if split == "test" else TRAIN_ARRAY)
        images = mapped_array(path)
        if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3):
            raise ValueError(
                f"{path} should hold uint8 pictures [N, 32, 32, 3], got {images.dtype} {list(images.shape)}: "
                f"make it again, or change data.init_args.root"
            )
        return images

    def _find(self, name: str) -> Path:
        folder = existing_folder(self.root, "or add --data.download true")
        if (folder / name).is_file():
            return folder / name
        raise FileNotFoundError(
            f"{folder} has neither {name} nor {TORCHVISION_FOLDER}: name the folder that holds CIFAR-10 with "
            f"data.init_args.root (--data.root), or add --data.download true"
        )
