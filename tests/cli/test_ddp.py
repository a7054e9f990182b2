"""Two processes from the command line: one run, and the number of one process."""

import csv

import pytest

TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.accelerator", "cpu"]
ONE = ["--trainer.devices", "1", "--trainer.strategy", "auto"]


def metrics(file, prefix: str) -> dict[str, list[float]]:
    """The numbers under each key that begins so."""
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {key: [float(row[key]) for row in rows if row[key]] for key in rows[0] if key.startswith(prefix)}


def run(cli, *words) -> None:
    """Run two processes to their end, in which they have nothing to complain of."""
    process = cli.spawn(*words)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")


STEERED = [
    *("--model.objective.kl_weight", "lit_vae.objectives.TargetKL"),
    *("--model.objective.kl_weight.nats", "2.0", "--model.objective.kl_weight.least", "0.5"),
]
"""A weight of the KL that the processes set together."""


def train(cli, name: str):
    """Train with two processes, and return the one run directory that they made."""
    run(cli, "fit", "--config", f"{name}.yaml", "--trainer.limit_train_batches", "2", *STEERED, *TWO)
    (made,) = (cli.folder / "runs").iterdir()
    return made


def test_two_processes_train_one_run_and_validate_as_one(cli):
    made = train(cli, "pictures")
    alone = cli("validate", "--ckpt_path", made, *ONE)

    assert alone.status == 0
    assert {path.name for path in made.iterdir()} == {
        *("checkpoints", "config.yaml", "examples", "metrics.csv", "validate.csv")
    }
    assert len(list((made / "examples").iterdir())) == 2
    two, one = (metrics(made / file, "val/") for file in ("metrics.csv", "validate.csv"))
    assert two["val/nelbo"] == pytest.approx(one["val/nelbo"], rel=1e-5)
    assert two["val/bits_per_dim"] == pytest.approx(one["val/bits_per_dim"], rel=1e-5)
    speed = metrics(made / "metrics.csv", "train/")
    assert speed["train/dims_per_second"] == pytest.approx([64 * rate for rate in speed["train/examples_per_second"]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pictures", "texts"])
def test_two_processes_test_as_one(cli, name):
    made = train(cli, name)

    run(cli, "test", "--ckpt_path", made)
    alone = cli("test", "--ckpt_path", made, *ONE)

    assert alone.status == 0
    for two, one in metrics(made / "test.csv", "test/").values():
        assert two == pytest.approx(one, rel=1e-5, abs=1e-6)
