"""The command line as a process of its own: quiet, without a login, and interrupted."""

import os
import re
import signal
import time

import pytest

from lit_vae import checkpoints

PATIENCE = 300
"""Seconds; far more than it takes on a machine that does nothing else."""


def without_login(home) -> dict[str, str | None]:
    """An environment in which W&B finds nobody's account."""
    return {**{name: None for name in os.environ if name.startswith("WANDB_")}, "HOME": str(home)}


def test_a_first_run_asks_nothing_and_says_only_what_counts(cli, tmp_path_factory):
    file = cli.config("pictures", trainer__logger=[{"class_path": "lightning.pytorch.loggers.WandbLogger"}])
    home = tmp_path_factory.mktemp("home")

    process = cli.spawn("fit", "--config", file, "--run_dir", "mine", **without_login(home))
    out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, err
    assert err == ""
    lines = [line for line in out.splitlines() if line.strip()]
    assert lines[0].startswith("W&B: recording offline; view: wandb leet mine/wandb; upload: wandb sync mine/wandb/")
    assert re.match(r"Epoch 0/0 .* bits_per_dim: \d\.\d+ val: \d\.\d+", lines[1])
    assert lines[2:] == ["run: mine; evaluate it with: python -m lit_vae test --ckpt_path mine"]
    assert list((cli.folder / "mine" / "wandb").glob("offline-run-*/*.wandb"))


def interrupt(cli, *words) -> tuple[int, str, str]:
    """Exit status and output of a long fit that Ctrl-C ends after its first checkpoint."""
    process = cli.spawn("fit", *words, "--run_dir", "mine", "--trainer.max_epochs", "100000")
    while process.poll() is None and not (cli.folder / "mine" / "checkpoints" / "last.ckpt").exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def test_ctrl_c_leaves_a_checkpoint_from_which_the_run_resumes(cli):
    status, out, err = interrupt(cli, "--config", "pictures.yaml")

    last = cli.folder / "mine" / "checkpoints" / "last.ckpt"
    reached = checkpoints.step(last)
    assert status == 130
    assert out.rstrip().splitlines()[-1] == "interrupted; resume with: python -m lit_vae fit --ckpt_path mine"
    assert "Traceback" not in out + err
    resumed = cli("fit", "--ckpt_path", "mine", "--trainer.max_epochs", "-1", "--trainer.max_steps", reached + 2)
    assert resumed.status == 0
    assert checkpoints.step(last) == reached + 2


@pytest.mark.slow
def test_ctrl_c_ends_two_processes_in_the_middle_of_a_step(cli):
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    busy = ["--data.batch_size", "8", "--trainer.limit_train_batches", "1000", "--trainer.val_check_interval", "5"]

    status, out, _ = interrupt(cli, "--config", "pictures.yaml", *two, *busy)

    assert status == 130
    assert "interrupted; resume with" in out
    assert checkpoints.step(cli.folder / "mine" / "checkpoints" / "last.ckpt") >= 5
