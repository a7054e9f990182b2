"""Reading a checkpoint that another program wrote, without running what it holds."""

import argparse
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from lit_vae.damage import is_archive, reason, refuse_damaged

Which = Literal["ema", "raw"]

LAYOUTS: dict[Which, tuple[str, ...]] = {"ema": ("ema_model_state_dict",), "raw": ("model_state_dict", "state_dict")}
"""Where the systems' checkpoints keep their weights, if not at the top."""

PREFIX = "module."
"""What torch's DistributedDataParallel puts before every name."""


def read(path: str | Path, which: Which) -> dict[str, Tensor]:
    """The weights in a checkpoint of a reference system, on the CPU.

    Args:
        path: The file: a state dict, or a dictionary with one under the systems' names.
        which: ``ema`` for the averaged weights, ``raw`` for those that were trained, of a file that holds both; a file
            that holds one of them is read whatever this says.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read with ``weights_only``, or holds no weights.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"import-checkpoint {path}: there is no such file")
    try:
        if is_archive(path):  # files of torch before 1.6 are none, and have no checksums
            refuse_damaged(path)
        # NVAE's checkpoints hold their command line as a Namespace, which does nothing when it is loaded
        with torch.serialization.safe_globals([argparse.Namespace]):
            held = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, ValueError) as error:
        raise ValueError(
            f"import-checkpoint {path}: torch.load with weights_only=True cannot read it "
            f"({reason(error)}): fetch it again"
        ) from error
    state = choose(held, which)
    if state is None:
        keys = (
            f"it holds {', '.join(map(str, list(held)[:8]))}" if isinstance(held, Mapping) else "it is something else"
        )
        names = [name for layout in LAYOUTS.values() for name in layout]
        raise ValueError(f"import-checkpoint {path}: expected a state dict, or one under {', '.join(names)}; {keys}")
    return {name.removeprefix(PREFIX): value for name, value in state.items()}


def choose(held: Any, which: Which) -> Mapping[str, Tensor] | None:
    """The state dict in what a file held; None where there is none."""
    if not isinstance(held, Mapping):
        return None
    if held and all(isinstance(value, Tensor) for value in held.values()):
        return held
    other: Which = "raw" if which == "ema" else "ema"
    for name in (*LAYOUTS[which], *LAYOUTS[other]):
        if isinstance(held.get(name), Mapping):
            state: Mapping[str, Tensor] = held[name]
            return state
    return None
