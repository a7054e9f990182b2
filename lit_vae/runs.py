"""Run directories: where one is made, and what lies where in it."""

import datetime
import os
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from lit_vae import checkpoints

RUN_DIR_VARIABLE = "LIT_VAE_RUN_DIR"
"""Tells the processes that Lightning launches for more devices which directory the first one chose."""


def choose(given: str | None, name: str, resume: bool = False) -> Path:
    """A run directory that does not exist yet.

    Args:
        given: The user's choice; None for ``runs/NAME-DATE-TIME``.
        name: Names the run when the user does not.
        resume: Whether it may exist, empty or of a run that ended before its first checkpoint.

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
        if resume:
            refuse_others(chosen)
        elif chosen.exists():
            raise FileExistsError(
                f"--run_dir {chosen} exists: name another, or resume it with fit --ckpt_path {chosen}; "
                f"nothing was changed. A command with --resume auto can be repeated"
            )
    os.environ[RUN_DIR_VARIABLE] = str(chosen)
    return chosen


def refuse_others(path: Path) -> None:
    """Refuse a directory in which no run can begin again.

    Raises:
        FileExistsError: If it holds something, and no run's config is there.
    """
    if path.exists() and (not path.is_dir() or (any(path.iterdir()) and not (path / "config.yaml").is_file())):
        raise FileExistsError(f"--run_dir {path} exists and is no run of lit_vae: name another; nothing was changed")


def make(path: Path, exist_ok: bool = False) -> None:
    """Make a run directory.

    Args:
        path: Where.
        exist_ok: Whether there may be one already.

    Raises:
        OSError: If that is not possible, or there is one by now; the message names the flag.
    """
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        raise OSError(f"--run_dir {path} can not be made: {error.strerror} ({error.filename})") from error


def of_checkpoint(file: Path) -> Path | None:
    """The run directory of a checkpoint file; None for a file that was moved out of its run."""
    requeued = file.match(checkpoints.REQUEUED)
    run_dir = file.parent if requeued else file.parent.parent
    inside = requeued or file.parent.name == "checkpoints"
    return run_dir if inside and (run_dir / "config.yaml").is_file() else None
