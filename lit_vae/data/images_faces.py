"""CelebA-HQ and FFHQ: faces of up to 1024x1024, without official splits of their own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from lit_vae.data.base import Split
from lit_vae.data.images_folder import find_pictures
from lit_vae.data.images_stored import StoredImagesDataModule
from lit_vae.data.images_stores import ArrayStore, FileStore, PictureStore, Resample, Selection
from lit_vae.data.splits import permute

FOLDERS = (("train", "train_data"), ("val", "valid", "validation", "val_data"), ("test", "test_data"))
"""Names that scripts of papers give to the folders that train, validate and test."""


class FacesDataModule(StoredImagesDataModule, ABC):
    """What CelebA-HQ and FFHQ share: where their pictures are, and how they are divided.

    ``root`` holds one of these, looked for in this order:

    - ``NAME-SIZE.npy``, uint8 [N, size, size, 3], as VDVAE's ``ffhq-256.npy``. Only what is fetched is read.
    - folders that divide the pictures: train (or train_data), and val (valid, validation, val_data) or test or both.
      Where there is but one besides train, it tests, and the last ``val_size`` training pictures validate.
    - pictures, in folders or not, in the order of the numbers that their names are; divided here.

    Pictures larger than ``size`` are made smaller: likelihoods depend on the filter.

    Args:
        root: Folder of one of these layouts; only read from.
        size: Of each side.
        flip: Mirror training pictures left to right at random.
        bits: Of each grey level that are kept, 1 to 8, the upper ones: floor(v / 2^(8 - bits)).
        resample: Pillow's filter that makes pictures smaller.
        split_seed: Of the NumPy permutation whose last pictures test; None takes the last of them as they are.
        test_size: How many test.
        val_size: How many validate: those before.
        complete: Refuse a folder that does not hold all pictures of the set.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        root: str,
        size: int,
        flip: bool,
        bits: int,
        resample: Resample,
        split_seed: int | None,
        test_size: int,
        val_size: int,
        complete: bool,
        batch_size: int,
        num_workers: int,
    ) -> None:
        super().__init__(root, size, bits, flip, complete, batch_size, num_workers)
        if min(test_size, val_size) < 1:
            raise ValueError(
                f"test_size and val_size of data.init_args count up from 1, got {test_size} and {val_size}"
            )
        self.resample: Resample = resample
        self.split_seed = split_seed
        self.test_size = test_size
        self.val_size = val_size

    @property
    @abstractmethod
    def stem(self) -> str:
        """How the name of an array file begins."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Pictures of the whole set."""

    @property
    def layout(self) -> str:
        return f"pictures, folders train and val of them, or {self.stem}-{self.size}.npy"

    def find(self, folder: Path) -> dict[Split, PictureStore]:
        array = folder / f"{self.stem}-{self.size}.npy"
        if array.is_file():
            return self._divide(ArrayStore(array, self.size))
        train, val, test = (named(folder, names) for names in FOLDERS)
        if train is None or (val is None and test is None):
            return self._divide(self._files(folder))
        stores = [self._files(part) for part in (train, val, test) if part is not None]
        self.check_count(sum(map(len, stores)), self.count, "pictures")
        if len(stores) == 3:
            return {"train": stores[0], "val": stores[1], "test": stores[2]}
        parts = permute(len(stores[0]), None, self.val_size, 0)
        return {
            "train": Selection(stores[0], parts["train"]),
            "val": Selection(stores[0], parts["val"]),
            "test": stores[1],
        }

    def _divide(self, store: PictureStore) -> dict[Split, PictureStore]:
        self.check_count(len(store), self.count, "pictures")
        parts = permute(len(store), self.split_seed, self.val_size, self.test_size)
        return {split: Selection(store, positions) for split, positions in parts.items()}

    def _files(self, folder: Path) -> FileStore:
        paths = sorted(find_pictures(folder), key=lambda path: (not path.stem.isdigit(), number(path), path.as_posix()))
        return FileStore(folder, [path.as_posix() for path in paths], self.size, self.resample)


class CelebAHQDataModule(FacesDataModule):
    """CelebA-HQ in colour, 256x256 unless said otherwise: 30,000 pictures, of which 3,000 test.

    Neither paper's division can be repeated: Efficient-VDVAE's script draws 3,000 without a seed, NVAE takes that of
    Glow's files, which are gone. To evaluate a model of someone else, lay out the pictures in folders train and val.
    Where :class:`FacesDataModule` looks, the array file is ``celebahq-256.npy``.

    Args:
        root: Folder of one of the layouts; only read from.
        size: Of each side: 256, or up to 1024.
        flip: Mirror training pictures left to right at random, as both papers do.
        bits: Of each grey level that are kept, 1 to 8, the upper ones: floor(v / 2^(8 - bits)).
        resample: Pillow's filter that makes pictures smaller; the papers' is bilinear.
        split_seed: Of the NumPy permutation whose last pictures test; None takes the last of them as they are.
        test_size: How many test.
        val_size: How many validate: those before. The papers train on these, too.
        complete: Refuse a folder that does not hold all 30,000.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If a number is out of its range.

    Source:
        Karras et al., 2018, https://arxiv.org/abs/1710.10196.
    """

    title = "CelebA-HQ"
    stem = "celebahq"
    count = 30_000

    def __init__(
        self,
        root: str = "data/celebahq",
        size: int = 256,
        flip: bool = False,
        bits: int = 8,
        resample: Resample = "bilinear",
        split_seed: int | None = 0,
        test_size: int = 3000,
        val_size: int = 500,
        complete: bool = True,
        batch_size: int = 8,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            root, size, flip, bits, resample, split_seed, test_size, val_size, complete, batch_size, num_workers
        )


class FFHQDataModule(FacesDataModule):
    """FFHQ in colour, 256x256 unless said otherwise: 70,000 pictures, of which 7,000 test.

    The default division is VDVAE's at 256x256, given pictures in their numbers' order. VDVAE's at 1024x1024 is
    ``split_seed: null`` with ``test_size: 5000``, or its folders train and valid. Efficient-VDVAE's script draws 7,000
    without a seed, which cannot be repeated; NVAE holds out 7,000. Where :class:`FacesDataModule` looks, the array file
    is ``ffhq-256.npy``.

    Args:
        root: Folder of one of the layouts, such as ``images1024x1024``; only read from.
        size: Of each side: 256, or up to 1024.
        flip: Mirror training pictures left to right at random, as Efficient-VDVAE and NVAE do; VDVAE does not.
        bits: Of each grey level that are kept, 1 to 8, the upper ones: floor(v / 2^(8 - bits)).
        resample: Pillow's filter that makes pictures smaller; the papers' is bilinear.
        split_seed: Of the NumPy permutation whose last pictures test; None takes the last of them as they are.
        test_size: How many test.
        val_size: How many validate: those before. The papers train on these, too, and validate on what tests.
        complete: Refuse a folder that does not hold all 70,000.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If a number is out of its range.

    Source:
        Karras et al., 2019, https://arxiv.org/abs/1812.04948.
    """

    title = "FFHQ"
    stem = "ffhq"
    count = 70_000

    def __init__(
        self,
        root: str = "data/ffhq",
        size: int = 256,
        flip: bool = False,
        bits: int = 8,
        resample: Resample = "bilinear",
        split_seed: int | None = 5,
        test_size: int = 7000,
        val_size: int = 1000,
        complete: bool = True,
        batch_size: int = 8,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            root, size, flip, bits, resample, split_seed, test_size, val_size, complete, batch_size, num_workers
        )


def number(path: Path) -> int:
    """The number that a file's name is; 0 if it is none."""
    return int(path.stem) if path.stem.isdigit() else 0


def named(folder: Path, names: Sequence[str]) -> Path | None:
    """The folder in another that has one of these names; None if there is none."""
    return next((folder / name for name in names if (folder / name).is_dir()), None)
