"""A checkpoint to resume from, whatever ends the run."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy

from lit_vae.commands import command
from lit_vae.restarting import begin_validation_again
from lit_vae.vae import LitVAE


class KeepLast(Callback):
    """Writes ``last.ckpt`` when training ends, is interrupted or fails after its first step, never of broken weights.

    Where a number of steps or a time limit ends an epoch early, it is written before Lightning counts that epoch as
    done, so that resuming finishes it. A model that is spread over several processes is written at the end alone: the
    parts of those that an interruption caught in the middle of a step cannot be gathered.

    Args:
        folder: Where the checkpoint goes.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "last.ckpt"
        self._saved_at = 0
        self._begun_at: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begun_at = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.should_stop or trainer.global_step == trainer.max_steps:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._saved_at < trainer.global_step:
            self._save(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if not (trainer.is_global_zero and trainer.state.fn == "fit"):
            return
        whole = trainer.world_size == 1 or isinstance(trainer.strategy, DDPStrategy)
        if whole and self._begun_at is not None and trainer.global_step > self._begun_at:
            if not isinstance(pl_module, LitVAE) or pl_module.step_under_way.can_be_saved_alone():
                self._save_alone(trainer, exception)
            elif self.path.exists():
                print(f"\n{self.path} stays as it was: a step that is broken off cannot be gone on with", flush=True)
        if isinstance(exception, KeyboardInterrupt):
            self.say("interrupted")

    def say(self, what: str) -> None:
        """Say what ended the training, and how to go on."""
        resume = command("fit", "--ckpt_path", self.path.parent.parent)
        how = f"resume with: {resume}" if self.path.exists() else "there is nothing to resume yet"
        print(f"\n{what}; {how}", flush=True)

    def _save_alone(self, trainer: Trainer, exception: BaseException) -> None:
        """As ``trainer.save_checkpoint``, which would also wait for processes that wait for this one."""
        try:
            checkpoint = trainer._checkpoint_connector.dump_checkpoint()
        except FloatingPointError as error:  # the last one stays as it is
            if not isinstance(exception, FloatingPointError):
                print(f"\n{error}", flush=True)
            return
        if trainer.validating:
            begin_validation_again(checkpoint)
        trainer.strategy.save_checkpoint(checkpoint, self.path)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved_at = trainer.global_step
