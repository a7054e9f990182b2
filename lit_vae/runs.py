"""Run directories: where one is made, and what lies where in it."""

import datetime
import os
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

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
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        # only the first process writes: another that was not told by it needs no directory of its own
        return Path(os.environ.get(RUN_DIR_VARIABLE) or given or "runs")
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
        OSError: If that is not possible, or there is one by now; the message names the flag.
    """
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise OSError(f"--run_dir {path} can not be made: {error.strerror} ({error.filename})") from error


def of_checkpoint(file: Path) -> Path | None:
    """The run directory of a checkpoint file; None for a file that was moved out of its run."""
    run_dir = file.parent.parent
    return run_dir if file.parent.name == "checkpoints" and (run_dir / "config.yaml").is_file() else None
