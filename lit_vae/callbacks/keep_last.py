"""A checkpoint to resume from, whatever ends the run."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException


class KeepLast(Callback):
    """Writes ``last.ckpt`` when training ends, is interrupted or fails after its first step.

    Where a number of steps or a time limit ends an epoch early, it is written before Lightning counts that epoch as
    done, so that resuming finishes it. With several processes a failure of one leaves the others waiting, so there
    only an end or an interruption, which reach all, write one.

    Args:
        folder: Where the checkpoint goes.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "last.ckpt"
        self._saved_at = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.should_stop or trainer.global_step == trainer.max_steps:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._saved_at < trainer.global_step:
            self._save(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        reaches_all = trainer.world_size == 1 or isinstance(exception, KeyboardInterrupt | SIGTERMException)
        if trainer.global_step > 0 and trainer.state.fn == "fit" and reaches_all:
            self._save(trainer)
            if trainer.is_global_zero and isinstance(exception, KeyboardInterrupt):
                run = self.path.parent.parent
                print(f"\ninterrupted; resume with: python -m lit_vae fit --ckpt_path {run}")

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved_at = trainer.global_step
