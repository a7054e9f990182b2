"""Files that are whole, or are not there."""

from __future__ import annotations

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from lit_vae.damage import refuse_damaged

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # not a POSIX system: what a killed process left unfinished stays there
    flock = None  # type: ignore[assignment]

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""How an unfinished file is opened: it must not exist, not even as a link."""
UNSUPPORTED = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)
"""What a file system says that cannot put the names in a folder onto the disk when asked to."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what will take the place of ``path`` once it is whole; until then, and after an error, that stays.

    The unfinished file has a name of its own, so that two processes that write the same file do not mix: the one that
    ends last has it. What a killed process left unfinished is removed. Links are replaced, not followed. The new file
    has the permissions of the old one, or those of any new file, and is on the disk before it takes its place.

    Raises:
        OSError: If it cannot be written; it names ``path``.
    """
    try:
        _remove_left(path)
        unfinished = path.with_stem(f".{path.stem}.unfinished-{secrets.token_hex(4)}")
        held = os.open(unfinished, NEW, 0o666)
        try:
            _lock(held)
            with suppress(FileNotFoundError):
                old = path.lstat().st_mode
                if stat.S_ISREG(old):
                    os.fchmod(held, stat.S_IMODE(old))
            yield unfinished
            os.fsync(held)
            unfinished.replace(path)
        finally:
            os.close(held)
            unfinished.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_tensors(content: Any, path: Path) -> None:
    """Write what torch can save to a file, whole or not at all, without holding it in memory a second time.

    Raises:
        OSError: If it cannot be written; it names ``path``.
    """
    with replacing(path) as unfinished, Remembering(unfinished, "r+") as file:
        try:
            torch.save(content, file)
        except (RuntimeError, OSError):
            if file.reason is not None:
                raise OSError(*file.reason) from None
            raise


class Remembering(io.FileIO):
    """A file that remembers why it could not be written: torch says only that something went wrong."""

    reason: tuple[int | None, str | None] | None = None
    """Number and words of the error; not the error, which would keep alive what was at hand when it came."""

    def write(self, content: Any) -> int:
        """All of it."""
        try:
            whole = rest = memoryview(content).cast("B")
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.reason = error.errno, error.strerror
            raise
        return len(whole)


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's, which on a full disk leaves half a checkpoint where a good one was, and reads damaged ones."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_tensors(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None) -> dict[str, Any]:
        refuse_damaged(path)
        return super().load_checkpoint(path, map_location, weights_only)


def _lock(held: int) -> bool:
    """Take a file's lock, which its process loses when it ends, however it does; whether that was possible."""
    with suppress(OSError):
        if flock is not None:
            flock(held, LOCK_EX | LOCK_NB)
            return True
    return False


def _remove_left(path: Path) -> None:
    """Remove what killed processes left unfinished, which nobody holds a lock of."""
    beginning = f".{path.stem}.unfinished-"
    for left in [file for file in path.parent.iterdir() if file.name.startswith(beginning)]:
        with suppress(OSError):  # of another user, or another process was quicker
            held = os.open(left, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if left.suffix == path.suffix and _lock(held):
                    left.unlink()
            finally:
                os.close(held)


def _sync_folder(folder: Path) -> None:
    """Put the names in a folder onto the disk: a power cut takes no file back that has taken its place."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(held)
        finally:
            os.close(held)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
