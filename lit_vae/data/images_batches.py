"""The batch files of downsampled ImageNet and of CIFAR: a dictionary whose ``data`` is a picture to a row."""

import codecs
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

CORES = ("numpy.core", "numpy._core")
"""Where functions of arrays are, before NumPy 2 and since."""

ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
    **{(f"{core}.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0] for core in CORES},
    **{(f"{core}.multiarray", "scalar"): np.float64(0).__reduce__()[0] for core in CORES},
    **{(f"{core}.numeric", "_frombuffer"): np.empty(0).__reduce_ex__(5)[0] for core in CORES},
}
"""All that a pickled dictionary of arrays may call. A pickle that calls anything else could be a program."""


class ArrayUnpickler(pickle.Unpickler):
    """Reads arrays and plain values, and runs nothing else that a file asks for."""

    def find_class(self, module: str, name: str) -> Any:
        """The function of an allowed name.

        Raises:
            pickle.UnpicklingError: If it is not allowed.
        """
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return ALLOWED[module, name]


def read_batch(path: Path, size: int) -> Tensor:
    """Pictures of a batch file, [N, 3, size, size], uint8.

    Args:
        path: An ``.npz`` archive, or a pickled dictionary.
        size: Of each side.

    Raises:
        ValueError: If it is damaged, is more than arrays, or holds other pictures.
    """
    try:
        rows = np.asarray(read_dictionary(path)["data"])
    except (KeyError, TypeError, ValueError, EOFError, OSError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} cannot be read as a batch of pictures ({error}): fetch it again, or change data.init_args.root"
        ) from error
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != 3 * size**2:
        raise ValueError(
            f"{path} should hold uint8 rows [N, {3 * size**2}] of pictures of {size} by {size}, got {rows.dtype} "
            f"{list(rows.shape)}: change data.init_args.size or data.init_args.root"
        )
    return torch.from_numpy(rows).view(-1, 3, size, size)


def read_dictionary(path: Path) -> Any:
    """What a batch file holds."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {"data": archive["data"]}
    with path.open("rb") as file:
        return ArrayUnpickler(file, encoding="latin1").load()
