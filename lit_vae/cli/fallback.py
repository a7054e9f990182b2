"""Which checkpoint a run goes on from where its newest one is damaged."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch.utilities import rank_zero_warn

from lit_vae import checkpoints
from lit_vae.cli import metrics_file
from lit_vae.csv_table import CSVTable
from lit_vae.damage import Damaged, refuse_damaged


def to_resume(path: str | Path) -> Path:
    """The checkpoint that training goes on from: of a run directory, the newest whole one, saying what is lost.

    Args:
        path: A run directory, or a checkpoint, which is taken as it is.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If a run has several, and all are damaged.
    """
    newest = checkpoints.find(path, "last")
    fault = fault_of(newest)
    if fault is None or newest == Path(path):
        return newest
    best, last = checkpoints.of_run(Path(path))
    faults = {file: fault_of(file) for file in {*best, *last}}
    whole = [file for file, found in faults.items() if found is None]
    if not whole:
        every = "; ".join(f"{file.name}: {found}" for file, found in sorted(faults.items()))
        raise ValueError(
            f"--ckpt_path {path}: no checkpoint of this run is whole ({every}): copy one from where the run was kept, "
            f"or start a new run with another --run_dir"
        )
    chosen = max(whole, key=lambda file: (checkpoints.step(file), file.stat().st_mtime))
    step, reached = checkpoints.step(chosen), last_step(Path(path))
    lost = f"{reached - step} steps are lost" if reached > step else "how many steps are lost is not known"
    rank_zero_warn(
        f"{newest} is damaged ({fault}): training goes on from {chosen}, step {step}; {lost}; "
        f"the damaged file is kept as {aside(newest)}"
    )
    return chosen


def fault_of(file: Path) -> str | None:
    """What is wrong with a checkpoint; None for a whole one."""
    try:
        refuse_damaged(file)
    except (Damaged, FileNotFoundError) as error:
        return str(error)
    return None


def last_step(run_dir: Path) -> int:
    """The last step that a run logged; -1 where it logged none, or what it logged is damaged, too."""
    try:
        return max((int(row["step"]) for row in CSVTable(run_dir / metrics_file.NAME).rows()), default=-1)
    except (KeyError, ValueError):
        return -1


def aside(file: Path) -> Path:
    """Where a damaged checkpoint goes before the run writes another under its name."""
    return file.with_name(f"damaged-{file.name}")


def put_aside(run_dir: Path) -> None:
    """Keep damaged checkpoints that the run would overwrite."""
    for file in checkpoints.of_run(run_dir)[1]:
        if fault_of(file) is not None:
            file.replace(aside(file))
