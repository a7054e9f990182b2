"""A run whose newest checkpoint is damaged goes on from the newest whole one, and says so; an evaluation refuses."""

import shutil

import pytest
import torch

from lit_vae import checkpoints
from lit_vae.cli import fallback


def cut(file):
    file.write_bytes(file.read_bytes()[:-200])


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def empty(file):
    file.write_bytes(b"")


@pytest.fixture
def longer(finished):
    """A run of 8 steps whose best checkpoint is of step 4."""
    folder = finished / "pictures" / "checkpoints"
    checkpoint = checkpoints.read(folder / "last.ckpt")
    torch.save(checkpoint | {"global_step": 8}, folder / "later.ckpt")
    (folder / "later.ckpt").replace(folder / "last.ckpt")
    with (finished / "pictures" / "metrics.csv").open("a") as file:
        file.write("8,1\n")
    return finished / "pictures"


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_the_newest_whole_one_is_taken_and_what_is_lost_is_said(longer, damage):
    damage(longer / "checkpoints" / "last.ckpt")
    best = next((longer / "checkpoints").glob("best*.ckpt"))

    with pytest.warns(UserWarning, match=r"last\.ckpt is damaged .*from .*best.*, step 4; 4 steps are lost"):
        assert fallback.to_resume(longer) == best


def test_of_several_whole_ones_the_one_with_most_steps_is_taken(longer):
    folder = longer / "checkpoints"
    best = next(folder.glob("best*.ckpt"))
    torch.save(checkpoints.read(best) | {"global_step": 6}, folder / "last-v1.ckpt")
    shutil.copy2(best, folder / "best-other.ckpt")
    empty(folder / "last.ckpt")

    with pytest.warns(UserWarning, match="2 steps are lost"):
        assert fallback.to_resume(longer).name == "last-v1.ckpt"


def test_a_whole_one_is_taken_without_a_word(longer):
    assert fallback.to_resume(longer) == longer / "checkpoints" / "last.ckpt"


def test_a_run_goes_on_and_keeps_the_damaged_file(cli, finished):
    last = cli.folder / "pictures" / "checkpoints" / "last.ckpt"
    cut(last)
    damaged = last.read_bytes()

    with pytest.warns(UserWarning, match=r"last\.ckpt is damaged"):
        answer = cli("fit", "--ckpt_path", "pictures", "--trainer.max_epochs", "2")

    assert answer.status == 0, answer.err
    assert checkpoints.step(last) == 8
    assert last.with_name("damaged-last.ckpt").read_bytes() == damaged


def test_a_run_without_a_whole_one_is_refused_with_the_cure(cli, finished):
    for file in (cli.folder / "pictures" / "checkpoints").iterdir():
        empty(file)

    answer = cli("fit", "--resume", "auto", "--run_dir", "pictures", "--config", "pictures.yaml")

    assert answer.status == 2
    assert "no checkpoint of this run is whole (best" in answer.err
    assert "or start a new run with another --run_dir" in answer.err


def test_an_evaluation_refuses_a_damaged_best_and_names_the_others(cli, finished):
    flip(next((cli.folder / "pictures" / "checkpoints").glob("best*.ckpt")))

    for verb in ("test", "sample"):
        answer = cli(verb, "--ckpt_path", "pictures")

        assert answer.status == 2
        assert "is no checkpoint, or is damaged (" in answer.err
        assert "take another of its run, pictures/checkpoints/last.ckpt" in answer.err
