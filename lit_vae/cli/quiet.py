"""Keeps the console to what a user can act on."""

import logging
import os
import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parents[1])


def quieten() -> None:
    """Silence product tips, chatter and warnings that a user of the command line can do nothing about."""
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_CONSOLE", "off")
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # Lightning makes the calls
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")  # bars are for terminals
    logging.raiseExceptions = False  # where there is no room for a log, the error that counts is said once
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # a profile that was asked for
    from lightning.fabric.utilities.warnings import PossibleUserWarning

    warnings.formatwarning = plain
    warnings.filterwarnings("ignore", category=PossibleUserWarning)
    for harmless in (
        ".*LeafSpec.*",
        ".*isinstance.treespec.*",
        ".*sync_dist=True.*",
        ".*does not have many workers.*",
        ".* available but not used.*",  # another device than the one that was asked for
        ".*is already saved during checkpointing.*",
        ".*could not find the monitored key.*",  # a run that ends before its first validation
        "The dirpath has changed.*",  # of a run that was moved: its best checkpoint is found by score
        "Be aware that when using .ckpt_path., callbacks.*",  # what changed is said in our own words
        "Checkpoint directory .* exists and is not empty",  # it is when a run is resumed
    ):
        warnings.filterwarnings("ignore", message=harmless)


def plain(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """A warning on one line: our own without the place in our code, which says nothing to a user."""
    said = "warning" if filename.startswith(PACKAGE) else f"{filename}:{lineno}: {category.__name__}"
    return f"{said}: {message}\n"
