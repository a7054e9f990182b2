"""The resolved config and the code's version, wherever a run leaves a trace."""

import datetime
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.changes import Changes
from lit_vae.csv_table import CSVTable
from lit_vae.files import replacing
from lit_vae.trust.config_file import signed
from lit_vae.version import __version__

CHECKOUT = Path(__file__).parents[2]


HISTORY = "changes.csv"


class SaveConfig(Callback):
    """Writes the config and the code's version into the run directory, every logger and every checkpoint.

    Where a resumed run goes on with other settings, ``config.yaml`` becomes the new config once training begins, and
    ``changes.csv`` says what changed, when and at which step.

    Args:
        config: The resolved config, YAML.
        changed: Settings that are others than those that the run has had.
    """

    def __init__(self, config: str, changed: Changes | None = None) -> None:
        self._changed = changed or {}
        self.version = {"lit_vae": __version__} | commit()
        self.config = f"# {', '.join(f'{name} {value}' for name, value in self.version.items())}\n{config}"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if not trainer.is_global_zero:
            return
        self.write(Path(trainer.default_root_dir))
        for logger in trainer.loggers:
            logger.log_hyperparams(self.version | yaml.safe_load(self.config))

    def write(self, run_dir: Path, anew: bool = False) -> None:
        """Write the config into a run directory that has none.

        Args:
            run_dir: The directory.
            anew: Whether another one, of a run of which nothing was trained, goes.
        """
        file = run_dir / "config.yaml"
        if anew or not file.exists():
            with replacing(file) as unfinished:
                unfinished.write_text(signed(self.config), encoding="utf-8")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not (trainer.is_global_zero and self._changed):
            return
        run_dir = Path(trainer.default_root_dir)
        place = {
            "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "step": trainer.global_step,
        }
        history = CSVTable(run_dir / HISTORY)
        for key, (before, after) in self._changed.items():
            history.add(place | {"setting": key, "before": json.dumps(before), "after": json.dumps(after)})
        with replacing(run_dir / "config.yaml") as unfinished:
            unfinished.write_text(signed(self.config), encoding="utf-8")
        self._changed = {}

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self.config


def commit() -> dict[str, str]:
    """The git commit of the code, ``-dirty`` where it was changed since; nothing for an installed package."""
    if not (CHECKOUT / ".git").exists():
        return {}
    describe = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return {"commit": subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()}
    except (OSError, subprocess.CalledProcessError):
        return {}  # git is not there, or refuses another user's checkout
