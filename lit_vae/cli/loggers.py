"""Loggers of a run: Weights & Biases with or without an account, whatever the user names, and a CSV file always."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

WANDB = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"project": "lit_vae"}}
CSV = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"name": "metrics"}}


def complete(given: Any, run_dir: Path | None) -> Any:
    """The loggers that were asked for, all writing into the run directory, and a CSV file.

    Args:
        given: What the config says: one logger, several, or True, False or None.
        run_dir: Where they write; None for a loose checkpoint, which logs nothing.
    """
    if given is False or run_dir is None:
        return False
    chosen = list(given) if isinstance(given, list) else [] if given in (None, True) else [given]
    chosen = [*chosen, Namespace(class_path=CSV["class_path"], init_args=Namespace(CSV["init_args"]))]
    for logger in chosen:
        arguments = logger.init_args
        if arguments.get("save_dir") in (None, "."):
            arguments.save_dir = str(run_dir)
        if logger.class_path.endswith("WandbLogger"):
            arguments.name = arguments.get("name") or run_dir.name
            arguments.version = arguments.get("version") or recorded_id(run_dir)
            if arguments.get("offline") or is_offline():
                arguments.offline = True
                # W&B reads its environment once, at the login that was just tried; the logger only sets it there
                logger.dict_kwargs = {**(logger.get("dict_kwargs") or {}), "mode": "offline"}
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
    offline = any(isinstance(logger, WandbLogger) and logger._offline for logger in trainer.loggers)
    if offline and trainer.is_global_zero:
        folder = run_dir / "wandb"
        print(f"W&B: recording offline; view: wandb leet {folder}; upload: wandb sync {folder}/offline-run-*")
