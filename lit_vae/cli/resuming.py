"""What it takes to go on with a run: which command, whether something is left, and which settings have changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from lightning.pytorch.utilities import rank_zero_only

from lit_vae import checkpoints
from lit_vae.changes import Changes, changes, shown
from lit_vae.cli.words import take
from lit_vae.commands import command

WEIGHTS = ("model.backbone.", "model.head.")
"""Settings that weights belong to."""


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


def begun_anew(words: list[str], run_dir: Path) -> list[str]:
    """What a command says that goes on with a run which ended before its first checkpoint: it begins anew.

    Args:
        words: What follows fit, without ``--ckpt_path`` and ``--config``.
        run_dir: The run.

    Raises:
        ValueError: If another directory is named for it.
    """
    words, run_dirs = take(words, "--run_dir")
    if any(Path(path) != run_dir for path in run_dirs):
        raise ValueError(f"--run_dir {run_dirs[-1]}: fit writes into the run of --ckpt_path {run_dir}; leave it out")
    if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        print(f"{run_dir} holds no checkpoint: nothing was trained there yet, and it begins anew", flush=True)
    return [*words, f"--run_dir={run_dir}"]


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


def changed_settings(checkpoint: Path, config: dict[str, Any], trains: bool) -> Changes:
    """Which settings are others than those that a checkpoint was written with.

    Args:
        checkpoint: The checkpoint.
        config: The resolved config that was asked for.
        trains: Whether training goes on: then the objective, the optimizer and its schedule may be others, too.

    Raises:
        ValueError: If what must stay differs: backbone and head are what the weights belong to.
    """
    text = checkpoints.config(checkpoint)
    found = changes(yaml.safe_load(text), config) if text else {}
    for key, (before, after) in found.items():
        if key.startswith(WEIGHTS if trains else "model."):
            what = "fixes its backbone and its head" if trains else "is evaluated as it was trained"
            raise ValueError(
                f"{key} is {shown(before)} in {checkpoint}, but {shown(after)} was asked for: a checkpoint {what}; "
                f"leave that out, or start a new run from what fits of its weights: "
                f"{command('fit', '--init_from', checkpoint)}"
            )
    return found
