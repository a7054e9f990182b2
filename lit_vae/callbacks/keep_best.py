"""The weights that a validation found best."""

from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_vae.callbacks.keep_last import is_end_of_epoch, is_validated

TRAINING_ALONE = ("optimizer_states", "lr_schedulers")
"""What a checkpoint holds for training alone."""


class KeepBest(ModelCheckpoint):
    """Writes ``checkpoints/best*.ckpt`` in the run directory: weights that were validated, under the score they had.

    Only ever at the end of a validation, or of the epoch that it ends.

    Args:
        monitor: The metric that says which is best, as the validation reports it; null for the latest.
        mode: Whether less (``min``) or more (``max``) of it is better.
        save_top_k: How many of the best are kept; 0 for none, -1 for all.
        filename: Its name, in which ``{step}``, ``{epoch}`` and metrics stand for their values; it begins with best.
        save_weights_only: Whether the state of the optimizer and of its schedule is left out: it takes two thirds of
            the room with Adam, and an evaluation needs none of it. Training goes on from ``last.ckpt`` then.

    Raises:
        ValueError: If the name does not begin with best, by which it is found.
    """

    def __init__(
        self,
        monitor: str | None = "val/nelbo",
        mode: Literal["min", "max"] = "min",
        save_top_k: int = 1,
        filename: str = "best-step={step}",
        save_weights_only: bool = False,
    ) -> None:
        if not filename.startswith("best"):
            raise ValueError(f"checkpoint.filename must begin with best, by which it is found, got {filename}")
        super().__init__(
            monitor=monitor,
            mode=mode,
            save_top_k=save_top_k,
            filename=filename,
            save_weights_only=save_weights_only,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )
        self._validated_at: int | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.dirpath = str(Path(trainer.default_root_dir).absolute() / "checkpoints")
        super().setup(trainer, pl_module, stage)

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: no validation has ended."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if is_validated(trainer):
            self._validated_at = trainer.global_step
            if not is_end_of_epoch(trainer):
                self._keep(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._keep(trainer)

    def _keep(self, trainer: Trainer) -> None:
        if self._validated_at == trainer.global_step and not self._should_skip_saving_checkpoint(trainer):
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        if not self.save_weights_only:
            super()._save_checkpoint(trainer, filepath)
            return
        checkpoint = trainer._checkpoint_connector.dump_checkpoint()
        whole = {name: value for name, value in checkpoint.items() if name not in TRAINING_ALONE}
        trainer.strategy.save_checkpoint(whole, filepath)
        trainer.strategy.barrier()
        self._last_global_step_saved = trainer.global_step

    # ---- state ----

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"mode": self.mode}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the best so far over, also where the run has been moved or copied since."""
        moved = dict(state_dict)
        moved["dirpath"] = self.dirpath
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            moved[name] = self._here(moved[name])
        moved["best_k_models"] = {self._here(path): score for path, score in moved["best_k_models"].items()}
        super().load_state_dict(moved)
        self.current_score = moved["current_score"]

    def _here(self, path: str) -> str:
        return str(Path(self.dirpath or "") / Path(path).name) if path else ""
