"""Finding and reading checkpoints: a run directory or a file, always with ``weights_only``."""

import pickle
import zipfile
from pathlib import Path
from typing import Any, Literal

import torch

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
        return best[0] if len(best) == 1 else min(best, key=score)
    if last:
        return max(last, key=lambda file: file.stat().st_mtime)
    raise FileNotFoundError(
        f"{flag} {path} holds no checkpoint: a run directory has checkpoints/best*.ckpt and checkpoints/last*.ckpt"
    )


def of_run(path: Path) -> tuple[list[Path], list[Path]]:
    """The checkpoints in a run directory: the best ones, and those to resume from."""
    folder = path / "checkpoints"
    return list(folder.glob("best*.ckpt")), [*folder.glob("last*.ckpt"), *path.glob(REQUEUED)]


def score(path: Path) -> float:
    """What the callback that wrote a checkpoint compares checkpoints by: less is better."""
    states = read(path)["callbacks"].items()
    return min(float(state["current_score"]) for name, state in states if name.startswith("ModelCheckpoint"))


def read(path: str | Path) -> dict[str, Any]:
    """A checkpoint's contents, on the CPU; tensors stay in the file until they are used.

    Raises:
        ValueError: If the file is no checkpoint of this format.
    """
    try:
        with Path(path).open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("torch writes checkpoints as zip files")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, ValueError) as error:
        raise ValueError(f"--ckpt_path {path} is no checkpoint, or is damaged: it can not be read as one") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"--ckpt_path {path} is no checkpoint of a lit_vae run: it holds no state_dict")
    check_format(checkpoint, path)
    return checkpoint


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
