"""Files that are whole, or are not there."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what will take the place of ``path`` once it is whole; until then, and after an error, that stays.

    Raises:
        OSError: If it cannot be written; it names ``path``.
    """
    unfinished = path.with_stem(f".{path.stem}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's, which on a full disk leaves half a checkpoint where a good one was."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(path)) as file:
            file.write_bytes(content.getbuffer())
