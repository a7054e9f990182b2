"""fit: what a run leaves behind, and how it goes on."""

import csv
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from lit_vae import __version__, checkpoints
from lit_vae.cli.preflight import of_flags
from lit_vae.trust.config_file import content_of


def rows(run: Path) -> list[dict[str, str]]:
    """The lines of a run's metrics."""
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def values(run: Path, key: str) -> list[float]:
    """What the metrics say under a key, in order."""
    return [float(row[key]) for row in rows(run) if row.get(key)]


def repeatable(run: Path) -> list[dict[str, str]]:
    """The lines of a run's metrics without what depends on the machine's other work."""
    return [{name: cell for name, cell in row.items() if not name.endswith("_per_second")} for row in rows(run)]


@pytest.mark.parametrize("name", ["pictures", "texts"])
def test_a_run_leaves_its_config_and_its_checkpoints(runs, name):
    run = runs / name

    config = yaml.safe_load((run / "config.yaml").read_text())

    assert (run / "config.yaml").read_text().startswith(f"# lit_vae {__version__}")
    assert config["model"]["head"]["class_path"].startswith("lit_vae.heads.")
    assert config["model"]["objective"]["init_args"]["kl_weight"] == 1.0
    assert checkpoints.find(run, "best").name.startswith("best-step=")
    assert checkpoints.find(run, "last").name == "last.ckpt"
    assert checkpoints.config(checkpoints.find(run, "last")) == content_of(run / "config.yaml")["config"]


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("pictures", {"bits_per_dim"}),
        ("texts", {"nats_per_token", "perplexity", "bits_per_character", "bits_per_byte"}),
    ],
)
def test_a_run_leaves_its_metrics_in_the_units_of_the_field(runs, name, units):
    columns = rows(runs / name)[0].keys()

    assert {f"val/{unit}" for unit in units} <= columns
    assert {f"{part}/{term}" for part in ("train", "val") for term in ("nelbo", "rate", "distortion")} <= columns
    assert "train/loss" in columns


def test_a_run_leaves_pictures(runs):
    files = sorted((runs / "pictures" / "examples").iterdir())

    assert [file.name for file in files] == ["reconstructions-000004.png", "samples-000004.png"]
    with Image.open(files[0]) as picture:
        assert picture.mode == "RGB"


def test_a_run_leaves_texts(runs):
    folder = runs / "texts" / "examples"

    assert len((folder / "samples-000004.txt").read_text(encoding="utf-8").splitlines()) == 16
    assert (folder / "reconstructions-000004.txt").read_text(encoding="utf-8").count("\n-> ") == 10


def test_a_run_says_where_it_is_and_what_to_do_next(cli):
    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.limit_train_batches", "1")

    assert answer.status == 0
    assert answer.out.rstrip().endswith("run: mine; evaluate it with: python -m lit_vae test --ckpt_path mine")


def test_a_run_that_nobody_names_is_named_after_its_config(cli):
    for _ in range(2):
        cli("fit", "--config", "pictures.yaml", "--trainer.max_steps", "1")

    names = [path.name for path in (cli.folder / "runs").iterdir()]
    assert len(names) == 2
    assert all(name.startswith("pictures-") for name in names)


def test_a_saved_config_repeats_its_run_to_the_bit(cli, runs):
    answer = cli("fit", "--config", runs / "pictures" / "config.yaml", "--run_dir", "again")

    assert answer.status == 0
    assert repeatable(cli.folder / "again") == repeatable(runs / "pictures")


def test_later_configs_and_flags_win(cli):
    (cli.folder / "one.yaml").write_text("model: {head: {class_path: lit_vae.heads.SoftmaxPixelHead}}")
    (cli.folder / "two.yaml").write_text(
        "model: {objective: {init_args: {kl_weight: {class_path: lit_vae.objectives.Linear, init_args: {steps: 3}}}}}"
    )
    files = ["--config", "pictures.yaml", "--config", "one.yaml", "--config", "two.yaml"]

    cli("fit", *files, "--model.objective.kl_weight.steps", "5", "--trainer.max_steps", "1", "--run_dir", "mine")

    model = yaml.safe_load((cli.folder / "mine" / "config.yaml").read_text())["model"]
    assert model["head"]["class_path"] == "lit_vae.heads.SoftmaxPixelHead"
    assert "components" not in model["head"]["init_args"]
    assert model["objective"]["init_args"]["kl_weight"]["init_args"]["steps"] == 5


def test_a_number_stands_where_a_config_has_a_class():
    config = {"model": {"objective": {"class_path": "ELBO", "init_args": {"kl_weight": {"class_path": "Linear"}}}}}

    changes = of_flags(["--model.objective.kl_weight", "5e-1"], config)

    assert changes == {"model": {"objective": {"init_args": {"kl_weight": "5e-1"}}}}


def test_a_packaged_config_and_overlay_train_by_name(cli):
    short = ["--trainer.max_steps", "1", "--trainer.logger", "true", "--trainer.accelerator", "cpu"]

    answer = cli("fit", "--config", "digits.yaml", "--config", "overlays/softmax.yaml", *short)

    (run,) = (cli.folder / "runs").glob("digits-*")
    assert answer.status == 0
    assert "SoftmaxPixelHead" in (run / "config.yaml").read_text()


def test_a_run_that_ends_within_an_epoch_leaves_a_checkpoint_to_evaluate(cli):
    cli("fit", "--config", "pictures.yaml", "--run_dir", "short", "--trainer.max_steps", "3")

    assert [file.name for file in (cli.folder / "short" / "checkpoints").iterdir()] == ["last.ckpt"]
    assert checkpoints.step(cli.folder / "short" / "checkpoints" / "last.ckpt") == 3
    assert cli("test", "--ckpt_path", "short").status == 0


def test_a_callback_is_named_by_its_class_path(cli):
    callback = "lightning.pytorch.callbacks.LearningRateMonitor"

    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", "--trainer.callbacks", callback)

    assert answer.status == 0
    assert values(cli.folder / "mine", "lr-Adam")


# ---- resuming ----


def test_resuming_goes_on_in_the_same_directory(cli, finished):
    before = rows(finished / "pictures")

    answer = cli("fit", "--ckpt_path", "pictures", "--trainer.max_epochs", "2")

    assert answer.status == 0
    after = rows(finished / "pictures")
    assert after[: len(before)] == before
    assert {row["epoch"] for row in after[len(before) :]} == {"1"}
    assert checkpoints.step(finished / "pictures" / "checkpoints" / "last.ckpt") == 8
    assert not (finished / "runs").exists()


@pytest.mark.parametrize("name", ["pictures", "texts"])
def test_a_resumed_run_ends_like_one_that_was_never_stopped(cli, finished, name):
    cli("fit", "--ckpt_path", name, "--trainer.max_epochs", "2")
    cli("fit", "--config", f"{name}.yaml", "--run_dir", "whole", "--trainer.max_epochs", "2")

    assert repeatable(finished / name) == repeatable(finished / "whole")


def test_going_back_to_an_earlier_step_logs_nothing_twice(cli, finished):
    shutil.copy(checkpoints.find("pictures", "last"), finished / "pictures" / "checkpoints" / "early.ckpt")
    words = ["--trainer.max_epochs", "3", "--trainer.log_every_n_steps", "1"]
    cli("fit", "--ckpt_path", "pictures", *words)
    once = repeatable(finished / "pictures")

    answer = cli("fit", "--ckpt_path", "pictures/checkpoints/early.ckpt", *words)

    assert answer.status == 0
    assert [row["step"] for row in once] == ["2", *map(str, range(4, 13))]
    assert repeatable(finished / "pictures") == once


def test_what_is_logged_at_a_step_is_one_row_and_says_nothing_twice(runs):
    for name in ("pictures", "texts"):
        found = rows(runs / name)
        assert [row["step"] for row in found] == ["2", "4"]
        said = {key: row[key] for row in found for key in row if key.startswith("val/") and row[key]}
        ascii_alone = {"val/bits_per_byte"}  # as many bytes as characters
        assert len({said[key] for key in said.keys() - ascii_alone}) == len(said.keys() - ascii_alone), said
        assert not {"val/units", "val/mutual_information_examples"} & said.keys()


def test_a_checkpoint_may_go_by_what_no_logger_is_told(cli):
    words = ["--checkpoint.monitor", "val/nats_per_image", "--checkpoint.filename", "best-{val/nats_per_image:.0f}"]

    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", "mine", *words)

    assert (answer.status, answer.err) == (0, "")
    assert list((cli.folder / "mine" / "checkpoints").glob("best-[1-9]*.ckpt"))


@pytest.mark.parametrize(("name", "symbols", "per_example"), [("pictures", "dims", 64), ("texts", "tokens", None)])
def test_a_run_logs_its_learning_rate_its_gradient_and_its_speed(runs, name, symbols, per_example):
    run = runs / name

    assert values(run, "train/learning_rate") == [1e-3, 1e-3]
    assert all(norm > 0 for norm in values(run, "train/grad_norm"))
    speeds = [values(run, f"train/{what}_per_second") for what in ("examples", symbols)]
    ratios = [many / few for few, many in zip(*speeds, strict=True)]
    assert len(ratios) == 2
    assert all(ratio == pytest.approx(per_example) if per_example else 10 < ratio < 40 for ratio in ratios)


def test_a_run_without_a_checkpoint_is_told_so_and_not_how_to_evaluate_it(cli):
    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", "none", "--trainer.max_epochs", "0")

    assert answer.status == 0
    assert answer.out.rstrip().endswith("run: none; it holds no checkpoint: nothing was trained")


def test_resuming_what_is_finished_says_what_to_raise(cli, finished):
    answer = cli("fit", "--ckpt_path", "pictures")

    assert answer.status == 0
    assert "nothing was left to train after step 4: raise trainer.max_epochs, max_steps or max_time" in answer.out


def test_a_loose_checkpoint_goes_on_in_a_new_run(cli, finished):
    shutil.copy(finished / "pictures" / "checkpoints" / "last.ckpt", finished / "loose.ckpt")

    answer = cli("fit", "--ckpt_path", "loose.ckpt", "--trainer.max_epochs", "2", "--run_dir", "new")

    assert answer.status == 0
    assert checkpoints.step(finished / "new" / "checkpoints" / "last.ckpt") == 8
    assert checkpoints.step(finished / "loose.ckpt") == 4


def test_a_run_that_was_moved_goes_on_where_it_is(cli, finished):
    (finished / "pictures").rename(finished / "moved")

    answer = cli("fit", "--ckpt_path", "moved", "--trainer.max_epochs", "2")

    assert (answer.status, answer.err) == (0, "")
    assert checkpoints.find(finished / "moved", "best").name == "best-step=8.ckpt"
    assert not (finished / "pictures").exists()


EARLIER = {
    **{
        "dirpath": None,
        "verbose": False,
        "save_last": True,
        "save_on_exception": False,
        "enable_version_counter": False,
    },
    **{"auto_insert_metric_name": False, "every_n_train_steps": None, "train_time_interval": None},
    **{"every_n_epochs": None, "save_on_train_epoch_end": None},
}
"""What a run of an earlier version says of its checkpoints beside what is said today."""


def test_a_config_of_an_earlier_version_says_what_happens_anyway(cli):
    file = cli.config("pictures", checkpoint={"monitor": "val/rate", **EARLIER}, trainer__max_steps=1)

    answer = cli("fit", "--config", file, "--run_dir", "mine")

    assert (answer.status, answer.err) == (0, "")
    kept = yaml.safe_load((cli.folder / "mine" / "config.yaml").read_text())["checkpoint"]
    assert kept["monitor"] == "val/rate"
    assert not kept.keys() & EARLIER.keys()


def test_a_config_of_an_earlier_version_that_asks_for_what_is_no_more_is_told_so(cli):
    file = cli.config("pictures", checkpoint={**EARLIER, "every_n_train_steps": 100})

    answer = cli("fit", "--config", file, "--run_dir", "mine")

    assert answer.status == 2
    assert f"--config {file}: there is no checkpoint.every_n_train_steps any more" in answer.err
    assert not (cli.folder / "mine").exists()
