"""CelebA, the aligned faces, cropped and made smaller."""

from collections import Counter
from pathlib import Path

from lit_vae.data.base import Split
from lit_vae.data.images_stored import StoredImagesDataModule
from lit_vae.data.images_stores import FileStore, PictureStore, Resample

FOLDER, PARTITION = "img_align_celeba", "list_eval_partition.txt"
ALIGNED, CROP = (178, 218), (15, 40, 163, 188)
COUNTS: dict[Split, int] = {"train": 162_770, "val": 19_867, "test": 19_962}
SPLITS: dict[str, Split] = {"0": "train", "1": "val", "2": "test"}


class CelebADataModule(StoredImagesDataModule):
    """CelebA in colour, 64x64 unless said otherwise, in its official splits: 162,770, 19,867 and 19,962 pictures.

    From each aligned picture of 178x218 the square from column 15 to 162 and row 40 to 187 is kept and made smaller, as
    in NVAE and Efficient-VDVAE. Likelihoods depend on crop and filter: compare only where both are the same.

    ``root`` holds torchvision's layout: ``celeba/img_align_celeba`` with the extracted pictures, and
    ``celeba/list_eval_partition.txt``; or ``root`` is that folder ``celeba``. The pictures' licence asks you to fetch
    them yourself, from https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.

    Args:
        root: Folder of that layout; only read from.
        size: Of each side, up to 148.
        flip: Mirror training pictures left to right at random, as both papers do.
        bits: Of each grey level that are kept, 1 to 8, the upper ones: floor(v / 2^(8 - bits)).
        resample: Pillow's filter; the papers' is bilinear.
        complete: Refuse a folder that does not hold all pictures that the partition lists.
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If a number is out of its range.

    Source:
        Liu et al., 2015, https://arxiv.org/abs/1411.7766.
    """

    title = "CelebA"
    layout = f"celeba/{FOLDER} and celeba/{PARTITION}"

    def __init__(
        self,
        root: str = "data",
        size: int = 64,
        flip: bool = False,
        bits: int = 8,
        resample: Resample = "bilinear",
        complete: bool = True,
        batch_size: int = 16,
        num_workers: int = 0,
    ) -> None:
        super().__init__(root, size, bits, flip, complete, batch_size, num_workers)
        if size > CROP[2] - CROP[0]:
            raise ValueError(f"data.init_args.size goes up to {CROP[2] - CROP[0]}, the cropped pictures', got {size}")
        self.resample: Resample = resample

    def find(self, folder: Path) -> dict[Split, PictureStore]:
        folder = folder / "celeba" if (folder / "celeba").is_dir() else folder
        pictures, partition = folder / FOLDER, folder / PARTITION
        for path in (pictures, partition):
            if not path.exists():
                zipped = f" ({path.name}.zip is there: extract it)" if path.with_suffix(".zip").exists() else ""
                raise FileNotFoundError(
                    f"{folder} has no {path.name}{zipped}: name the folder that holds {self.layout} "
                    f"with data.init_args.root (--data.root)"
                )
        splits = read_partition(partition)
        there = {path.name for path in pictures.iterdir()}
        listed = [name for names in splits.values() for name in names]
        missing = [name for name in listed if name not in there]
        if missing and self.complete:
            raise FileNotFoundError(
                f"{pictures} lacks {len(missing):,} of the {len(listed):,} pictures that {partition.name} lists, such "
                f"as {missing[0]}: complete it, or set data.init_args.complete to false"
            )
        found = {split: [name for name in names if name in there] for split, names in splits.items()}
        for split, names in found.items():
            self.check_count(len(names), COUNTS[split], f"pictures for {split}")
            if not names:
                raise FileNotFoundError(f"{pictures} has no picture for {split}: change data.init_args.root")
        return {
            split: FileStore(pictures, names, self.size, self.resample, CROP, ALIGNED) for split, names in found.items()
        }


def read_partition(path: Path) -> dict[Split, list[str]]:
    """Names of the pictures of each split.

    Args:
        path: A name and 0, 1 or 2 to a line.

    Raises:
        ValueError: If a line reads otherwise, a name is listed twice, or none is.
    """
    splits: dict[Split, list[str]] = {"train": [], "val": [], "test": []}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        name, _, split = line.strip().partition(" ")
        if split.strip() not in SPLITS:
            raise ValueError(
                f"line {number} of {path} is {line!r}, expected a picture's name and 0, 1 or 2: fetch it again"
            )
        splits[SPLITS[split.strip()]].append(name)
    counts = Counter(name for names in splits.values() for name in names)
    if not counts:
        raise ValueError(f"{path} lists no picture: fetch it again")
    name, count = counts.most_common(1)[0]
    if count > 1:
        raise ValueError(f"{path} lists {name} {count} times: fetch it again")
    return splits
