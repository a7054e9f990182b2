"""A checkpoint to resume from, whatever ends the run."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException


class KeepLast(Callback):
    """Writes ``last.ckpt`` when training ends, is interrupted or fails after its first step.

    With several processes a failure of one leaves the others waiting, so there only an end or an interruption, which
    reach all, write one.

    Args:
        folder: Where the checkpoint goes.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "last.ckpt"

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        trainer.save_checkpoint(self.path)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        reaches_all = trainer.world_size == 1 or isinstance(exception, KeyboardInterrupt | SIGTERMException)
        if trainer.global_step > 0 and trainer.state.fn == "fit" and reaches_all:
            trainer.save_checkpoint(self.path)
            if trainer.is_global_zero and isinstance(exception, KeyboardInterrupt):
                run = self.path.parent.parent
                print(f"\ninterrupted; resume with: python -m lit_vae fit --ckpt_path {run}")
