"""ImageNet, downsampled to 32x32 or 64x64."""

import re
from pathlib import Path
from typing import Literal

from lit_vae.data.base import Split
from lit_vae.data.images_batches import read_batch
from lit_vae.data.images_folder import find_pictures
from lit_vae.data.images_stored import StoredImagesDataModule
from lit_vae.data.images_stores import ArrayStore, FileStore, MemoryStore, PictureStore, Selection
from lit_vae.data.splits import permute

COUNTS = {"box": (1_281_167, 50_000), "small": (1_281_149, 49_999)}
"""Pictures that train and that test."""


class ImageNetDataModule(StoredImagesDataModule):
    """Downsampled ImageNet in colour: the official validation pictures test, 5,000 of the training pictures validate.

    Two different sets go by this name, and likelihoods on one say nothing about the other: a model at 3.69 bits/dim on
    the older at 32x32 has 3.43 on the newer. ``box`` is Chrabaszcz et al.'s of 2017, averaged over boxes: what
    image-net.org hands out, and what Efficient-VDVAE reports (3.58). ``small`` is van den Oord et al.'s of 2016, no
    longer handed out: what VDVAE (3.80), NVAE (3.92) and all before them report.

    ``root`` holds one of these, looked for in this order:

    - ``imagenet32-train.npy`` and ``imagenet32-valid.npy``, uint8 [N, 32, 32, 3], as VDVAE's scripts write them. Only
      what is fetched is read: the choice where several processes train, or memory is short.
    - ``train_data_batch_1`` to ``_10`` and ``val_data``, as image-net.org's archives hold them, with or without
      ``.npz``, here or in folders directly below. Held in memory by each process: 4 GB at 32x32, 16 GB at 64x64.
    - ``train_32x32`` and ``valid_32x32``, folders of PNG files.

    Args:
        root: Folder of one of these layouts; only read from.
        size: 32 or 64.
        version: Which set it is; the number of pictures must be its own.
        flip: Mirror training pictures left to right at random, as Efficient-VDVAE and NVAE do; VDVAE does not.
        bits: Of each grey level that are kept, 1 to 8, the upper ones: floor(v / 2^(8 - bits)).
        val_size: Training pictures that validate. VDVAE holds out the same, the default; NVAE and Efficient-VDVAE
            train on all, and validate on the test pictures (the latter on 10,000 of them).
        split_seed: Of the NumPy permutation whose last pictures validate; the default is VDVAE's.
        complete: Refuse a folder that does not hold all pictures of the set.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If a number is out of its range.

    Source:
        box: Chrabaszcz et al., 2017, https://arxiv.org/abs/1707.08819.
        small: van den Oord et al., 2016, https://arxiv.org/abs/1601.06759.
    """

    def __init__(
        self,
        root: str = "data/imagenet",
        size: Literal[32, 64] = 32,
        version: Literal["box", "small"] = "box",
        flip: bool = False,
        bits: int = 8,
        val_size: int = 5000,
        split_seed: int = 42,
        complete: bool = True,
        batch_size: int = 32,
        num_workers: int = 0,
    ) -> None:
        super().__init__(root, size, bits, flip, complete, batch_size, num_workers)
        if size not in (32, 64) or version not in COUNTS:
            raise ValueError(
                f"of data.init_args, size is 32 or 64 and version is box or small, got {size} and {version!r}"
            )
        self.version = version
        self.val_size = val_size
        self.split_seed = split_seed

    @property
    def title(self) -> str:
        return f"ImageNet ({self.version})"

    @property
    def layout(self) -> str:
        size = self.size
        return (
            f"imagenet{size}-train.npy and imagenet{size}-valid.npy; or train_data_batch_1 to _10 and val_data, with "
            f"or without .npz; or folders train_{size}x{size} and valid_{size}x{size}"
        )

    def find(self, folder: Path) -> dict[Split, PictureStore]:
        train, test = self._arrays(folder) or self._batches(folder) or self._files(folder) or self._nothing(folder)
        for store, count, what in zip((train, test), COUNTS[self.version], ("training", "test"), strict=True):
            self.check_count(len(store), count, f"{what} pictures")
        parts = permute(len(train), self.split_seed, self.val_size, 0)
        return {"train": Selection(train, parts["train"]), "val": Selection(train, parts["val"]), "test": test}

    def _arrays(self, folder: Path) -> tuple[PictureStore, PictureStore] | None:
        train, test = (folder / f"imagenet{self.size}-{part}.npy" for part in ("train", "valid"))
        if not (train.is_file() and test.is_file()):
            return None
        return ArrayStore(train, self.size), ArrayStore(test, self.size)

    def _batches(self, folder: Path) -> tuple[PictureStore, PictureStore] | None:
        def named(pattern: str) -> list[Path]:
            """Files of the name here or directly below, by their numbers."""
            paths = [path for glob in (pattern, f"*/{pattern}") for path in folder.glob(glob) if path.is_file()]
            return sorted(paths, key=lambda path: int(re.sub(r"\D", "", path.stem) or 0))

        train, test = named("train_data_batch_*"), named("val_data") + named("val_data.npz")
        if not train or not test:
            return None
        if len({path.stem for path in train}) < len(train) or len(test) > 1:
            raise ValueError(
                f"{folder} has several files of one name, {train[0].name} or {test[0].name}: name the folder of one "
                f"set with data.init_args.root (--data.root)"
            )
        return self._in_memory(train), self._in_memory(test)

    def _in_memory(self, paths: list[Path]) -> MemoryStore:
        return MemoryStore([read_batch(path, self.size) for path in paths])

    def _files(self, folder: Path) -> tuple[PictureStore, PictureStore] | None:
        train, test = (folder / f"{part}_{self.size}x{self.size}" for part in ("train", "valid"))
        if not (train.is_dir() and test.is_dir()):
            return None
        names = [[path.as_posix() for path in find_pictures(part)] for part in (train, test)]
        return FileStore(train, names[0], self.size), FileStore(test, names[1], self.size)

    def _nothing(self, folder: Path) -> tuple[PictureStore, PictureStore]:
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise FileNotFoundError(
            f"{folder} has no ImageNet at {self.size}x{self.size} (it holds {held}). Expected {self.layout}: change "
            f"data.init_args.root (--data.root)"
        )
