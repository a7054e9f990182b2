"""Run directories: where one is made, and what lies where in it."""

import datetime
import os
from pathlib import Path

RUN_DIR_VARIABLE = "LIT_VAE_RUN_DIR"
"""Tells the processes that Lightning launches for more devices which directory the first one chose."""


def choose(given: str | None, name: str) -> Path:
    """A run directory that does not exist yet.

    Args:
        given: The user's choice; None for ``runs/NAME-DATE-TIME``.
        name: Names the run when the user does not.

    Raises:
        FileExistsError: If the user's choice exists.
    """
    shared = os.environ.get(RUN_DIR_VARIABLE)
    if shared is not None and "LOCAL_RANK" in os.environ:
        return Path(shared)
    if given is None:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        candidates = [Path("runs") / f"{name}-{stamp}{suffix}" for suffix in ["", *(f"-{n}" for n in range(2, 100))]]
        chosen = next(path for path in candidates if not path.exists())
    else:
        chosen = Path(given)
        if chosen.exists():
            raise FileExistsError(
                f"--run_dir {chosen} exists: name another, or resume it with fit --ckpt_path {chosen}; "
                f"nothing was changed"
            )
    os.environ[RUN_DIR_VARIABLE] = str(chosen)
    return chosen


def make(path: Path) -> None:
    """Make a run directory.

    Raises:
        OSError: If that is not possible; the message names the flag.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"--run_dir {path} can not be made: {error.strerror} ({error.filename})") from error


def of_checkpoint(file: Path) -> Path | None:
    """The run directory of a checkpoint file; None for a file that was moved out of its run."""
    return file.parent.parent if file.parent.name == "checkpoints" else None
