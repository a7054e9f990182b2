"""Keeps the console to what a user can act on."""

import logging
import os
import warnings


def quieten() -> None:
    """Silence product tips, chatter and warnings that a user of the command line can do nothing about."""
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_CONSOLE", "off")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from lightning.fabric.utilities.warnings import PossibleUserWarning

    warnings.filterwarnings("ignore", category=PossibleUserWarning)
    for harmless in (
        ".*LeafSpec.*",
        ".*isinstance.treespec.*",
        ".*sync_dist=True.*",
        ".*does not have many workers.*",
        ".*is already saved during checkpointing.*",
        "Checkpoint directory .* exists and is not empty",  # it is when a run is resumed
    ):
        warnings.filterwarnings("ignore", message=harmless)
