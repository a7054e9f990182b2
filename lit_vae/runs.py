"""Run directories: where one goes, and what lies where in it."""

import datetime
import os
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from lit_vae import checkpoints, run_lock
from lit_vae.commands import command

CONFIG = "config.yaml"
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
            raise refusal(chosen)
    os.environ[RUN_DIR_VARIABLE] = str(chosen)
    return chosen


def refuse_others(path: Path) -> None:
    """Refuse a directory in which no run can begin again.

    Raises:
        FileExistsError: If it holds something, and no run's config is there.
    """
    if path.exists() and not (path.is_dir() and (is_empty(path) or (path / CONFIG).is_file())):
        raise refusal(path)


def refusal(path: Path) -> FileExistsError:
    """Why no new run goes where something is, and the command that goes on in the state that it is in."""
    how = "exists and is no run of lit_vae: name another"
    if path.is_dir() and any(checkpoints.of_run(path)):
        how = f"holds a run: go on with it with {command('fit', '--ckpt_path', path)}, or name another"
    elif (path / CONFIG).is_file():
        how = (
            f"holds a run of which nothing was trained yet: begin it with {command('fit', '--ckpt_path', path)}, or "
            f"name another"
        )
    elif path.is_dir() and is_empty(path):
        how = "exists: name another, or add --resume auto, which starts in an empty directory"
    return FileExistsError(f"--run_dir {path} {how}; nothing was changed")


def is_empty(path: Path) -> bool:
    """Whether a directory holds nothing but what is left of a process that was about to begin there."""
    return all(file.name == run_lock.NAME for file in path.iterdir())


def is_begun(path: Path) -> bool:
    """Whether a run was begun in a directory, and ended before its first checkpoint."""
    return (path / CONFIG).is_file() and not any(checkpoints.of_run(path))


def of_checkpoint(file: Path) -> Path | None:
    """The run directory of a checkpoint file; None for a file that was moved out of its run."""
    requeued = file.match(checkpoints.REQUEUED)
    run_dir = file.parent if requeued else file.parent.parent
    inside = requeued or file.parent.name == "checkpoints"
    return run_dir if inside and (run_dir / CONFIG).is_file() else None
