"""Runs that are killed again and again, at any moment, and resumed until they are done, end as if they had not been."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from resuming import differences

EVERY = '''
from lightning.pytorch.callbacks import Checkpoint


class EveryBatch(Checkpoint):
    """Writes last.ckpt after every batch."""

    def on_train_batch_end(self, trainer, *args):
        trainer.save_checkpoint(f"{trainer.default_root_dir}/checkpoints/last.ckpt")
'''
"""Beside the config, where the command line finds a user's own module."""
CALLBACKS = "trainer__callbacks"
PLATEAU = {
    "class_path": "lightning.pytorch.cli.ReduceLROnPlateau",
    "init_args": {"monitor": "val/nelbo", "patience": 0, "threshold": 100.0, "factor": 0.5},
}
SHORT = {
    "trainer__max_epochs": 4,
    "trainer__limit_train_batches": 5,
    "trainer__limit_val_batches": 2,
    "trainer__log_every_n_steps": 1,
    "data__init_args__batch_size": 8,
}


def ours(name, **arguments):
    return {"class_path": f"lit_vae.callbacks.{name}", "init_args": arguments}


TARGET = {"class_path": "lit_vae.objectives.TargetKL", "init_args": {"nats": 1.0, "proportional": 0.5, "integral": 0.1}}
RECIPES = {
    "plain": ("pictures", {}),
    "plateau": ("pictures", {"model__scheduler": PLATEAU, "trainer__val_check_interval": 2}),
    "average and guard": ("pictures", {CALLBACKS: [ours("EMA", decay=0.9), ours("UpdateGuard", memory=3)]}),
    "stages": (
        "texts",
        {
            "model__head__init_args__own_table": True,
            CALLBACKS: [ours("Stages", stages=[{"share": 0.5, "trains": "encoder"}, {"reset": "decoder"}])],
        },
    ),
    "target KL": ("pictures", {"model__objective__init_args__kl_weight": TARGET}),
    "accumulated": ("pictures", {"trainer__accumulate_grad_batches": 3, "trainer__val_check_interval": 2}),
    "workers": ("pictures", {"data__init_args__num_workers": 2}),
    "texts": ("texts", {}),
    "two processes": (
        "pictures",
        {"trainer__devices": 2, "trainer__strategy": "ddp", "trainer__accumulate_grad_batches": 2},
    ),
}
KILLS = 12
"""Of each recipe; together somewhat more than a hundred."""
PATIENCE = 600
"""Seconds that one process may take on a busy machine."""


class Runs:
    """Runs of one config, each in a folder of its own below the config's."""

    def __init__(self, cli, config: Path, kills: random.Random) -> None:
        self.cli = cli
        self.config = config
        self.random = kills
        self.kills = 0

    def last(self, name: str) -> Path:
        return self.cli.folder / name / "checkpoints" / "last.ckpt"

    def start(self, name: str) -> subprocess.Popen:
        begins = ["--config", self.config, "--run_dir", name]
        words = ["--ckpt_path", name] if self.last(name).exists() else [*begins, "--resume", "auto"]
        return self.cli.spawn("fit", *words)

    def whole(self) -> dict:
        process = self.start("whole")
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        return self.ending("whole")

    def killed(self, name: str) -> dict:
        """Start, kill and resume until a process comes to the end."""
        while True:
            process = self.start(name)
            self._await(process, self.random.randrange(4), self.last(name))
            time.sleep(0.1 * self.random.random())
            if process.poll() is None and self.kills < KILLS:
                self.kills += 1
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            else:
                _, err = process.communicate(timeout=PATIENCE)
                assert process.returncode == 0, err
                return self.ending(name)

    def _await(self, process: subprocess.Popen, writes: int, path: Path) -> None:
        """Wait until a checkpoint has been written so often, or the process ends."""
        written = [path.stat().st_ino if path.exists() else None]
        while process.poll() is None and len(written) <= writes + 1:
            found = path.stat().st_ino if path.exists() else None
            if found != written[-1]:
                written.append(found)
            time.sleep(0.002)

    def ending(self, name: str) -> dict:
        """All that a run has in the end, but for paths and speeds."""
        folder = self.last(name).parent
        (best,) = folder.glob("best*.ckpt")
        found = {}
        for path in (self.last(name), best):
            saved = torch.load(path, weights_only=True)
            parts = ("state_dict", "trained_weights", "optimizer_states", "lr_schedulers", "global_step")
            states = {key: state for key, state in saved["callbacks"].items() if not key.startswith("ModelCheckpoint")}
            found[path.name] = {part: saved.get(part) for part in parts} | {"callbacks": states}
        with (self.cli.folder / name / "metrics.csv").open(encoding="utf-8") as file:
            rows = [{key: row[key] for key in sorted(row) if "second" not in key} for row in csv.DictReader(file)]
        return found | {"rows": rows}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_run_that_is_killed_again_and_again_ends_bit_for_bit(cli, monkeypatch, name):
    (cli.folder / "every.py").write_text(EVERY, encoding="utf-8")
    monkeypatch.setenv("WANDB_MODE", "offline")
    kind, changes = RECIPES[name]
    config = cli.config(kind, **SHORT, **changes)
    written = yaml.safe_load(config.read_text())
    written["trainer"].setdefault("callbacks", []).append({"class_path": "every.EveryBatch"})
    config.write_text(yaml.safe_dump(written))
    runs = Runs(cli, config, random.Random(name))
    expected = runs.whole()

    endings = 0
    while runs.kills < KILLS:
        found = runs.killed(f"killed-{endings}")
        endings += 1
        wrong = differences(found, expected)
        print(f"{name}: {runs.kills} kills, ending {endings}: {len(wrong)} differ", file=sys.__stderr__, flush=True)
        assert wrong[:5] == []
