"""Loggers of a run: Weights & Biases with or without an account, whatever the user names, and a CSV file always."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

from lit_vae.cli.words import flags

WANDB = {"class_path": "lightning.pytorch.loggers.WandbLogger"}
PROJECT = "lit_vae"
CSV = "lightning.pytorch.loggers.CSVLogger"
WANT_FOLDER = ("CSVLogger", "TensorBoardLogger")
"""Loggers that cannot be named without a folder; :func:`complete` then sets it to the run directory."""


def placed(words: list[str], given: Any) -> list[str]:
    """A command line that names a folder for a logger that wants one, so that its class path alone suffices.

    Args:
        words: The command line.
        given: What the config files say of the logger.
    """
    arguments = given.get("init_args") or {} if isinstance(given, dict) else {}
    named = str(given.get("class_path")) if isinstance(given, dict) and "save_dir" not in arguments else ""
    for flag, value in flags(words):
        if flag in ("--trainer.logger", "--trainer.logger.class_path"):
            named = value
        elif flag in ("--trainer.logger.save_dir", "--trainer.logger.init_args.save_dir"):
            return words
    return [*words, "--trainer.logger.init_args.save_dir=."] if named.endswith(WANT_FOLDER) else words


def complete(given: Any, run_dir: Path | None) -> Any:
    """The loggers that were asked for, all writing into the run directory, and a CSV file.

    Args:
        given: What the config says: one logger, several, True or None for the CSV file alone, False for nothing.
        run_dir: Where they write; None for a loose checkpoint, which logs nothing.
    """
    if given is False or run_dir is None:
        return False
    chosen = list(given) if isinstance(given, list) else [] if given in (None, True) else [given]
    if not any(logger.class_path.endswith("CSVLogger") for logger in chosen):
        chosen.append(Namespace(class_path=CSV, init_args=Namespace(name="metrics", save_dir=None)))
    for logger in chosen:
        arguments = logger.init_args
        if "save_dir" in arguments and arguments.save_dir in (None, "."):
            arguments.save_dir = str(run_dir.absolute())  # W&B writes from a process of its own
        if logger.class_path.endswith("WandbLogger"):
            arguments.name = arguments.get("name") or run_dir.name
            arguments.project = arguments.get("project") or os.environ.get("WANDB_PROJECT") or PROJECT
            arguments.version = arguments.get("version") or recorded_id(run_dir)
            if arguments.get("offline") or is_offline():
                arguments.offline = True
                # W&B reads its environment once, at the login that was just tried; the logger only sets it there
                arguments.mode = "offline"
    return chosen


def recorded_id(run_dir: Path) -> str | None:
    """The id under which W&B already knows a run that is resumed; None for a new one."""
    folders = sorted((run_dir / "wandb").glob("*run-*-*"))
    return folders[-1].name.rpartition("-")[2] if folders else None


def is_offline() -> bool:
    """Whether W&B is to record offline: by ``WANDB_MODE``, or because nobody is logged in."""
    mode = os.environ.get("WANDB_MODE")
    if mode is not None:
        return mode in ("offline", "dryrun")
    import wandb

    return not wandb.login(prompt=False, verify=False)


def announce(trainer: Trainer, run_dir: Path) -> None:
    """Say in one line how to view what W&B records offline."""
    if any(isinstance(logger, WandbLogger) and logger._offline for logger in trainer.loggers):
        folder = run_dir / "wandb"
        print(f"W&B: recording offline; view: wandb leet {folder}; upload: wandb sync {folder}/offline-run-*")


def finish(exit_code: int) -> None:
    """End W&B's run, so that the next one in this process is another.

    Args:
        exit_code: 0 marks it as finished, others as failed.
    """
    import wandb

    if wandb.run is not None:
        wandb.finish(exit_code)


def discard() -> None:
    """End W&B's run, and remove what was recorded of it offline: of a training in which nothing happened."""
    import wandb

    if wandb.run is None:
        return
    folder = Path(wandb.run.dir).parent
    wandb.finish(exit_code=1)
    if folder.name.startswith("offline-run-"):
        shutil.rmtree(folder)
