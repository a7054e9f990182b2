"""Two processes from the command line: one run, and the number of one process."""

import csv

import pytest

TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.accelerator", "cpu"]
ONE = ["--trainer.devices", "1", "--trainer.strategy", "auto"]


def metrics(run, version: int) -> dict[str, float]:
    """The last number under each key."""
    with (run / "metrics" / f"version_{version}" / "metrics.csv").open(newline="") as file:
        return {key: float(value) for row in csv.DictReader(file) for key, value in row.items() if value}


@pytest.mark.parametrize("name", ["pictures", pytest.param("texts", marks=pytest.mark.slow)])
def test_two_processes_train_one_run_and_test_as_one(cli, name):
    few = ["--trainer.limit_train_batches", "2"]

    for words in (["fit", "--config", f"{name}.yaml", *few, *TWO], ["test", "--ckpt_path", "runs/only"]):
        process = cli.spawn(*words)
        _, err = process.communicate(timeout=300)
        assert (process.returncode, err) == (0, "")
        if words[0] == "fit":
            (run,) = (cli.folder / "runs").iterdir()
            run.rename(cli.folder / "runs" / "only")
    alone = cli("test", "--ckpt_path", "runs/only", *ONE)

    run = cli.folder / "runs" / "only"
    assert alone.status == 0
    assert len(list((run / "examples").iterdir())) == 2
    assert [path.name for path in sorted((run / "metrics").iterdir())] == ["version_0", "version_1", "version_2"]
    two, one = metrics(run, 1), metrics(run, 2)
    assert {key for key in one if key.startswith("test/")} == {key for key in two if key.startswith("test/")}
    assert two == pytest.approx(one, rel=1e-6)
