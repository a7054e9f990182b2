"""The command line as a process of its own: quiet, without a login, and interrupted."""

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from lit_vae import checkpoints, commands

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
    assert lines[0].startswith(f"W&B: recording offline; view: {commands.wandb()} leet mine/wandb; upload: ")
    assert lines[1:3] == [
        "data: digits, pictures: 1,437 train, 180 val, 180 test",
        "model: 6,254 parameters, 1 latent layer",
    ]
    assert re.match(r"step 4, 0:0\d:\d\d: val/bits_per_dim \d\.\d+, val/nelbo \d+\.\d+, val/rate \d", lines[3])
    assert lines[4:] == [f"run: mine; evaluate it with: {sys.executable} -m lit_vae test --ckpt_path mine"]
    assert list((cli.folder / "mine" / "wandb").glob("offline-run-*/*.wandb"))


def interrupt(cli, *words) -> tuple[int, str, str]:
    """Exit status and output of a long fit that Ctrl-C ends after its first checkpoint."""
    process = cli.spawn("fit", *words, "--run_dir", "mine", "--trainer.max_epochs", "100000")
    while process.poll() is None and not (cli.folder / "mine" / "checkpoints" / "last.ckpt").exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@pytest.mark.parametrize(
    "more",
    [
        [],
        pytest.param(
            ["--data.num_workers", "2", "--trainer.accumulate_grad_batches", "2"], marks=pytest.mark.slow, id="workers"
        ),
    ],
)
def test_ctrl_c_leaves_a_checkpoint_from_which_the_run_resumes(cli, more):
    status, out, err = interrupt(cli, "--config", "pictures.yaml", *more)

    last = cli.folder / "mine" / "checkpoints" / "last.ckpt"
    reached = checkpoints.step(last)
    assert status == 130
    resume = f"{sys.executable} -m lit_vae fit --ckpt_path mine"
    assert out.rstrip().splitlines()[-1] == f"interrupted; resume with: {resume}"
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


def test_a_terminal_is_shown_bars_and_no_lines(cli):
    """A pseudo-terminal takes the place of the screen."""
    screen, program = pty.openpty()
    words = [sys.executable, "-m", "lit_vae", "fit", "--config", "pictures.yaml", "--run_dir", "mine"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "TERM": "xterm"}
    process = subprocess.Popen(
        words, cwd=cli.folder, stdin=subprocess.DEVNULL, stdout=program, env=environment, start_new_session=True
    )
    cli.processes.append(process)
    os.close(program)
    shown = b""
    try:
        while part := os.read(screen, 1 << 16):
            shown += part
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(screen)

    assert process.wait(PATIENCE) == 0
    assert b"Epoch 0/0" in shown
    assert b"model: 6,254 parameters" in shown
    assert b"step 4, " not in shown
