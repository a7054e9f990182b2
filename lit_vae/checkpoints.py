"""Finding and reading checkpoints: a run directory or a file, always with ``weights_only``."""

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from lit_vae.commands import command
from lit_vae.damage import reason, refuse_damaged

FORMAT_KEY = "lit_vae_format"
FORMAT = 1
"""Raised when an older checkpoint can no longer be read."""
DATA_KEY = "data"
"""Which data the model was trained on; None where no data module said so."""
BATCHES_KEY = "batches_per_epoch"
"""Batches of an epoch of the training that wrote it; None where it did not train."""
TRAINED_KEY = "trained_weights"
"""Beside averaged weights, which an evaluation reads as the model's: the weights that they are averages of."""
AVERAGES_KEY = "averages"
"""The averages, where training goes on from the weights that they are averages of."""

RECIPE = ("objective.", "regularizers.")
"""What a model is trained by: of its state, what may be another's when training goes on."""

REQUEUED = "hpc_ckpt_*.ckpt"
"""What Lightning calls those that it writes into a run directory when SLURM is about to requeue the job."""


def find(path: str | Path, which: Literal["best", "last"], flag: str = "--ckpt_path") -> Path:
    """The checkpoint that a path names.

    Args:
        path: A checkpoint file, or a run directory.
        which: Of a run directory: ``best`` to evaluate, ``last`` to resume, which is the newest of those that end a
            run and those that Lightning writes when SLURM is about to requeue it; the other one where there is no such.
        flag: What the user named it with.

    Raises:
        FileNotFoundError: If nothing is there.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(f"{flag} {path} is neither a checkpoint nor a run directory: nothing is there")
    best, last = of_run(path)
    if best and (which == "best" or not last):
        best.sort(key=lambda file: file.stat().st_mtime, reverse=True)  # the latest, where none says which is best
        return best[0] if len(best) == 1 else min(best, key=score)
    if last:
        return max(last, key=lambda file: file.stat().st_mtime)
    if (path / "config.yaml").is_file():
        raise FileNotFoundError(
            f"{flag} {path} holds no checkpoint: nothing was trained there yet; "
            f"train it with {command('fit', '--ckpt_path', path)}"
        )
    raise FileNotFoundError(
        f"{flag} {path} holds no checkpoint: a run directory has checkpoints/best*.ckpt and checkpoints/last*.ckpt"
    )


def of_run(path: Path) -> tuple[list[Path], list[Path]]:
    """The checkpoints in a run directory: the best ones, and those to resume from."""
    folder = path / "checkpoints"
    return list(folder.glob("best*.ckpt")), [*folder.glob("last*.ckpt"), *path.glob(REQUEUED)]


def score(path: Path) -> float:
    """What the callback that keeps a run's best checkpoints compares them by: less is better; infinity for others."""
    states = read(path).get("callbacks", {}).items()
    kept = [state for name, state in states if name.startswith("KeepBest")]
    for state in kept:
        if path.name not in {Path(file).name for file in (*state["best_k_models"], state["best_model_path"])}:
            return math.inf  # another callback's
        score = 0.0 if state["current_score"] is None else float(state["current_score"])
        return -score if state["mode"] == "max" else score
    # of a run that had Lightning's in its place
    return min(float(state["current_score"]) for name, state in states if name.startswith("ModelCheckpoint"))


def read(path: str | Path) -> dict[str, Any]:
    """A checkpoint's contents, on the CPU; tensors stay in the file until they are used.

    Raises:
        ValueError: If the file is no checkpoint of this format, or is not what was written.
    """
    try:
        refuse_damaged(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, ValueError) as error:
        raise ValueError(
            f"--ckpt_path {path} is no checkpoint, or is damaged ({reason(error)}): {others_beside(Path(path))}"
        ) from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"--ckpt_path {path} is no checkpoint of a lit_vae run: it holds no state_dict")
    check_format(checkpoint, path)
    return checkpoint


def others_beside(path: Path) -> str:
    """What to do about a checkpoint that cannot be read."""
    others = sorted(
        str(file) for name in ("best*.ckpt", "last*.ckpt") for file in path.parent.glob(name) if file != path
    )
    return f"take another of its run, {' or '.join(others)}" if others else "no other lies beside it; copy it again"


def config(path: Path) -> str | None:
    """The resolved config that a checkpoint holds, YAML; None for a model that was built in Python.

    Raises:
        Refused: If it sets what only a run of the user's own may; see :mod:`lit_vae.trust`.
    """
    from lit_vae.trust.admission import admitted_config

    return admitted_config(read(path), f"--ckpt_path {path}")


def step(path: Path) -> int:
    """Optimizer steps that a checkpoint has behind it."""
    taken: int = read(path)["global_step"]
    return taken


def fit_recipe(checkpoint: dict[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Make what a checkpoint holds of the recipe, which may change when training goes on, fit a model's recipe.

    Args:
        checkpoint: Its contents, to be changed: what the model's objective and regularizers lack goes, and what they
            have beyond it is added as it is in the model.
        own: The model's state.

    Returns:
        Names of what was added.
    """
    added: list[str] = []
    for weights in (checkpoint["state_dict"], checkpoint.get(TRAINED_KEY)):
        if weights is None:
            continue
        for name in [name for name in weights if name.startswith(RECIPE) and name not in own]:
            del weights[name]
    for name in own:
        if name.startswith(RECIPE) and name not in checkpoint["state_dict"]:
            checkpoint["state_dict"][name] = own[name]
            added.append(name)
    return added


def recount(loops: dict[str, Any], before: int, now: int) -> bool:
    """Count the epochs that a checkpoint has behind it as epochs of another number of batches.

    Args:
        loops: The trainer's progress in a checkpoint, to be changed.
        before: Batches of an epoch of the training that wrote it.
        now: Of the training that goes on.

    Returns:
        Whether that could be done: at the end of an epoch. Within one its place would be lost.
    """
    progress = loops["fit_loop"]["epoch_loop.batch_progress"]
    total, current = progress["total"], progress["current"]
    epochs, within = divmod(total["processed"], before)
    if within:
        return False
    progress["total"] = {name: count + epochs * (now - before) for name, count in total.items()}
    if current["processed"] == before:
        progress["current"] = {name: count + now - before for name, count in current.items()}
    return True


def go_on_training(checkpoint: dict[str, Any]) -> None:
    """Make a checkpoint's weights those that were trained, where it holds their averages for evaluation.

    Args:
        checkpoint: Its contents, to be changed: the averages go to a key of their own.
    """
    trained = checkpoint.pop(TRAINED_KEY, {})
    checkpoint[AVERAGES_KEY] = {name: checkpoint["state_dict"][name] for name in trained}
    checkpoint["state_dict"].update(trained)


def check_format(checkpoint: dict[str, Any], path: str | Path = "") -> None:
    """Refuse a checkpoint that this version cannot read.

    Raises:
        ValueError: If the format is missing or another.
    """
    found = checkpoint.get(FORMAT_KEY)
    if found != FORMAT:
        raise ValueError(
            f"--ckpt_path {path}: this version of lit_vae reads checkpoints of format {FORMAT}, this one has "
            f"{'none: another program wrote it' if found is None else found}"
        )
