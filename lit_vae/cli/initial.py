"""A new run that begins with the weights of another: --init_from."""

from __future__ import annotations

from pathlib import Path

from lit_vae import checkpoints
from lit_vae.data import SymbolDataModule
from lit_vae.finite import listed
from lit_vae.model import refuse_other
from lit_vae.symbols import restore
from lit_vae.vae import LitVAE

PARTS = ("backbone.", "head.")


def take_weights(vae: LitVAE, data: SymbolDataModule, origin: Path) -> None:
    """Give a model the weights of a checkpoint: those of backbone and head, averaged where the run averaged them.

    Args:
        vae: The model, as its config makes it.
        data: What it is about to be trained on.
        origin: The checkpoint.

    Raises:
        ValueError: If they are another model's, or the data's integers stand for something else.
    """
    content = checkpoints.read(origin)
    if content["symbols"] is not None:
        refuse_other(restore(content["symbols"]), data.symbols)
    theirs = {name: value for name, value in content["state_dict"].items() if name.startswith(PARTS)}
    own = {name: value for name, value in vae.state_dict().items() if name.startswith(PARTS)}
    others = [name for name in own.keys() | theirs.keys() if name not in own or name not in theirs]
    others += [name for name in own.keys() & theirs.keys() if own[name].shape != theirs[name].shape]
    if others:
        raise ValueError(
            f"--init_from {origin}: its weights are of another model, they differ in {listed(sorted(others))}: "
            f"keep model.backbone and model.head as they are in its run"
        )
    vae.load_state_dict(theirs, strict=False)
