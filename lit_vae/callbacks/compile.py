"""Training a compiled backbone."""

from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.vae import LitVAE

PASSES = ("bottom_up", "top_down")


class Compile(Callback):
    """Compiles both passes of the backbone for a training; checkpoints and everything else stay as they are.

    The first steps take minutes: a pass is compiled as a whole, once for a shape. Validations are not compiled. It pays
    on a GPU, with ``trainer.precision`` bf16-mixed, for pictures of one size; texts of many lengths want ``dynamic``.

    Args:
        mode: What torch.compile tries: ``default``, ``reduce-overhead`` or ``max-autotune``.
        dynamic: Whether one compiled pass serves all shapes; null leaves it to torch, which finds out after two.

    Raises:
        ValueError: If there is no such ``mode``.
    """

    def __init__(
        self, mode: Literal["default", "reduce-overhead", "max-autotune"] = "default", dynamic: bool | None = None
    ) -> None:
        if mode not in ("default", "reduce-overhead", "max-autotune"):
            raise ValueError(
                f"trainer.callbacks: Compile's mode is 'default', 'reduce-overhead' or 'max-autotune', got {mode!r}"
            )
        self.mode = mode
        self.dynamic = dynamic
        self._compiled: dict[str, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        passes = {name: getattr(pl_module.backbone, name) for name in PASSES}
        self._compiled = {
            name: torch.compile(method, mode=self.mode, dynamic=self.dynamic) for name, method in passes.items()
        }
        self._install(pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._remove(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._install(pl_module)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._remove(pl_module)
        self._compiled = {}

    def _install(self, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        vars(pl_module.backbone).update(self._compiled)  # before the class's own, and no part of the state

    def _remove(self, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        for name in PASSES:
            vars(pl_module.backbone).pop(name, None)
