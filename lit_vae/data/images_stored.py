"""What the data modules of large, published sets of pictures share: they stay on disk, and their names are official."""

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

from lit_vae.data.base import Split
from lit_vae.data.folders import existing_folder
from lit_vae.data.images import ImageDataModule
from lit_vae.data.images_stores import PictureStore
from lit_vae.symbols import Pixels


class StoredImagesDataModule(ImageDataModule, ABC):
    """Three splits of square pictures in colour that are fetched batch by batch.

    Args:
        root: Folder of the pictures; only read from.
        size: Of each side.
        bits: Of each grey level that are kept, 1 to 8, the upper ones: floor(v / 2^(8 - bits)).
        flip: Mirror training pictures left to right at random.
        complete: Refuse a folder that does not hold all pictures of the set.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self, root: str, size: int, bits: int, flip: bool, complete: bool, batch_size: int, num_workers: int
    ) -> None:
        super().__init__(batch_size, num_workers, flip, bits)
        if size < 1:
            raise ValueError(f"data.init_args.size counts up from 1, got {size}")
        self.root = root
        self.size = size
        self.complete = complete

    @property
    @abstractmethod
    def title(self) -> str:
        """What the set is called."""

    @property
    @abstractmethod
    def layout(self) -> str:
        """What ``root`` holds, for messages."""

    @property
    def symbols(self) -> Pixels:
        name = f"{self.title} {self.size}"
        name += f", {self.bits} bits" if self.bits < 8 else ""
        name += "" if self.complete else ", perhaps not all of it"
        return Pixels(name, 2**self.bits, (3, self.size, self.size))

    @abstractmethod
    def find(self, folder: Path) -> dict[Split, PictureStore]:
        """The splits, found below ``root``.

        Raises:
            FileNotFoundError: If they are not there.
            ValueError: If something else is.
        """

    @cached_property
    def splits(self) -> dict[Split, PictureStore]:
        """Where the pictures of each split are."""
        return self.find(existing_folder(self.root, f"to a folder that holds {self.layout}"))

    def prepare_data(self) -> None:
        """Refuse a folder without the pictures before anything is built on it."""
        _ = self.splits

    def read(self, split: Split) -> PictureStore:
        return self.splits[split]

    def check_count(self, found: int, published: int, what: str) -> None:
        """Refuse another number of pictures than was published, unless a part is asked for.

        Args:
            found: How many there are.
            published: How many there should be.
            what: Of which pictures, for the message.

        Raises:
            ValueError: If the numbers differ.
        """
        if self.complete and found != published:
            raise ValueError(
                f"{self.root} has {found:,} {what}, {self.title} has {published:,}: complete it, or set "
                f"data.init_args.complete to false, and compare the likelihood with no published one"
            )
