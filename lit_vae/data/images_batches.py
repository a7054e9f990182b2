"""The batch files of downsampled ImageNet and of CIFAR: a dictionary whose ``data`` is a picture to a row."""

import io
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import torch
from torch import Tensor

CORES = ("numpy.core", "numpy._core")
"""Where functions of arrays are, before NumPy 2 and since."""
MOST_ROWS = 1_300_000
"""More than all of ImageNet has: a batch that announces more is damaged, or made to fill the memory."""


class Number:
    """Stands for the type of an array's numbers, which a pickle makes in two steps.

    Args:
        code: NumPy's, such as ``u1``.
    """

    def __init__(self, code: str, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """The byte order, and what structured types have: of bytes, nothing."""


class Array:
    """Stands for an array that a pickle makes: numbers as they lie in the file, which nothing looks at yet."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @classmethod
    def of_buffer(cls, content: Any, number: Any, shape: Any, order: Any) -> "Array":
        """An array as protocol 5 writes it."""
        array = cls()
        array.state = (1, shape, number, order == "F", content)
        return array

    def rows(self) -> np.ndarray:
        """The array, [N, width], uint8.

        Raises:
            TypeError: If it has other numbers.
            ValueError: If it has another shape than its length allows.
        """
        _, shape, number, by_columns, content = self.state
        if not isinstance(number, Number) or number.code != "u1":
            raise TypeError("data holds no bytes")
        content = content.encode("latin1") if isinstance(content, str) else content
        return np.frombuffer(bytearray(content), np.uint8).reshape(shape, order="F" if by_columns else "C")


def to_bytes(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes of Python 3."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode(encoding)


STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): Number,
    ("_codecs", "encode"): to_bytes,
    **{(f"{core}.multiarray", "_reconstruct"): Array for core in CORES},
    **{(f"{core}.multiarray", "scalar"): Array for core in CORES},
    **{(f"{core}.numeric", "_frombuffer"): Array.of_buffer for core in CORES},
}
"""All that a pickled dictionary of arrays may call, none of it NumPy's own: NumPy trusts what it is told."""


class ArrayUnpickler(pickle._Unpickler):
    """Reads arrays and plain values, and runs nothing that a file asks for.

    It is the one written in Python: that in C fills the memory where a damaged file tells it to.
    """

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for an allowed name.

        Raises:
            pickle.UnpicklingError: If it is not allowed.
        """
        if (module, name) not in STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return STAND_INS[module, name]


class Bounded(io.FileIO):
    """A file that is not asked for more than it has, which memory would be made for."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > os.fstat(self.fileno()).st_size - self.tell():
            raise EOFError("it is cut off")
        return super().read(size) or b""


NONSENSE = (
    *(AttributeError, AssertionError, LookupError, TypeError, ValueError, EOFError, OSError, RuntimeError, SyntaxError),
    *(OverflowError, MemoryError, RecursionError, struct.error, zlib.error, TokenError),
    *(zipfile.BadZipFile, pickle.UnpicklingError),
)
"""What is raised over a file that is damaged, or of another kind."""


def read_batch(path: Path, size: int) -> Tensor:
    """Pictures of a batch file, [N, 3, size, size], uint8.

    Args:
        path: An ``.npz`` archive, or a pickled dictionary.
        size: Of each side.

    Raises:
        ValueError: If it is damaged, is more than arrays, or holds other pictures.
    """
    try:
        rows = read_archive(path) if path.suffix == ".npz" else read_pickle(path)
    except (PermissionError, IsADirectoryError):
        raise
    except NONSENSE as error:
        raise ValueError(
            f"{path} cannot be read as a batch of pictures ({error}): fetch it again, or change data.init_args.root"
        ) from error
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != 3 * size**2:
        raise ValueError(
            f"{path} should hold uint8 rows [N, {3 * size**2}] of pictures of {size} by {size}, got {rows.dtype} "
            f"{list(rows.shape)}: change data.init_args.size or data.init_args.root"
        )
    return torch.from_numpy(rows).view(-1, 3, size, size)


def read_archive(path: Path) -> np.ndarray:
    """The rows in an ``.npz`` archive, whose checksums are verified.

    Raises:
        ValueError: If it holds something else, or more than is unpacked.
    """
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("data.npy")
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_columns, dtype = read(file)
            if dtype != np.uint8 or len(shape) != 2 or shape[0] > MOST_ROWS or by_columns:
                raise ValueError(f"it announces {dtype} {list(shape)}")
            content = bytearray(file.read(shape[0] * shape[1]))
            if len(content) < shape[0] * shape[1] or file.read(1):  # the last read compares the checksum
                raise ValueError("it holds more or less than it announces")
    return np.frombuffer(content, np.uint8).reshape(shape)


def read_pickle(path: Path) -> np.ndarray:
    """The rows in a pickled dictionary.

    Raises:
        pickle.UnpicklingError: If it asks for anything that no array needs.
        ValueError, TypeError, LookupError: If it holds something else.
    """
    with Bounded(path) as file:
        held = ArrayUnpickler(file, encoding="latin1").load()
    rows: np.ndarray = held["data"].rows()
    return rows
