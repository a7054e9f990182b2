"""validate and test: one number, however a checkpoint is named."""

import csv
import re
import shutil

import pytest
import yaml


def number(answer, key: str) -> float:
    """A number of the table that an evaluation prints."""
    assert answer.status == 0, answer.err
    return float(re.search(rf"{key} .*?([\d.]+)", answer.out)[1])


@pytest.mark.parametrize(("name", "key"), [("pictures", "val/bits_per_dim"), ("texts", "val/nats_per_token")])
def test_validate_finds_what_training_found(cli, finished, name, key):
    with (finished / name / "metrics.csv").open(newline="") as file:
        trained = [float(row[key]) for row in csv.DictReader(file) if row[key]]

    answer = cli("validate", "--ckpt_path", name)

    assert number(answer, key) == pytest.approx(trained[-1], rel=1e-5)


def test_a_run_a_file_in_it_and_a_loose_copy_give_the_same_number(cli, finished):
    best = next((finished / "pictures" / "checkpoints").glob("best*.ckpt"))
    shutil.copy(best, finished / "loose.ckpt")

    numbers = [
        number(cli("test", "--ckpt_path", path), "test/bits_per_dim") for path in ("pictures", best, "loose.ckpt")
    ]

    assert numbers[0] == numbers[1] == numbers[2]


def test_a_loose_checkpoint_is_evaluated_without_a_trace(cli, finished):
    best = next((finished / "pictures" / "checkpoints").glob("best*.ckpt"))
    (finished / "downloads" / "checkpoints").mkdir(parents=True)
    shutil.copy(best, finished / "downloads" / "checkpoints" / "model.ckpt")

    answer = cli("test", "--ckpt_path", "downloads/checkpoints/model.ckpt")

    assert answer.status == 0
    assert [path.name for path in (finished / "downloads").rglob("*") if path.is_file()] == ["model.ckpt"]


def test_evaluation_takes_the_best_checkpoint(cli, finished):
    (finished / "pictures" / "checkpoints" / "last.ckpt").write_bytes(b"not looked at")

    assert cli("test", "--ckpt_path", "pictures").status == 0


def test_the_number_does_not_depend_on_the_batch_size(cli, finished):
    whole = cli("test", "--ckpt_path", "pictures")
    small = cli("test", "--ckpt_path", "pictures", "--data.batch_size", "7")

    assert number(small, "test/bits_per_dim") == pytest.approx(number(whole, "test/bits_per_dim"), rel=1e-5)


def test_evaluation_leaves_the_run_as_it_was_but_for_a_csv_file_of_its_own(cli, finished):
    before = {path: path.read_bytes() for path in (finished / "pictures").rglob("*") if path.is_file()}

    cli("test", "--ckpt_path", "pictures")

    after = {path: path.read_bytes() for path in (finished / "pictures").rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    assert after.keys() - before.keys() == {finished / "pictures" / "test.csv"}


def test_each_evaluation_is_a_row_that_says_what_was_evaluated_and_how(cli, finished):
    answers = [cli("test", "--ckpt_path", "pictures", *words) for words in ([], ["--limit", "10"])]

    with (finished / "pictures" / "test.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert all(answer.out.rstrip().endswith("kept in pictures/test.csv") for answer in answers)
    assert [row["arguments"] for row in found] == ["", "--limit 10"]
    assert {(row["checkpoint"], row["step"]) for row in found} == {("best-step=4.ckpt", "4")}
    for row, answer in zip(found, answers, strict=True):
        assert float(row["test/bits_per_dim"]) == pytest.approx(number(answer, "test/bits_per_dim"))


def test_nothing_is_kept_of_an_evaluation_without_a_logger(cli, finished):
    answer = cli("validate", "--ckpt_path", "pictures", "--trainer.logger", "false")

    assert (answer.status, answer.err) == (0, "")
    assert not (finished / "pictures" / "validate.csv").exists()


def test_an_overlay_changes_the_data_that_is_evaluated(cli, finished):
    (finished / "few.yaml").write_text(yaml.safe_dump({"trainer": {"limit_test_batches": 1}}))

    few = cli("test", "--ckpt_path", "pictures", "--config", "few.yaml")
    whole = cli("test", "--ckpt_path", "pictures")

    assert number(few, "test/nelbo") != number(whole, "test/nelbo")


def test_another_model_than_the_checkpoints_is_refused(cli, finished):
    answer = cli("test", "--ckpt_path", "pictures", "--model.head.components", "3")

    assert answer.status == 2
    assert "model.head.init_args.components is 1 in pictures/checkpoints/best" in answer.err
    assert "but 3 was asked for" in answer.err


def test_evaluation_needs_a_checkpoint(cli):
    answer = cli("test", "--config", "pictures.yaml")

    assert answer.status == 2
    assert "test needs --ckpt_path RUN" in answer.err


@pytest.mark.parametrize(("name", "unit"), [("pictures", "nats_per_image"), ("texts", "nats_per_sentence")])
def test_a_test_gives_the_importance_weighted_bound_beside_the_bound(cli, finished, name, unit):
    answer = cli("test", "--ckpt_path", name, "--importance_samples", "4", "--limit", "10")

    assert 0 < number(answer, f"test/iw/{unit}") < number(answer, "test/nelbo") + 1.0
    assert number(answer, "test/mutual_information_examples") == 10


def test_the_first_examples_are_the_same_ones_in_batches_of_any_size(cli, finished):
    few = [cli("test", "--ckpt_path", "texts", "--limit", "5", "--data.batch_size", size) for size in ("2", "5")]

    numbers = [number(answer, "test/nelbo") for answer in few]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "100000"], "--limit must be from 1 to the split's"),
        (["--limit", "0"], "limit: expected int from 1 or null, got 0"),
        (["--limit", "few"], "limit: expected int from 1 or null, got few"),
        (["--importance_samples", "-1"], "importance_samples: expected int from 0, got -1"),
        (["--importance_samples", "all"], "importance_samples: expected int from 0, got all"),
    ],
)
def test_limits_out_of_range_are_refused(cli, finished, words, message):
    answer = cli("test", "--ckpt_path", "pictures", *words)

    assert answer.status == 2
    assert message in answer.err
