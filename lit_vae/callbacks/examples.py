"""Samples and reconstructions, to the logger and to files, while the model learns."""

import math
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.files import replacing
from lit_vae.rendering import Rendering
from lit_vae.vae import LitVAE


class Examples(Callback):
    """After a validation, logs samples, and validation examples beside their reconstructions.

    Files go to ``examples/`` of the run directory, one a kind and step.

    Args:
        every_n_epochs: Interval; 0 for never.
        num: Samples, and examples to reconstruct.
        temperature: Of the prior.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, every_n_epochs: int = 1, num: int = 16, temperature: float = 1.0) -> None:
        if every_n_epochs < 0 or num < 1 or not 0 <= temperature < math.inf:
            raise ValueError(
                "of examples, every_n_epochs must be >= 0, num >= 1 and temperature >= 0 and finite, "
                f"got {every_n_epochs}, {num} and {temperature}"
            )
        self.every_n_epochs = every_n_epochs
        self.num = num
        self.temperature = temperature

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        due = self.every_n_epochs > 0 and (trainer.current_epoch + 1) % self.every_n_epochs == 0
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        if not (due and fitting and trainer.is_global_zero):
            return
        assert isinstance(pl_module, LitVAE)
        self._show(trainer, "samples", pl_module.sample(self.num, self.temperature))
        dataset = trainer.datamodule.dataset("val")  # type: ignore[attr-defined]
        chosen = dataset.__getitems__(list(range(min(self.num, len(dataset)))))
        self._show(trainer, "reconstructions", pl_module.reconstruct(chosen))

    def _show(self, trainer: Trainer, key: str, rendering: Rendering) -> None:
        folder = Path(trainer.default_root_dir) / "examples"
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / f"{key}-{trainer.global_step:06d}{rendering.suffix}") as file:
            rendering.save(file)
        for logger in trainer.loggers:
            rendering.log(logger, key, trainer.global_step)
