"""What it takes to go on with a run: which command, whether something is left, and that the model is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer

from lit_vae import checkpoints
from lit_vae.cli.words import take


def resumed(verb: str, words: list[str], how: str, ckpt_paths: list[str]) -> tuple[list[str], list[str]]:
    """What a command that can be repeated says this time: start a run, or go on with it.

    Args:
        verb: fit.
        words: What follows it, without ``--ckpt_path``, ``--config`` and ``--resume``.
        how: auto.
        ckpt_paths: What was given with ``--ckpt_path``: nothing.

    Returns:
        The words, and the run directory as ``--ckpt_path`` where it holds a checkpoint.

    Raises:
        ValueError: If a flag is missing, does not go with it, or has another value.
    """
    rest, run_dirs = take(words, "--run_dir")
    if verb != "fit" or how != "auto" or ckpt_paths:
        raise ValueError(
            f"--resume auto is for fit, in the place of --ckpt_path; got {verb} --resume {how}"
            + "".join(f" --ckpt_path {path}" for path in ckpt_paths)
        )
    if not run_dirs:
        raise ValueError("--resume auto needs --run_dir DIR: it goes on from a checkpoint there, or starts there")
    holds_one = any(checkpoints.of_run(Path(run_dirs[-1])))
    return (rest, run_dirs[-1:]) if holds_one else (words, [])


def nothing_left(trainer: Trainer, checkpoint: Path) -> bool:
    """Whether a checkpoint has reached the epochs, the steps or the time that a trainer goes to, or its early stopping.

    Args:
        trainer: What would go on from it.
        checkpoint: The checkpoint.
    """
    saved = checkpoints.read(checkpoint)
    epochs = saved["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    reached = [(trainer.max_epochs, epochs), (trainer.max_steps, saved["global_step"])]
    states = saved.get("callbacks", {})
    for stopping in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(stopping, EarlyStopping):
            # Lightning remembers how often nothing improved, and not that it stopped because of it
            waited = states.get(stopping.state_key, {}).get("wait_count", 0)
            if waited >= stopping.patience:
                return True
    for timer in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(timer, Timer) and timer.state_key in states:
            timer.load_state_dict(states[timer.state_key])
            remaining = timer.time_remaining()
            if remaining is not None and remaining <= 0:
                return True
    return any(limit is not None and 0 <= limit <= count for limit, count in reached)


def refuse_another_model(checkpoint: Path, model: dict[str, Any]) -> None:
    """A checkpoint fixes its model: settings that differ from it would be ignored or would not fit.

    Args:
        checkpoint: The checkpoint.
        model: The model section of the config that was asked for.

    Raises:
        ValueError: If they differ; the message names the first key.
    """
    text = checkpoints.config(checkpoint)
    saved = flatten(yaml.safe_load(text)["model"]) if text else {}
    for key, value in flatten(model).items():
        if key in saved and saved[key] != value:
            raise ValueError(
                f"model.{key} is {saved[key]} in {checkpoint}, but {value} was asked for: "
                f"a checkpoint fixes its model; leave that out, or start a new run without --ckpt_path"
            )


def flatten(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
