"""Runs that are killed, in processes of their own: each goes on with one command, and leaves one record."""

import csv
import shlex
import signal
import time

import pytest

from lit_vae import checkpoints

FIT = ["fit", "--config", "pictures.yaml", "--run_dir", "mine"]
WANDB = ["--trainer.logger", "lightning.pytorch.loggers.WandbLogger"]
PATIENCE = 300
"""Seconds; far more than it takes on a machine that does nothing else."""


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture(autouse=True)
def kill(cli, monkeypatch):
    """A user's own module, whose callback kills its process at one place of a training."""
    (cli.folder / "kill.py").write_text(
        "import os\n"
        "from lightning.pytorch import Callback\n\n\n"
        "class Kill(Callback):\n"
        "    def __init__(self, where: str, step: int):\n"
        "        self.where, self.step = where, step\n\n"
        "    def _at(self, where, trainer):\n"
        "        if where == self.where and trainer.global_step == self.step and not trainer.sanity_checking:\n"
        "            os.kill(os.getpid(), 9)\n\n"
        "    def on_train_batch_start(self, trainer, *args):\n"
        "        self._at('step', trainer)\n\n"
        "    def on_validation_batch_start(self, trainer, *args):\n"
        "        self._at('validation', trainer)\n\n"
        "    def on_save_checkpoint(self, trainer, *args):\n"
        "        self._at('save', trainer)\n"
    )
    monkeypatch.syspath_prepend(cli.folder)


def killed(cli, where: str, step: int, *words) -> None:
    """Run a command until it kills itself."""
    callback = f"{{class_path: kill.Kill, init_args: {{where: {where}, step: {step}}}}}"
    process = cli.spawn(*words, "--trainer.callbacks", callback)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL, err


def repeatable(run) -> list[dict[str, str]]:
    """The rows of a run's metrics without what depends on the machine's other work."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: cell for name, cell in row.items() if not name.endswith("_per_second")} for row in rows]


@pytest.mark.parametrize(
    ("where", "step", "reached"), [("step", 0, None), ("step", 2, 1), ("validation", 4, 1), ("save", 4, 1)]
)
def test_a_run_that_is_killed_goes_on_and_leaves_one_record(cli, runs, where, step, reached):
    workers = ["--data.num_workers", "2"] if where == "step" else []
    killed(cli, where, step, *FIT, *WANDB, *workers)
    mine, last = cli.folder / "mine", cli.folder / "mine" / "checkpoints" / "last.ckpt"
    assert (checkpoints.step(last) if last.exists() else None) == reached
    recorded = (mine / "wandb_id.txt").read_text()

    again = cli("fit", "--ckpt_path", "mine", "--trainer.callbacks", "null", "--data.num_workers", "0")

    assert again.status == 0, again.err
    assert ("holds no checkpoint: nothing was trained there yet" in again.out) == (reached is None)
    assert repeatable(mine) == repeatable(runs / "pictures")
    assert (mine / "wandb_id.txt").read_text() == recorded
    folders = [path.name for path in (mine / "wandb").iterdir() if path.name.startswith("offline-run-")]
    assert {name.rpartition("-")[2] for name in folders} == {recorded.strip()}


def test_two_processes_do_not_train_in_one_directory(cli):
    process = cli.spawn(*FIT, "--trainer.max_epochs", "100000", "--trainer.check_val_every_n_epoch", "100000")
    while process.poll() is None and not (cli.folder / "mine" / "checkpoints" / "last.ckpt").exists():
        time.sleep(0.05)

    for words in (["fit", "--ckpt_path", "mine"], [*FIT, "--resume", "auto"]):
        answer = cli(*words)
        assert answer.status == 2
        assert f"mine is being trained by process {process.pid} on " in answer.err
    assert "--run_dir mine holds a run: go on with it with" in cli(*FIT).err
    assert cli("validate", "--ckpt_path", "mine").status == 0
    process.kill()
    process.wait()
    assert cli("fit", "--ckpt_path", "mine", "--trainer.max_epochs", "1").status == 0


def test_a_run_without_a_checkpoint_is_begun_by_what_its_messages_say(cli):
    cli(*FIT, "--trainer.max_epochs", "0")

    refused, tested = cli(*FIT), cli("test", "--ckpt_path", "mine")
    assert (refused.status, tested.status) == (2, 2)
    assert "nothing was trained" in refused.err
    assert "nothing was trained" in tested.err
    (command,) = {part[part.index("python") :] for part in tested.err.split("with ") if "python" in part}
    words = shlex.split(command)[3:]
    assert cli(*words, "--trainer.max_epochs", "1").status == 0
    assert checkpoints.step(cli.folder / "mine" / "checkpoints" / "last.ckpt") == 4


def test_tensorboard_has_one_version_of_a_run(cli):
    board = ["--trainer.logger", "TensorBoardLogger"]
    cli(*FIT, *board)
    cli("fit", "--ckpt_path", "mine", "--trainer.max_epochs", "2")

    (version,) = {path.parent for path in (cli.folder / "mine").rglob("events.out.tfevents.*")}
    assert version.name == "version_0"
