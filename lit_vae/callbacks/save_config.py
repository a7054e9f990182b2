"""The resolved config and the code's version, wherever a run leaves a trace."""

from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.version import __version__


class SaveConfig(Callback):
    """Writes the config into the run directory, every logger and every checkpoint.

    Args:
        text: The resolved config, YAML.
    """

    def __init__(self, text: str) -> None:
        self.text = f"# lit_vae {__version__}\n{text}"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if not trainer.is_global_zero:
            return
        file = Path(trainer.default_root_dir) / "config.yaml"
        if not file.exists():
            file.write_text(self.text, encoding="utf-8")
        for logger in trainer.loggers:
            logger.log_hyperparams({"lit_vae": __version__, **yaml.safe_load(self.text)})

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self.text
