"""Weights & Biases without an account: an offline run that holds everything; other loggers by their class path."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lit_vae import __version__, checkpoints, commands
from lit_vae.cli import loggers

WANDB = ["--trainer.logger", "lightning.pytorch.loggers.WandbLogger"]


def records(folder: Path) -> list[dict]:
    """What an offline run holds, read by W&B's own program."""
    (file,) = folder.glob("*.wandb")
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def merged(found: list[dict], kind: str, part: str) -> dict:
    """All entries of one kind of record, the later over the earlier."""
    everything: dict = {}
    for record in found:
        if record["type"] == kind:
            everything |= record[kind].get(part, {})
    return everything


def started(found: list[dict]) -> dict:
    """The record that opens a run."""
    return next(record["run"] for record in found if record["type"] == "run")


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """A folder for W&B's own settings and caches, so that nobody's login is found."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("HOME", str(home))
        yield


@pytest.mark.parametrize(
    ("name", "units"),
    [("pictures", {"bits_per_dim", "nelbo"}), ("texts", {"nats_per_token", "perplexity"})],
)
def test_an_offline_run_holds_everything_and_a_csv_file_lies_beside_it(cli, offline, name, units):
    answer = cli("fit", "--config", f"{name}.yaml", "--run_dir", "mine", *WANDB)

    (folder,) = (cli.folder / "mine" / "wandb").glob("offline-run-*")
    found = records(folder)
    history, config = merged(found, "history", "item"), merged(found, "config", "update")
    assert answer.status == 0
    assert {f"val/{unit}" for unit in units} <= history.keys()
    assert {"train/loss", "train/nelbo", "train/rate", "train/distortion", "val/nelbo", "val/rate"} <= history.keys()
    saved = yaml.safe_load((cli.folder / "mine" / "config.yaml").read_text())
    assert {key: config[key] for key in ("model", "data", "examples")} == {
        key: saved[key] for key in ("model", "data", "examples")
    }
    assert config["trainer"]["max_epochs"] == 1
    assert config["lit_vae"] == __version__
    assert (cli.folder / "mine" / "metrics.csv").is_file()
    if name == "pictures":
        assert history["samples._type"] == history["reconstructions._type"] == "images/separated"
        assert len(list(folder.rglob("*.png"))) == 2
    else:
        assert history["samples._type"] == history["reconstructions._type"] == "table-file"
        (table,) = folder.rglob("reconstructions*.table.json")
        content = json.loads(table.read_text())
        assert content["columns"] == ["original", "reconstruction"]
        assert len(content["data"]) == 10
        assert all(" times " in original for original, _ in content["data"])


def test_an_offline_run_says_in_one_line_how_to_view_and_upload_it(cli, offline):
    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.max_steps", "1", *WANDB)

    assert answer.err == ""
    (line,) = [line for line in answer.out.splitlines() if "W&B" in line]
    wandb = commands.wandb()
    assert line.endswith(
        f"recording offline; view: {wandb} leet mine/wandb; upload: {wandb} sync mine/wandb/offline-run-*"
    )


def test_a_resumed_run_keeps_its_id(cli, offline):
    cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", *WANDB)
    cli("fit", "--ckpt_path", "mine", "--trainer.max_epochs", "2")

    parts = [started(records(folder)) for folder in (cli.folder / "mine" / "wandb").glob("offline-run-*")]
    assert len(parts) == 2
    assert parts[0]["run_id"] == parts[1]["run_id"]


def history(folder: Path, key: str) -> list[int]:
    """The optimizer steps at which something was recorded."""
    items = [record["history"]["item"] for record in records(folder) if record["type"] == "history"]
    return [item["trainer/global_step"] for item in items if key in item]


@pytest.mark.parametrize("name", ["pictures", "texts"])
def test_what_is_shown_is_recorded_at_the_step_of_its_validation(cli, offline, name):
    """Also where no step between two validations is logged."""
    words = ["--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "1000"]
    cli("fit", "--config", f"{name}.yaml", "--run_dir", "mine", *words, *WANDB)

    (folder,) = (cli.folder / "mine" / "wandb").glob("offline-run-*")
    recorded = {key: history(folder, key) for key in ("val/nelbo", "samples._type", "reconstructions._type")}
    assert recorded == {key: [4, 8] for key in recorded}
    assert {path.stem[-6:] for path in (cli.folder / "mine" / "examples").iterdir()} == {"000004", "000008"}
    assert checkpoints.step(checkpoints.find(cli.folder / "mine", "last")) == 8


def test_a_run_records_what_the_csv_file_has(cli, offline):
    cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", *WANDB)

    (folder,) = (cli.folder / "mine" / "wandb").glob("offline-run-*")
    names = {name for name in merged(records(folder), "history", "item") if "/" in name} - {"trainer/global_step"}
    columns = (cli.folder / "mine" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert names == {name for name in columns if "/" in name}


def test_an_evaluation_goes_to_the_summary_of_its_run_and_into_no_history(cli, offline):
    cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", *WANDB)
    (fitted,) = (cli.folder / "mine" / "wandb").glob("offline-run-*")

    answer = cli("test", "--ckpt_path", "mine")

    (tested,) = set((cli.folder / "mine" / "wandb").glob("offline-run-*")) - {fitted}
    found = records(tested)
    run_id = started(records(fitted))["run_id"]
    summary = merged(found, "summary", "update")
    assert (answer.status, answer.err) == (0, "")
    assert started(found)["run_id"] == run_id
    assert answer.out.rstrip().endswith(f"kept in mine/test.csv and in the summary of W&B's run {run_id}")
    assert not any(record["type"] == "history" for record in found)
    printed = [float(number) for number in re.findall(r"\d+\.\d+", answer.out)]
    assert any(number == pytest.approx(summary["test/bits_per_dim"], abs=1e-4) for number in printed)
    assert "val/nelbo" in summary


def test_an_evaluation_of_a_run_that_wandb_does_not_know_records_nothing_there(cli, offline):
    cli("fit", "--config", "pictures.yaml", "--run_dir", "mine")

    cli("test", "--ckpt_path", "mine")

    assert not (cli.folder / "mine" / "wandb").exists()


def test_nothing_is_warned_of_where_the_environment_says_offline(cli, tmp_path_factory):
    home = str(tmp_path_factory.mktemp("home"))

    process = cli.spawn(
        *("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.max_steps", "1", *WANDB),
        **{"WANDB_MODE": "offline", "HOME": home, "PYTHONWARNINGS": "default::DeprecationWarning:lit_vae"},
    )
    _, err = process.communicate(timeout=300)

    assert (process.returncode, err) == (0, "")


def test_two_runs_of_one_process_are_two(cli, offline):
    for name in ("one", "two"):
        cli("fit", "--config", "pictures.yaml", "--run_dir", name, "--trainer.max_steps", "1", *WANDB)

    assert loggers.recorded_id(cli.folder / "one") != loggers.recorded_id(cli.folder / "two")


def test_a_project_is_named_by_flag_or_environment(cli, offline, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.max_steps", "1", *WANDB)

    (folder,) = (cli.folder / "mine" / "wandb").glob("offline-run-*")
    assert started(records(folder))["project"] == "theirs"


@pytest.mark.parametrize("named", ["lightning.pytorch.loggers.TensorBoardLogger", "TensorBoardLogger"])
def test_tensorboard_takes_over_by_its_class_path(cli, named):
    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.logger", named)

    (events,) = (cli.folder / "mine").rglob("events.out.tfevents.*")
    assert answer.status == 0
    assert tensorboard_tags(events) == {"images": {"samples", "reconstructions"}, "scalars": True}
    assert (cli.folder / "mine" / "metrics.csv").is_file()
    assert not (cli.folder / "mine" / "wandb").exists()


def test_tensorboard_that_is_not_installed_is_asked_for(cli, monkeypatch):
    monkeypatch.setattr(loggers, "has_tensorboard", lambda: False)

    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.logger", "TensorBoardLogger")

    assert answer.status == 2
    assert "TensorBoardLogger needs tensorboard: pip install 'lit_vae[tensorboard]'" in answer.err
    assert not (cli.folder / "mine").exists()


def test_tensorboard_takes_over_in_a_config(cli):
    file = cli.config("texts", trainer__logger={"class_path": "lightning.pytorch.loggers.TensorBoardLogger"})

    answer = cli("fit", "--config", file, "--run_dir", "mine")

    assert answer.status == 0
    assert list((cli.folder / "mine").rglob("events.out.tfevents.*"))


def tensorboard_tags(events: Path) -> dict:
    """Which pictures an event file holds, and whether it has the metrics."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tags = EventAccumulator(str(events)).Reload().Tags()
    return {"images": set(tags["images"]), "scalars": {"train/loss", "val/bits_per_dim"} <= set(tags["scalars"])}


def test_a_loggers_own_folder_is_kept(cli):
    logger = ["--trainer.logger", "TensorBoardLogger", "--trainer.logger.save_dir", "boards"]

    cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.max_steps", "1", *logger)

    assert list((cli.folder / "boards").rglob("events.out.tfevents.*"))


def test_no_logger_is_asked_for(cli):
    cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.logger", "false")

    assert {path.name for path in (cli.folder / "mine").iterdir()} == {"checkpoints", "config.yaml", "examples"}
