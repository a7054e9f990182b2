"""Averaged weights and guarded updates from a config, in one process and in two."""

import csv

import pytest
import torch

from lit_vae.callbacks.ema import averaged
from lit_vae.vae import LitVAE

RECIPES = [
    {"class_path": "lit_vae.callbacks.EMA", "init_args": {"decay": 0.9, "raw": True}},
    {"class_path": "lit_vae.callbacks.UpdateGuard", "init_args": {"memory": 10}},
]
SPOIL = '''
import torch
from lightning.pytorch import Callback


class Spoil(Callback):
    """One process's gradient is broken at the second step; each process keeps what it ends with."""

    def on_train_start(self, trainer, pl_module):
        def broken(gradient):
            return gradient * float("nan") if (trainer.global_rank, trainer.global_step) == (1, 1) else gradient

        next(pl_module.head.parameters()).register_hook(broken)

    def on_train_end(self, trainer, pl_module):
        torch.save([weight.detach() for weight in pl_module.parameters()], f"weights{trainer.global_rank}.pt")
        kept = [callback for callback in trainer.callbacks if type(callback).__name__ in ("EMA", "UpdateGuard")]
        states = [callback.state_dict() for callback in kept]
        torch.save(states, f"states{trainer.global_rank}.pt")
'''


def column(run, name):
    """The numbers under a name, in order."""
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def test_averages_and_counts_are_logged_saved_and_used_from_a_config(cli):
    config = cli.config("pictures", trainer__callbacks=RECIPES, trainer__log_every_n_steps=1)

    fit = cli("fit", "--config", config, "--run_dir", "run")
    tested = cli("test", "--ckpt_path", "run")

    assert (fit.status, fit.err, tested.status) == (0, "", 0)
    run = cli.folder / "run"
    assert column(run, "train/skipped_updates") == [0.0] * 4
    assert column(run, "val/nelbo") != column(run, "val/raw/nelbo")
    assert "test/raw/nelbo" in tested.out
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    loaded = averaged(LitVAE.load_from_checkpoint(run))
    assert all(torch.equal(value, saved["state_dict"][name]) for name, value in loaded.items())
    assert any(not torch.equal(value, saved["trained_weights"][name]) for name, value in loaded.items())


def test_an_argument_out_of_range_is_told_in_one_line(cli):
    wrong = [{"class_path": "lit_vae.callbacks.EMA", "init_args": {"decay": 2.0}}]

    answer = cli("fit", "--config", cli.config("pictures", trainer__callbacks=wrong), "--run_dir", "run")

    expected = "error: trainer.callbacks: EMA's decay must be at least 0 and below 1, got 2.0\n"
    assert (answer.status, answer.err) == (2, expected)


@pytest.mark.slow
def test_two_processes_leave_out_an_update_that_is_broken_in_one(cli):
    (cli.folder / "spoiling.py").write_text(SPOIL, encoding="utf-8")
    callbacks = [*RECIPES, {"class_path": "spoiling.Spoil"}]
    config = cli.config("pictures", trainer__callbacks=callbacks, trainer__log_every_n_steps=1)
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]

    process = cli.spawn("fit", "--config", config, "--run_dir", "run", *two)
    _, err = process.communicate(timeout=300)

    assert (process.returncode, err) == (0, "")
    first, second = (torch.load(cli.folder / f"weights{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert all(weight.isfinite().all() for weight in first)
    states, others = (torch.load(cli.folder / f"states{rank}.pt") for rank in (0, 1))
    assert "head." in states[1].pop("diagnosis")
    assert "head." in others[1].pop("diagnosis")  # with this process's loss terms
    assert states == others
    assert (states[0]["updates"], states[1]["skipped"]) == (3, 1)
    assert column(cli.folder / "run", "train/skipped_updates") == [0.0, 1.0, 1.0, 1.0]
