"""Finding and reading checkpoints, and refusing what is none."""

import os
import random

import pytest
import torch
import yaml

from lit_vae import checkpoints

GOOD = {"state_dict": {"w": torch.ones(2)}, checkpoints.FORMAT_KEY: checkpoints.FORMAT, "config": "a: 1"}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    return tmp_path / "run"


def put(run, name, age=0, score=1.0):
    file = run / "checkpoints" / name
    torch.save({**GOOD, "callbacks": {"ModelCheckpoint{}": {"current_score": torch.tensor(score)}}}, file)
    os.utime(file, (1e9 - age, 1e9 - age))
    return file


def test_a_run_directory_stands_for_its_best_or_its_last_checkpoint(run):
    best, last = put(run, "best-step=20.ckpt"), put(run, "last.ckpt")

    assert checkpoints.find(run, "best") == best
    assert checkpoints.find(str(run), "last") == last


def test_of_several_best_ones_the_best_is_taken(run):
    put(run, "best-step=20.ckpt", age=10, score=3.0)
    best = put(run, "best-step=40.ckpt", age=5, score=2.0)
    put(run, "best-step=60.ckpt", age=2, score=2.5)
    put(run, "last.ckpt", age=0, score=1.0)

    assert checkpoints.find(run, "best") == best


def test_of_several_last_ones_the_newest_is_taken(run):
    newer = put(run, "last-v1.ckpt", age=5)
    put(run, "last.ckpt", age=10)

    assert checkpoints.find(run, "last") == newer


def test_what_lightning_writes_before_a_requeue_is_resumed_where_it_is_the_newest(run):
    last = put(run, "last.ckpt", age=10)
    older, newer = (put(run, f"../hpc_ckpt_{number}.ckpt", age=20 - 15 * number) for number in (0, 1))

    assert checkpoints.find(run, "last") == run / newer.name
    newer.unlink()
    assert checkpoints.find(run, "last") == last
    last.unlink()
    assert checkpoints.find(run, "last") == checkpoints.find(run, "best") == run / older.name


@pytest.mark.parametrize(("there", "asked"), [("best-step=1.ckpt", "last"), ("last.ckpt", "best")])
def test_the_other_kind_serves_where_one_is_missing(run, there, asked):
    file = put(run, there)

    assert checkpoints.find(run, asked) == file


def test_a_file_is_itself(run):
    file = put(run, "anything.bin")

    assert checkpoints.find(file, "best") == file


def test_nothing_there_is_said(run):
    with pytest.raises(FileNotFoundError, match=r"--ckpt_path .*elsewhere is neither a checkpoint nor a run directory"):
        checkpoints.find(run / "elsewhere", "best")
    with pytest.raises(FileNotFoundError, match=r"--ckpt_path .*run holds no checkpoint"):
        checkpoints.find(run, "best")


def test_contents_and_config_are_read(run):
    file = put(run, "last.ckpt")

    assert torch.equal(checkpoints.read(file)["state_dict"]["w"], torch.ones(2))
    assert yaml.safe_load(checkpoints.config(file)) == {"a": 1}


def test_a_model_built_in_python_has_no_config(tmp_path):
    torch.save({key: value for key, value in GOOD.items() if key != "config"}, tmp_path / "model.ckpt")

    assert checkpoints.config(tmp_path / "model.ckpt") is None


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({"weights": 1}, "holds no state_dict"),
        ([1, 2], "holds no state_dict"),
        ({"state_dict": {}}, "none: another program wrote it"),
        ({"state_dict": {}, checkpoints.FORMAT_KEY: checkpoints.FORMAT + 1}, rf"this one has {checkpoints.FORMAT + 1}"),
    ],
)
def test_a_checkpoint_of_another_program_or_version_is_refused(tmp_path, contents, reason):
    torch.save(contents, tmp_path / "other.ckpt")

    with pytest.raises(ValueError, match=rf"--ckpt_path .*other\.ckpt.*{reason}"):
        checkpoints.read(tmp_path / "other.ckpt")


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({**GOOD, "trap": os.system}, tmp_path / "trap.ckpt")

    with pytest.raises(ValueError, match="is no checkpoint"):
        checkpoints.read(tmp_path / "trap.ckpt")


def test_a_damaged_checkpoint_is_refused(tmp_path):
    torch.save(GOOD, tmp_path / "good.ckpt")
    content = (tmp_path / "good.ckpt").read_bytes()
    file = tmp_path / "damaged.ckpt"

    for length in (0, 1, 10, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"--ckpt_path .*damaged\.ckpt is no checkpoint, or is damaged"):
            checkpoints.read(file)


def test_any_other_file_is_refused(tmp_path):
    file, generator = tmp_path / "notes.txt", random.Random(0)
    texts = [b"learning rate 0.1\n", b"\x89PNG\r\n\x1a\n", b". a pickle's end", b"}", b"PK\x03\x04"]

    for content in texts + [generator.randbytes(20) for _ in range(20)]:
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"--ckpt_path .*notes\.txt is no checkpoint"):
            checkpoints.read(file)
