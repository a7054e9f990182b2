"""Lightning's rich progress bar, showing the rates and nothing else."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar


class Progress(RichProgressBar):
    """Shows the current rate under its own name, and the validation's after it as ``val``."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        shown = super().get_metrics(trainer, pl_module)
        rates = {name: value for name, value in shown.items() if name != "v_num"}
        return {"val" if name.startswith("val/") else name.removeprefix("train/"): rates[name] for name in rates}

    def _get_train_description(self, current_epoch: int) -> str:
        """Lightning writes a run that ends at a number of steps as one of -2 epochs."""
        assert self._trainer is not None
        if self._trainer.max_epochs in (None, -1):
            return f"Epoch {current_epoch}"
        return super()._get_train_description(current_epoch)
