"""A checkpoint to resume from, whatever ends the run."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy

from lit_vae.commands import command


class KeepLast(Callback):
    """Writes ``last.ckpt`` when training ends, is interrupted or fails after its first step.

    Where a number of steps or a time limit ends an epoch early, it is written before Lightning counts that epoch as
    done, so that resuming finishes it. A model that is spread over several processes is written at the end alone: the
    parts of those that an interruption caught in the middle of a step cannot be gathered.

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
        whole = trainer.world_size == 1 or isinstance(trainer.strategy, DDPStrategy)
        if not (trainer.is_global_zero and whole and trainer.state.fn == "fit" and trainer.global_step > 0):
            return
        # as trainer.save_checkpoint, which would also wait for processes that wait for this one
        checkpoint = trainer._checkpoint_connector.dump_checkpoint()
        trainer.strategy.save_checkpoint(checkpoint, self.path)
        if isinstance(exception, KeyboardInterrupt):
            print(f"\ninterrupted; resume with: {command('fit', '--ckpt_path', self.path.parent.parent)}")

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved_at = trainer.global_step
