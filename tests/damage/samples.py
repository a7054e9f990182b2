"""A small file of each kind that lit_vae reads, and what it makes of it."""

import gzip
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from PIL import Image

from lit_vae import checkpoints
from lit_vae.cli import preflight
from lit_vae.corpora.files import Lines
from lit_vae.csv_table import CSVTable
from lit_vae.data import HuggingFaceTextDataModule, TextLinesDataModule
from lit_vae.data.images_batches import read_batch
from lit_vae.data.images_decoding import as_array, read_picture
from lit_vae.data.images_mnist import read_idx
from lit_vae.data.images_stores import ArrayStore
from lit_vae.importing.reading import read as read_foreign
from lit_vae.latent_stack import LatentStack, StackedLayer
from lit_vae.tokenizers import Characters

LINES = [f"{number} times {number + 1} is {number * (number + 1)}." for number in range(40)]
CONFIG = (
    "model:\n  head:\n    class_path: lit_vae.heads.LogisticPixelHead\n  objective:\n    init_args:\n      warmup: 10\n"
)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        write: Writes a whole one to a path.
        read: What lit_vae makes of it.
        suffix: Of its name.
        checked: Whether it has checksums: then it is read as it was written, or refused.
    """

    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    suffix: str
    checked: bool


def pixels(*shape: int) -> np.ndarray:
    """Smooth pictures with some noise, uint8."""
    noise = np.random.default_rng(0).integers(0, 40, shape)
    return (noise + np.linspace(0, 200, shape[-1]).astype(np.int64)).astype(np.uint8)


def write_checkpoint(path: Path) -> None:
    weights = {f"layer.{number}": torch.randn(8, 8) for number in range(4)}
    optimizer = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.randn(8, 8)}}}
    content = {"state_dict": weights, "optimizer_states": [optimizer], "global_step": 3, "config": CONFIG}
    torch.save(content | {checkpoints.FORMAT_KEY: checkpoints.FORMAT}, path)


def write_latents(path: Path) -> None:
    layer = StackedLayer("4x4.0", *(torch.randn(2, 4, 4, 3) for _ in range(5)))
    LatentStack((layer,), (8, 8), torch.arange(2)).save(path)


def read_latents(path: Path) -> Any:
    stack = LatentStack.load(path)
    return [vars(layer) for layer in stack.layers], stack.positions, stack.index, stack.mask


def write_idx(path: Path) -> None:
    content = b"".join(number.to_bytes(4) for number in (2051, 4, 28, 28)) + pixels(4, 28, 28).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_batch(path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps({"data": pixels(3, 3 * 8 * 8), "labels": [1, 2, 3]}, protocol))


def write_picture(path: Path, **settings: Any) -> None:
    Image.fromarray(pixels(16, 16, 3)).save(path, **settings)


def read_pixels(path: Path) -> np.ndarray:
    return as_array(read_picture(path, "rgb", None))


def read_array(path: Path) -> Any:
    store = ArrayStore(path, 8)
    return store[torch.arange(len(store))]


def read_config(path: Path) -> Any:
    config = preflight.read(path)
    preflight.check(config, str(path))
    return config


def rows_of(path: Path) -> Any:
    table = CSVTable(path, key="step", keep=lambda row: int(row["step"]) <= 100)
    table._open()
    return table.rows()


def read_cached(path: Path) -> Any:
    """The texts of a corpus whose token arrays are the file's, or beside it."""
    data = TextLinesDataModule(str(path.parents[2] / "texts.txt"), Characters(), 40, cache_dir=str(path.parents[1]))
    dataset = data.dataset("train")
    return data.symbols.state(), dataset.__getitems__(list(range(len(dataset)))).x


def write_rows(path: Path) -> None:
    datasets.Dataset.from_dict({"text": LINES}).to_parquet(path)


def read_rows(path: Path) -> Any:
    data = HuggingFaceTextDataModule(str(path), Characters(), 40, cache_dir=str(path.parent / "cache"))
    dataset = data.dataset("train")
    return data.symbols.tokenizer.state(), dataset.__getitems__(list(range(len(dataset)))).x


def lines_of(path: Path) -> list[str]:
    return list(Lines(path))


KINDS = {
    "checkpoint": Kind(write_checkpoint, checkpoints.read, ".ckpt", True),
    "latents": Kind(write_latents, read_latents, ".pt", True),
    "imported": Kind(
        lambda path: torch.save({"w": torch.randn(9)}, path), partial(read_foreign, which="raw"), ".pt", True
    ),
    "MNIST, packed": Kind(write_idx, read_idx, ".gz", True),
    "batch, npz": Kind(
        lambda path: np.savez(path, data=pixels(3, 192), labels=np.arange(3)), partial(read_batch, size=8), ".npz", True
    ),
    "batch, packed npz": Kind(
        lambda path: np.savez_compressed(path, data=pixels(3, 192)), partial(read_batch, size=8), ".npz", True
    ),
    "PNG": Kind(write_picture, read_pixels, ".png", True),
    "MNIST": Kind(write_idx, read_idx, "", False),
    "batch, pickled": Kind(partial(write_batch, protocol=2), partial(read_batch, size=8), "", False),
    "batch, pickled lately": Kind(partial(write_batch, protocol=5), partial(read_batch, size=8), "", False),
    "array": Kind(lambda path: np.save(path, pixels(3, 8, 8, 3)), read_array, ".npy", False),
    "JPEG": Kind(write_picture, read_pixels, ".jpg", False),
    "TIFF": Kind(write_picture, read_pixels, ".tif", False),
    "packed TIFF": Kind(partial(write_picture, compression="tiff_adobe_deflate"), read_pixels, ".tif", False),
    "GIF": Kind(write_picture, read_pixels, ".gif", False),
    "WebP": Kind(partial(write_picture, lossless=True), read_pixels, ".webp", False),
    "BMP": Kind(write_picture, read_pixels, ".bmp", False),
    "config": Kind(lambda path: path.write_text(CONFIG), read_config, ".yaml", False),
    "metrics": Kind(
        lambda path: path.write_text("step,loss\n" + "".join(f"{n},{n / 7}\n" for n in range(9))),
        rows_of,
        ".csv",
        False,
    ),
    "Parquet": Kind(write_rows, read_rows, ".parquet", False),
    "text": Kind(lambda path: path.write_text("\n".join(LINES)), lines_of, ".txt", False),
}


def told(value: Any) -> Any:
    """What a result is, to the last bit, as plain values that can be compared."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), list(value.shape), value.numpy().tobytes()
    if isinstance(value, np.ndarray):
        return str(value.dtype), list(value.shape), value.tobytes()
    if isinstance(value, dict):
        return [(key, told(some)) for key, some in value.items()]
    if isinstance(value, list | tuple):
        return [told(some) for some in value]
    return repr(value)
