"""The run directory that a training writes into: made for it, or found, and locked for as long as it goes on."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

from lightning.pytorch.utilities import rank_zero_only

from lit_vae import runs
from lit_vae.run_lock import RunLock


class Claim:
    """What the first of the processes that train has made and locked; the others claim nothing.

    A context: at its end the lock is given back, and a directory that was made for a training that never began goes.
    """

    def __init__(self) -> None:
        self._lock: RunLock | None = None
        self._made: list[Path] = []
        self._begun = False

    @property
    def made(self) -> bool:
        """Whether the directory was made here."""
        return bool(self._made)

    def go_on(self, run_dir: Path) -> None:
        """Lock a run that there is.

        Raises:
            BlockingIOError: If another process trains it.
        """
        if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            self._lock = RunLock(run_dir)
            self._lock.acquire()

    def start(self, given: str | None, name: str, again: bool) -> Path:
        """Make the directory of a new run, and lock it.

        Args:
            given: The user's choice; None for ``runs/NAME-DATE-TIME``.
            name: Names the run when the user does not.
            again: Whether it may exist, empty or of a run that ended before its first checkpoint.

        Raises:
            OSError: If it exists, cannot be made, or another process trains there; the message names the flag.
        """
        path = runs.choose(given, name, again)
        if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
            return path
        if self._lock is not None:
            return path
        try:
            self._make(path, exist_ok=again)
        except FileExistsError:
            if given is None:  # another run of this second has taken the name
                return self.start(given, name, again)
            raise runs.refusal(path) from None
        self.go_on(path)
        return path

    def _make(self, path: Path, exist_ok: bool) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        try:
            for folder in reversed(missing[1:]):
                folder.mkdir(exist_ok=True)
                self._made.insert(0, folder)
            path.mkdir(exist_ok=exist_ok)
        except FileExistsError:
            raise
        except OSError as error:
            raise OSError(f"--run_dir {path} can not be made: {error.strerror} ({error.filename})") from error
        if missing:
            self._made.insert(0, path)

    def begin(self) -> None:
        """Training begins: from now on the directory stays."""
        self._begun = True

    def discard(self) -> None:
        """Remove a directory that was made here, with what little a training in which nothing happened left there."""
        if self._made:
            self._release()
            shutil.rmtree(self._made[0])
            self._remove(self._made[1:])

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _remove(self, folders: list[Path]) -> None:
        for folder in folders:
            try:
                folder.rmdir()
            except OSError:  # something else has come there
                return

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._release()
        if not self._begun:
            self._remove(self._made)
