"""One process trains in a run directory; the next is refused, but not on behalf of one that is dead."""

from __future__ import annotations

import datetime
import errno
import importlib
import os
import socket
from pathlib import Path
from typing import Any

from lit_vae.notices import notice

try:
    fcntl: Any = importlib.import_module("fcntl")
except ImportError:  # Windows
    fcntl = None

NAME = ".lock"
HELD = (errno.EACCES, errno.EAGAIN)
"""What the system answers where another process holds the lock."""


class RunLock:
    """A lock on a run directory, held by this process from :meth:`acquire` to :meth:`release` or to its end.

    It is a record lock of POSIX, on ``.lock`` in the directory, which says who holds it. The system gives it up with
    the process that took it, however that ends: children, such as the workers that load data, which may live on after
    their parent was killed, do not share it. Where the file system has no locks, that is said, and nothing is locked.

    Args:
        run_dir: The directory; it exists.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.file = run_dir / NAME
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take it.

        Raises:
            BlockingIOError: If another process holds it; the message says which.
            OSError: If there can be no such file.
        """
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            self._lock(descriptor)
            if not is_same(descriptor, self.file):  # its last holder has just removed it
                os.close(descriptor)
                self.acquire()
                return
        except BlockingIOError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {now}\n".encode(), 0)

    def release(self) -> None:
        """Give it back, if it is held; the file goes."""
        if self._descriptor is not None:
            if is_same(self._descriptor, self.file):
                self.file.unlink()
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, descriptor: int) -> None:
        if fcntl is None:
            return
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in HELD:
                notice(
                    f"warning: {self.run_dir} is on a file system without locks ({error.strerror}): nothing keeps a "
                    f"second process from training there at the same time, which would spoil the run"
                )
                return
            who = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            raise BlockingIOError(
                f"{self.run_dir} is being trained by {who}: wait until it ends, or stop it; nothing was changed"
            ) from error


def is_same(descriptor: int, file: Path) -> bool:
    """Whether an open file is still the one under its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False
