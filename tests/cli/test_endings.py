"""How a run ends, from the command line: broken, told to stop, repeated by a scheduler, or before it began."""

import math
import os
import re
import shutil
import signal
import sys
import time

import pytest
import torch

from lit_vae import checkpoints

FIT = ["fit", "--config", "pictures.yaml", "--run_dir", "mine"]
WANDB = ["--trainer.logger", "lightning.pytorch.loggers.WandbLogger"]
DIVERGE = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "1e30"]
AUTO = ["--resume", "auto"]
PATIENCE = 300
"""Seconds; far more than it takes on a machine that does nothing else."""


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("WANDB_MODE", "offline")


def last(cli):
    return cli.folder / "mine" / "checkpoints" / "last.ckpt"


def files(folder) -> dict:
    """Every file below a folder, with what is in it; W&B's service may still be writing its own."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path: None if "wandb" in path.relative_to(folder).parts else path.read_bytes() for path in found}


# ---- numbers that are not finite ----


def test_a_run_that_diverges_fails_with_the_reason_in_one_line(cli):
    answer = cli(*FIT, *DIVERGE)

    assert answer.status == 2
    assert re.fullmatch(r"error: training diverged: .*step \d+, where loss .*callbacks\.UpdateGuard .*\n", answer.err)
    (first,) = (cli.folder / "mine").rglob("*.ckpt")
    assert checkpoints.step(first) == 1
    assert all(value.isfinite().all() for value in checkpoints.read(first)["state_dict"].values())


def test_a_run_that_is_resumed_and_diverges_keeps_its_checkpoints(cli, finished):
    before = files(finished / "pictures" / "checkpoints")

    answer = cli("fit", "--ckpt_path", "pictures", "--trainer.max_epochs", "9", "--trainer.callbacks", "spoil.Spoil")

    assert answer.status == 2
    assert files(finished / "pictures" / "checkpoints") == before


@pytest.fixture(autouse=True)
def spoil(cli, monkeypatch):
    """A user's own module, whose callback makes the weights infinite."""
    (cli.folder / "spoil.py").write_text(
        "from lightning.pytorch import Callback\n\n\n"
        "class Spoil(Callback):\n"
        "    def on_train_batch_end(self, trainer, vae, *args):\n"
        "        vae.head.output.weight.data.fill_(float('inf'))\n"
    )
    monkeypatch.syspath_prepend(cli.folder)


@pytest.mark.parametrize(
    "words",
    [
        ["fit"],
        ["test"],
        ["validate"],
        ["sample"],
        ["reconstruct"],
        ["encode"],
        ["interpolate"],
        ["traverse"],
        ["decode", "--latents", "x.pt"],
    ],
    ids=lambda words: words[0],
)
def test_no_verb_takes_weights_that_are_not_finite(cli, finished, words):
    best = checkpoints.find("pictures", "best")
    checkpoint = torch.load(best, weights_only=True)
    checkpoint["state_dict"]["head.output.weight"].view(-1)[0] = math.nan
    torch.save(checkpoint, "broken.ckpt")

    answer = cli(*words, "--ckpt_path", "broken.ckpt", *(["--trainer.max_epochs", "2"] if words == ["fit"] else []))

    assert answer.status == 2
    assert not re.search("nelbo|bits_per_dim|wrote", answer.out)
    assert answer.err.startswith("error: --ckpt_path broken.ckpt holds weights that are not finite, head.output.weight")
    assert not list(cli.folder.glob("runs/*"))


# ---- signals ----


def interrupt(cli, signum, *words, group=False, **changes):
    """Exit status and output of a long fit that a signal ends after its first checkpoint."""
    process = cli.spawn(*words, "--trainer.max_epochs", "100000", **changes)
    while process.poll() is None and not last(cli).exists():
        time.sleep(0.05)
    (os.killpg if group else os.kill)(process.pid, signum)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def test_a_scheduler_stops_a_run_and_repeats_its_command(cli):
    status, out, err = interrupt(cli, signal.SIGTERM, *FIT, *AUTO)

    reached = checkpoints.step(last(cli))
    assert (status, err) == (143, "")
    resume = f"{sys.executable} -m lit_vae fit --ckpt_path mine"
    assert out.rstrip().splitlines()[-1] == f"stopped by SIGTERM; resume with: {resume}"
    again = cli(*FIT, *AUTO, "--trainer.max_epochs", "-1", "--trainer.max_steps", reached + 2)
    assert (again.status, again.err) == (0, "")
    assert checkpoints.step(last(cli)) == reached + 2


@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize(
    "busy",
    [
        [],
        ["--trainer.limit_train_batches", "1000", "--data.batch_size", "8", "--trainer.val_check_interval", "5"],
        ["--data.num_workers", "1"],
    ],
    ids=["training", "validating", "workers"],
)
def test_a_signal_ends_two_processes_as_one(cli, group, busy):
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]

    status, out, _ = interrupt(cli, signal.SIGTERM, *FIT, *two, *busy, group=group)

    assert status == 143
    assert "stopped by SIGTERM; resume with" in out
    assert checkpoints.step(last(cli)) > 0


@pytest.mark.slow
def test_two_processes_that_diverge_say_it_once(cli):
    process = cli.spawn(*FIT, *DIVERGE, "--trainer.devices", "2", "--trainer.strategy", "ddp")

    _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 2
    assert err.count("training diverged") == 1


def test_slurm_requeues_a_job_whose_command_goes_on(cli):
    tools = cli.folder / "tools"
    tools.mkdir()
    scontrol = tools / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {cli.folder}/requeued.txt\nkill -TERM $PPID\n')
    scontrol.chmod(0o755)
    job = {"JOB_ID": "1234", "JOB_NAME": "train", "NTASKS": "1", "NTASKS_PER_NODE": "1", "PROCID": "0", "LOCALID": "0"}
    environment = {f"SLURM_{name}": value for name, value in {**job, "NODEID": "0", "NNODES": "1"}.items()}

    status, _, _ = interrupt(cli, signal.SIGUSR1, *FIT, *AUTO, PATH=f"{tools}:{os.environ['PATH']}", **environment)

    assert status == 143
    assert (cli.folder / "requeued.txt").read_text() == "requeue 1234\n"
    (saved,) = (cli.folder / "mine").glob("hpc_ckpt_*.ckpt")
    shutil.rmtree(last(cli).parent)  # as if the job had been killed at once
    reached = checkpoints.step(saved)
    again = cli(*FIT, *AUTO, "--trainer.max_epochs", "-1", "--trainer.max_steps", reached + 2)
    assert (again.status, again.err) == (0, "")
    assert checkpoints.step(last(cli)) == reached + 2


# ---- a command that can be repeated ----


def test_a_repeated_command_starts_goes_on_and_is_done(cli):
    answers = [cli(*FIT, *AUTO, "--trainer.max_epochs", epochs) for epochs in (1, 2, 2)]

    assert [answer.status for answer in answers] == [0, 0, 0]
    assert checkpoints.step(last(cli)) == 8
    assert "nothing was left to train after step 8" in answers[2].out


def test_a_run_that_ended_before_its_first_checkpoint_starts_again(cli):
    assert cli(*FIT, *AUTO, "--trainer.max_epochs", "0").status == 0
    assert (cli.folder / "mine" / "config.yaml").exists()

    assert cli(*FIT, *AUTO).status == 0

    assert checkpoints.step(last(cli)) == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fit", "--config", "pictures.yaml", *AUTO], "--resume auto needs --run_dir"),
        (
            [*FIT, "--resume", "always"],
            "is for fit, in the place of --ckpt_path; got fit --resume always",
        ),
        (["test", "--ckpt_path", "x", *AUTO], "got test --resume auto --ckpt_path x"),
        ([*FIT, *AUTO, "--ckpt_path", "x"], "in the place of --ckpt_path"),
        (["fit", "--config", "pictures.yaml", *AUTO, "--run_dir", "own"], "--run_dir own exists and is no run"),
        (["fit", "--config", "pictures.yaml", *AUTO, "--run_dir", "texts.txt"], "--run_dir texts.txt exists and is no"),
    ],
)
def test_what_cannot_be_repeated_is_refused(cli, words, says):
    (cli.folder / "own").mkdir()
    (cli.folder / "own" / "notes.txt").write_text("kept")
    before = files(cli.folder)

    answer = cli(*words)

    assert answer.status == 2
    assert says in answer.err
    assert files(cli.folder) == before


def test_help_tells_of_it(cli, capsys):
    with pytest.raises(SystemExit):
        cli("fit", "--help")

    assert "--resume auto" in capsys.readouterr().out


# ---- runs in which nothing happens ----


def test_a_finished_run_that_is_resumed_is_left_as_it_was(cli):
    cli(*FIT, *WANDB)
    before = files(cli.folder / "mine")

    answer = cli("fit", "--ckpt_path", "mine")

    assert answer.status == 0
    assert files(cli.folder / "mine") == before


def test_a_run_whose_time_is_up_has_nothing_left(cli):
    cli(*FIT, "--trainer.max_time", "00:01:00:00")

    answer = cli("fit", "--ckpt_path", "mine", "--trainer.max_epochs", "9", "--trainer.max_time", "00:00:00:00")

    assert answer.status == 0
    assert "nothing was left to train after step 4" in answer.out
    assert checkpoints.step(last(cli)) == 4


@pytest.mark.parametrize(
    "fault",
    [
        ["--trainer.val_check_interval", "100"],
        ["--trainer.callbacks", "lit_vae.callbacks.EMA", "--checkpoint.save_weights_only", "true"],
        ["--data.root", "nowhere"],
    ],
    ids=lambda fault: fault[0],
)
def test_a_fit_that_fails_before_its_first_step_leaves_nothing(cli, fault):
    name = "texts.yaml" if "--data.root" in fault else "pictures.yaml"
    before = files(cli.folder)

    answer = cli("fit", "--config", name, "--run_dir", "mine", *WANDB, *fault)

    assert answer.status == 2
    assert answer.err.startswith("error: ")
    assert files(cli.folder) == before
    assert not (cli.folder / "mine").exists()


def test_a_resumed_fit_that_fails_before_its_first_step_adds_no_record_to_its_run(cli):
    cli(*FIT, *WANDB)
    folders, kept = list((cli.folder / "mine" / "wandb").iterdir()), files(cli.folder / "mine" / "checkpoints")

    answer = cli("fit", "--ckpt_path", "mine", "--trainer.max_epochs", "2", "--trainer.val_check_interval", "100")

    assert answer.status == 2
    assert sorted((cli.folder / "mine" / "wandb").iterdir()) == sorted(folders)
    assert files(cli.folder / "mine" / "checkpoints") == kept
