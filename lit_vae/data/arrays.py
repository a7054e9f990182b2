"""Arrays in ``.npy`` files, mapped; never pickled objects."""

from pathlib import Path
from tokenize import TokenError

import numpy as np


def mapped_array(path: Path) -> np.ndarray:
    """The array of a file, of which only what is used is read.

    The file has no checksum: what it says of itself is compared with its length.

    Raises:
        ValueError: If it is cut off, longer than it says, or no array of numbers.
    """
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.memmap):
            raise ValueError("it is no array")
        announced, length = array.offset + array.nbytes, path.stat().st_size
        if announced != length:
            raise ValueError(f"it announces {announced:,} bytes and has {length:,}")
    # NumPy raises these over headers that are nonsense
    except (ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError, LookupError, TokenError) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is damaged ({reason}): make it again, or change data.init_args.root") from error
    return array
