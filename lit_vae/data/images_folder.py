"""A user's own folder of pictures."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch.utilities import rank_zero_warn
from PIL import Image, ImageOps
from torch import Tensor

from lit_vae.data.base import SPLITS, Split
from lit_vae.data.folders import existing_folder
from lit_vae.data.images import ImageDataModule
from lit_vae.data.images_decoding import SUFFIXES, Background, CorruptPicture, Mode, as_array, read_picture
from lit_vae.data.splits import divide, layout, present
from lit_vae.symbols import Pixels


class ImageFolderDataModule(ImageDataModule):
    """Pictures of a folder and all below it: PNG, JPEG, WebP, BMP, TIFF, GIF. Held in memory, in 8 bits.

    Folders train, val and test in ``root`` are the splits; to evaluate, val or test alone is enough. Where ``root``
    has none of them, or only train, a hash of each file's path in ``root``, and of the seed, divides the pictures.
    Hidden files are passed over. A camera's note of which side is up is heeded.
    A file of which something would be lost is refused: more than 8 bits a channel, bands beside grey or red, green and
    blue, a second page or frame, or transparency that no setting below covers.

    Args:
        root: The folder.
        mode: grey or rgb; unset, the pictures must agree.
        size: [height, width] of every picture; unset, the pictures must agree.
        fit: How a picture comes to ``size``: crop scales it until it covers the size and keeps the middle, stretch
            scales both sides apart, exact refuses a picture of another size. Scaling is Pillow's Lanczos filter.
        bits: Of each grey level, 1 to 8: keeps the upper ones, floor(v / 2^(8 - bits)), so 2^bits grey levels.
        flip: Mirror training pictures left to right at random.
        background: black or white behind transparent pixels; unset, a picture that has them is refused.
        first_frame: Of an animation or a file of several pages, take the first, instead of refusing.
        skip_corrupt: Pass over files that cannot be read, and say how many, instead of refusing.
        val_fraction: Part of the pictures that validates.
        test_fraction: Part of the pictures that tests.
        split_seed: Another seed, another division.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If arguments contradict each other.
    """

    def __init__(
        self,
        root: str,
        mode: Mode | None = None,
        size: tuple[int, int] | None = None,
        fit: Literal["crop", "stretch", "exact"] = "exact",
        bits: int = 8,
        flip: bool = False,
        background: Background | None = None,
        skip_corrupt: bool = False,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 0,
        batch_size: int = 64,
        num_workers: int = 0,
        first_frame: bool = False,
    ) -> None:
        super().__init__(batch_size, num_workers, flip, bits)
        if size is None and fit != "exact":
            raise ValueError(f"data.init_args.fit {fit} needs data.init_args.size: [height, width]")
        if size is not None and min(size) < 1:
            raise ValueError(f"data.init_args.size is [height, width], each from 1, got {list(size)}")
        if not (val_fraction > 0 and test_fraction > 0 and val_fraction + test_fraction < 1):
            raise ValueError(
                f"val_fraction and test_fraction of data.init_args are above 0 and their sum below 1, "
                f"got {val_fraction} and {test_fraction}"
            )
        self.root = root
        self.mode = mode
        self.size = size
        self.fit = fit
        self.background = background
        self.first_frame = first_frame
        self.skip_corrupt = skip_corrupt
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.split_seed = split_seed

    @cached_property
    def symbols(self) -> Pixels:
        """Grey levels and shape; the first picture's where ``mode`` or ``size`` is unset.

        Raises:
            FileNotFoundError: If the folder is missing or holds no picture.
            ValueError: If its pictures cannot be divided, or the first cannot be read.
        """
        first = self._first[1]
        height, breadth = self.size or (first.height, first.width)
        return Pixels(existing_folder(self.root).resolve().name, 2**self.bits, (len(first.getbands()), height, breadth))

    @cached_property
    def files(self) -> dict[Split, list[Path]]:
        """The files of each split that has any."""
        folder = existing_folder(self.root)
        pictures = find_pictures(folder)
        named = [split for split in SPLITS if (folder / split).is_dir()]
        kind = layout(named)
        if kind == "incomplete":
            raise ValueError(
                f"{folder} has folders {' and '.join(named)}, but the splits are train, val and test: add the third, "
                f"or change data.init_args.root (--data.root) to a folder whose pictures are to be divided by a seed"
            )
        chosen = self._by_hash(pictures) if kind == "divided" else by_folder(pictures)
        return {split: [folder / path for path in chosen[split]] for split in SPLITS if chosen[split]}

    @property
    def split_names(self) -> tuple[Split, ...]:
        return tuple(self.files)

    def num_examples(self, split: Split) -> int:
        return len(self._files(split))

    def _files(self, split: Split) -> list[Path]:
        count = sum(map(len, self.files.values()))
        return present(self.files, split, f"{self.root}, {count} pictures,")

    def read(self, split: Split) -> Tensor:
        files = self._files(split)
        images = torch.empty(len(files), *self.symbols.shape, dtype=torch.uint8)
        kept, corrupt = 0, []
        with ThreadPoolExecutor() as threads:
            for path, levels in zip(files, threads.map(self._levels, files), strict=True):
                if levels is None:
                    corrupt.append(path.name)
                else:
                    images[kept] = levels
                    kept += 1
        if corrupt:
            some = ", ".join(corrupt[:5]) + (", ..." if len(corrupt) > 5 else "")
            rank_zero_warn(f"skipped {len(corrupt)} of {len(files)} {split} pictures that cannot be read: {some}")
        if kept == 0:
            raise ValueError(f"none of the {len(files)} {split} pictures can be read: change data.init_args.root")
        return images[:kept]

    def _levels(self, path: Path) -> Tensor | None:
        """All 8 bits, [C, H, W], uint8; None for a corrupt file that may be skipped."""
        try:
            picture = self._picture(path)
        except CorruptPicture:
            if self.skip_corrupt:
                return None
            raise
        channels, height, breadth = self.symbols.shape
        if len(picture.getbands()) != channels:
            raise ValueError(
                f"{path} has {len(picture.getbands())} channels, {self._first[0]} has {channels}: "
                f"set data.init_args.mode to grey or rgb"
            )
        if self.fit == "exact" and picture.size != (breadth, height):
            origin = "data.init_args.size" if self.size else str(self._first[0])
            raise ValueError(
                f"{path} is {picture.height} high and {picture.width} wide, {origin} is {height} and {breadth}: "
                f"set data.init_args.size and data.init_args.fit to crop or stretch"
            )
        if self.fit == "crop":
            picture = ImageOps.fit(picture, (breadth, height), Image.Resampling.LANCZOS)
        elif self.fit == "stretch":
            picture = picture.resize((breadth, height), Image.Resampling.LANCZOS)
        return torch.from_numpy(as_array(picture))

    def _picture(self, path: Path) -> Image.Image:
        """The picture of a file, of whatever size."""
        return read_picture(path, self.mode, self.background, self.first_frame)

    @cached_property
    def _first(self) -> tuple[Path, Image.Image]:
        """The first picture that can be read: the others must agree with it."""
        for path in sorted(path for paths in self.files.values() for path in paths):
            try:
                return path, self._picture(path)
            except CorruptPicture:
                if not self.skip_corrupt:
                    raise
        raise ValueError(f"no picture in {self.root} can be read: change data.init_args.root (--data.root)")

    def _by_hash(self, pictures: list[Path]) -> dict[Split, list[Path]]:
        vals, tests = (max(1, round(part * len(pictures))) for part in (self.val_fraction, self.test_fraction))
        names = [path.as_posix() for path in pictures]
        return {
            split: [pictures[i] for i in chosen]
            for split, chosen in divide(names, self.split_seed, vals, tests).items()
        }


def find_pictures(folder: Path) -> list[Path]:
    """Picture files below a folder, relative to it, in order of their paths; hidden ones are passed over.

    Raises:
        FileNotFoundError: If there is none.
    """
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    visible = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    pictures = [path for path in visible if path.suffix.lower() in SUFFIXES]
    if not pictures:
        others = Counter(path.suffix or path.name for path in visible).most_common(3)
        held = ", ".join(f"{count} {suffix}" for suffix, count in others) or "nothing"
        raise FileNotFoundError(
            f"no pictures in {folder} (it holds {held}; pictures end in {', '.join(sorted(SUFFIXES))}): "
            f"change data.init_args.root (--data.root)"
        )
    return pictures


def by_folder(pictures: list[Path]) -> dict[Split, list[Path]]:
    """Pictures by the folder train, val or test that they are in.

    Raises:
        ValueError: If one is in none of them.
    """
    for path in pictures:
        if path.parts[0] not in SPLITS:
            raise ValueError(
                f"{path} is outside the folders train, val and test of data.init_args.root: move or remove it"
            )
    return {split: [path for path in pictures if path.parts[0] == split] for split in SPLITS}
