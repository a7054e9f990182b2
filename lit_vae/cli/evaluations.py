"""What an evaluation found, kept with the run."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning.pytorch.loggers import WandbLogger

from lit_vae import checkpoints
from lit_vae.cli import metrics_file
from lit_vae.csv_table import CSVTable


def record(
    verb: str,
    run_dir: Path,
    checkpoint: Path,
    words: Sequence[str],
    found: Mapping[str, float],
    wandb: Sequence[WandbLogger],
) -> None:
    """Add what an evaluation found to ``VERB.csv`` of its run and to the summary of its W&B run, and say where it is.

    Args:
        verb: validate or test.
        run_dir: The run.
        checkpoint: What was evaluated.
        words: How: the flags of the command.
        found: The numbers.
        wandb: W&B's loggers; the last values of the training are handed to them again, so that their summary is whole
            in a record of this evaluation alone, as an offline one is.
    """
    file = run_dir / f"{verb}.csv"
    settings = {
        "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "checkpoint": checkpoint.name,
        "step": checkpoints.step(checkpoint),
        "arguments": shlex.join(words),
    }
    CSVTable(file).add(settings | dict(found))
    for logger in wandb:
        logger.experiment.summary.update(last_of_training(run_dir) | dict(found))
    places = [str(file), *(f"the summary of W&B's run {logger.version}" for logger in wandb)]
    print(f"kept in {' and in '.join(places)}")


def last_of_training(run_dir: Path) -> dict[str, float]:
    """The last value of everything that the training logged."""
    rows = CSVTable(run_dir / metrics_file.NAME).rows()
    return {name: float(value) for row in rows for name, value in row.items() if value and "/" in name}
