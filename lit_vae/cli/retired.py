"""Keys that a config of an earlier version has, and what takes their place."""

from __future__ import annotations

from typing import Any

import yaml

from lit_vae.cli.words import flags

LAST = "last.ckpt is written from the first step on"
VALIDATED = "a best checkpoint is one that a validation chose"
CHECKPOINT: dict[str, tuple[list[Any], str]] = {
    "dirpath": ([None], "checkpoints lie in the run directory: set --run_dir"),
    "verbose": ([False], "a line for each validation says its numbers"),
    "save_last": ([True], f"{LAST}: set last.minutes or last.steps"),
    "save_on_exception": ([False], f"{LAST}, and at whatever ends a run"),
    "auto_insert_metric_name": ([False], "name metrics in checkpoint.filename"),
    "every_n_train_steps": (
        [None, 0],
        f"{VALIDATED}: set trainer.val_check_interval to validate every so many steps"
        " (last.steps writes the one to resume from every so many)",
    ),
    "train_time_interval": ([None], f"{VALIDATED}: set last.minutes, which writes the one to resume from by time"),
    "every_n_epochs": ([None, 1], f"{VALIDATED}: set trainer.check_val_every_n_epoch"),
    "save_on_train_epoch_end": ([None], VALIDATED),
    "enable_version_counter": ([False], "set checkpoint.filename"),
}
"""Under ``checkpoint``: the values that say what happens anyway, and what takes the place of others."""


def without(config: dict[str, Any], where: str) -> dict[str, Any]:
    """A config without keys that are no more and said what happens anyway.

    Args:
        config: Of this version or an earlier one.
        where: Names its source in messages.

    Raises:
        ValueError: If one of them says something else; the message names the key that takes its place.
    """
    section = config.get("checkpoint")
    if not isinstance(section, dict) or not section.keys() & CHECKPOINT.keys():
        return config
    for key, (usual, instead) in CHECKPOINT.items():
        if key in section and section[key] not in usual:
            raise ValueError(f"{where}: there is no checkpoint.{key} any more: {instead}")
    return config | {"checkpoint": {key: value for key, value in section.items() if key not in CHECKPOINT}}


def refuse(words: list[str]) -> None:
    """Refuse flags that are no more.

    Raises:
        ValueError: If there is one; the message names the key that takes its place.
    """
    for flag, _ in flags(words):
        section, _, key = flag.lstrip("-").partition(".")
        if section == "checkpoint" and key in CHECKPOINT:
            raise ValueError(f"there is no {flag} any more: {CHECKPOINT[key][1]}")


def as_word(config: dict[str, Any]) -> str:
    """A config as a word of the command line."""
    return f"--config={yaml.safe_dump(config, sort_keys=False)}"
