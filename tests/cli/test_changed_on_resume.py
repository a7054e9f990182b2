"""What may change where a run is resumed, and what is said of it."""

import csv
import json

import pytest
import torch
import yaml

from lit_vae import checkpoints


@pytest.fixture
def run(cli):
    """A run of two epochs of pictures, four steps each."""
    assert cli("fit", "--config", "pictures.yaml", "--trainer.max_epochs", "2", "--run_dir", "run").status == 0
    return cli.folder / "run"


def last(run):
    return torch.load(checkpoints.find(run, "last"), weights_only=True)


def test_a_rate_may_change_and_what_changed_is_said_and_kept(cli, run):
    answer = cli("fit", "--ckpt_path", "run", "--model.optimizer.lr", "1e-5", "--trainer.max_epochs", "3")

    assert answer.status == 0
    assert "changed: model.optimizer.lr 0.001 -> 1e-05\n" in answer.out
    assert "changed: trainer.max_epochs 2 -> 3\n" in answer.out
    assert answer.out.count("changed: ") == 2
    assert last(run)["optimizer_states"][0]["param_groups"][0]["lr"] == 1e-5
    with (run / "changes.csv").open() as file:
        rows = {row["setting"]: row for row in csv.DictReader(file)}
    assert rows["model.optimizer.init_args.lr"]["step"] == "8"
    assert json.loads(rows["model.optimizer.init_args.lr"]["before"]) == 1e-3
    assert json.loads(rows["model.optimizer.init_args.lr"]["after"]) == 1e-5
    assert yaml.safe_load((run / "config.yaml").read_text())["model"]["optimizer"]["init_args"]["lr"] == 1e-5


def test_what_has_changed_once_stays_so(cli, run):
    cli("fit", "--ckpt_path", "run", "--model.optimizer.lr", "1e-5", "--trainer.max_epochs", "3")
    answer = cli("fit", "--ckpt_path", "run", "--trainer.max_epochs", "4")

    assert answer.out.count("changed: ") == 1
    assert last(run)["optimizer_states"][0]["param_groups"][0]["lr"] == 1e-5


def test_nothing_changed_says_nothing_and_writes_nothing(cli, run):
    before = (run / "config.yaml").read_bytes()
    answer = cli("fit", "--ckpt_path", "run")
    assert "changed: " not in answer.out
    assert (run / "config.yaml").read_bytes() == before
    assert not (run / "changes.csv").exists()


WEIGHTED = [
    "--model.objective.kl_weight", "lit_vae.objectives.TargetKL", "--model.objective.kl_weight.nats", "3.0",
    "--trainer.callbacks", "lit_vae.callbacks.EMA", "--trainer.gradient_clip_val", "1.0",
]  # fmt: skip


def test_objective_schedule_callbacks_and_trainer_may_change(cli, run):
    schedule = ["--model.scheduler", "lit_vae.schedules.WarmupCosine", "--model.scheduler.warmup", "16"]
    answer = cli("fit", "--ckpt_path", "run", *WEIGHTED, *schedule, "--trainer.max_epochs", "3")

    assert answer.status == 0
    for said in (
        "model.objective.kl_weight.class_path null -> lit_vae.objectives.TargetKL",
        "model.scheduler.class_path null -> lit_vae.schedules.WarmupCosine",
        "trainer.callbacks.class_path null -> lit_vae.callbacks.EMA",
        "trainer.gradient_clip_val null -> 1.0",
    ):
        assert f"changed: {said}\n" in answer.out
    assert last(run)["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(1e-3 * 13 / 16)
    assert cli("test", "--ckpt_path", "run").status == 0
    back = ["--model.objective.kl_weight", "1.0", "--trainer.callbacks", "null", "--model.scheduler", "null"]
    answer = cli("fit", "--ckpt_path", "run", *back, "--trainer.max_epochs", "4")
    assert answer.status == 0
    assert last(run)["optimizer_states"][0]["param_groups"][0]["lr"] == 1e-3


@pytest.mark.parametrize(
    ("verb", "words", "says"),
    [
        ("fit", ["--model.backbone.latent", "3"], "a checkpoint fixes its backbone and its head"),
        ("fit", ["--model.head.components", "2"], "a checkpoint fixes its backbone and its head"),
        ("test", ["--model.objective.kl_weight", "0.5"], "a checkpoint is evaluated as it was trained"),
    ],
)
def test_what_the_weights_belong_to_stays(cli, run, verb, words, says):
    answer = cli(verb, "--ckpt_path", "run", *words)

    assert answer.status == 2
    assert says in answer.err
    assert f"{words[0][2:].rpartition('.')[0]}.init_args." in answer.err
    assert "fit --init_from run/checkpoints/" in answer.err


@pytest.mark.parametrize("name", ["pictures", "texts"])
@pytest.mark.parametrize("size", [8, 48])
def test_batches_may_be_of_another_size_from_an_epochs_end_on(cli, name, size):
    whole = ["--trainer.limit_train_batches", "1.0", "--data.batch_size"]
    assert cli("fit", "--config", f"{name}.yaml", *whole, 16, "--run_dir", "run").status == 0
    before = last("run")["global_step"]
    assert cli("fit", "--config", f"{name}.yaml", *whole, size, "--run_dir", "other").status == 0
    epoch = last("other")["global_step"]

    answer = cli("fit", "--ckpt_path", "run", "--data.batch_size", size, "--trainer.max_epochs", "3")

    assert answer.status == 0
    assert last("run")["global_step"] == before + 2 * epoch
    with (cli.folder / "run/metrics.csv").open() as file:
        validated = [int(row["step"]) for row in csv.DictReader(file) if row["val/nelbo"]]
    assert validated == [before, before + epoch, before + 2 * epoch]


def test_within_an_epoch_they_may_not(cli):
    flags = ["--config", "pictures.yaml", "--trainer.max_epochs", "2", "--trainer.max_steps", "6"]
    assert cli("fit", *flags, "--run_dir", "run").status == 0

    answer = cli("fit", "--ckpt_path", "run", "--trainer.limit_train_batches", "5", "--trainer.max_steps", "-1")

    assert answer.status == 2
    assert "written within an epoch of 4 batches, those of this training have 5" in answer.err
